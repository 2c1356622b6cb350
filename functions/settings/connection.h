// What the sections app, track and pipelines share: they are changed, shown and forgotten in one way, and differ in
// what they are made of and in how Customer.io is asked about it.
#ifndef CIOBRIDGE_FUNCTIONS_SETTINGS_CONNECTION_H
#define CIOBRIDGE_FUNCTIONS_SETTINGS_CONNECTION_H

#include "customerio/region.h"
#include "io/http_client.h"
#include "project/connection.h"
#include "settings.h"

// Asks Customer.io whether the connection's credentials are good in `wanted`. Returns as trial_run does
// (customerio/trial.h).
typedef enum result connection_trial(struct request *request, struct http_client *http,
                                     const struct connection *connection, enum region wanted, enum region *found,
                                     struct slice *sentence);

struct connection_section {
	enum connection_kind kind;
	const char *secret; // the member that holds it
	connection_trial *try;
};

// Asks Customer.io until then (clock_monotonic_us) at most. RESULT_OK: they are good in *found, which is `wanted`
// unless that is REGION_AUTO. Otherwise the request is refused with what it returns.
enum result connection_ask(struct request *request, const struct connection_section *section,
                           const struct connection *connection, enum region wanted, int64_t until_us,
                           enum region *found);

// PUT and PATCH: members that are left out keep their value. Credentials and region are tried before they are stored;
// nothing is stored of a request that is refused. Answers with the section.
enum result connection_change(struct request *request, struct answer *answer, const struct connection_section *section);

// DELETE
enum result connection_forget(struct request *request, struct answer *answer, enum connection_kind kind);

// Writes the section as GET /settings/{project} shows it.
enum result connection_show(struct request *request, enum connection_kind kind, struct json_writer *out);

#endif
