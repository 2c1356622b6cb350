// Customer.io's App API, as far as an import and look-ups need it.
//
// Every call waits for its turn (customerio/pace.h), and is made again when it is limited, when Customer.io fails or is
// not reached, and when the answer is not whole or not what was asked for: with a pause that doubles, or as long as
// Retry-After asks. What fails for good is returned:
//
//   RESULT_UNAUTHENTICATED  the key was refused           RESULT_FORBIDDEN  it may not do this
//   RESULT_NOT_FOUND        no such person or export      RESULT_INVALID    refused for another reason
//   RESULT_LIMITED          still too often               RESULT_CONFLICT   another region is in charge
//   RESULT_UNAVAILABLE      not reached, or failing       RESULT_MALFORMED  not what was asked for
//   RESULT_TOO_LARGE        over APP_ANSWER_MAXIMUM       RESULT_NO_MEMORY
//
// and `fault` is then a sentence for people. It is empty when the failure is not Customer.io's: what `between` returned
// (RESULT_STOP, RESULT_CONFLICT …), the store's RESULT_UNAVAILABLE, RESULT_NO_MEMORY.
#ifndef CIOBRIDGE_CUSTOMERIO_APP_API_H
#define CIOBRIDGE_CUSTOMERIO_APP_API_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/config.h"
#include "customerio/region.h"
#include "customerio/subscription_preferences.h"
#include "io/http_client.h"
#include "io/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_ANSWER_MAXIMUM ((size_t)4 << 20) // bytes
#define APP_PAGE_PEOPLE 1000                 // the most that Customer.io gives at once
#define APP_KEY_MAXIMUM 512                  // bytes

// How much is put into a call before it counts as failed.
struct app_effort {
	int tries;          // at least 1
	int64_t pause_ms;   // before the second try; doubles, up to 30 s; between half of it and all of it is waited
	int64_t most_ms;    // the longest wait for a turn or a retry
	int64_t timeout_ms; // of each try
};
extern const struct app_effort app_effort_of_job;     // minutes: whoever waits keeps a lease meanwhile
extern const struct app_effort app_effort_of_request; // seconds: somebody is waiting for an answer

struct app_api {
	struct http_client *http; // its patience is ours too
	struct store *store;
	const struct config *config;
	struct slice project; // whose pace
	struct slice key;     // the App API key
	enum region region;   // not REGION_AUTO, except for app_api_check
	const struct app_effort *effort;
	struct slice fault; // set by each call, in its arena
};

// What the calls give lives in the arena that they are given.

struct app_topic {
	int64_t id;
	struct slice identifier;                            // topic_<id>
	struct slice name, description, public_description; // empty where absent
	bool subscribed_by_default;
	bool transactional;
};

// All subscription topics, in Customer.io's order.
enum result app_api_topics(struct app_api *api, struct arena *arena, const struct app_topic **topics, size_t *count);

struct app_person {
	struct slice email, id, cio_id; // as Customer.io writes them; empty where absent
};

struct app_page {
	const struct app_person *people;
	size_t count;
	struct slice next; // where the next page starts; empty: this is the last
};

// A page of the globally unsubscribed people. `start`: `next` of the page before; empty for the first.
enum result app_api_unsubscribed(struct app_api *api, struct arena *arena, struct slice start, struct app_page *page);

enum app_id_type { APP_ID, APP_EMAIL, APP_CIO_ID };

struct app_customer {
	struct app_person person;
	bool unsubscribed;
	struct topic_preferences preferences; // what the person chose; topics not chosen are absent
};

// A person's identifiers and explicit attributes. RESULT_INVALID also: the attribute holds no preferences.
enum result app_api_customer(struct app_api *api, struct arena *arena, enum app_id_type type, struct slice identifier,
                             struct app_customer *customer);

// A person's state in every topic, where topics not chosen have their default.
enum result app_api_preferences(struct app_api *api, struct arena *arena, enum app_id_type type,
                                struct slice identifier, struct app_customer *customer);

enum app_export_status { APP_EXPORT_PENDING, APP_EXPORT_DONE, APP_EXPORT_FAILED };

struct app_export {
	int64_t id;
	enum app_export_status status;
	int64_t created_at_ms; // 0: not said
	int64_t total;         // rows; 0 until it is done
};

// Orders an export of everybody who has cio_subscription_preferences, with e-mail address and preferences. One ordered
// by a call whose answer was lost stays behind unused, and harms nobody.
enum result app_api_export_create(struct app_api *api, struct arena *arena, struct app_export *made);

// How far it is.
enum result app_api_export_read(struct app_api *api, struct arena *arena, int64_t id, struct app_export *read);

// The link to a finished export's file. It is good for 15 minutes, and a secret: whoever has it has the file.
enum result app_api_export_link(struct app_api *api, struct arena *arena, int64_t id, struct slice *link);

// Gives the file to the sink in pieces, in constant memory (see http_client.h). The key is not sent. Tried again only
// as long as the sink got nothing; after that RESULT_UNAVAILABLE with a sentence: get a new link and begin anew. What
// the sink returns is returned, without one. RESULT_FORBIDDEN, RESULT_NOT_FOUND, RESULT_INVALID: the link is no good
// any more.
enum result app_api_download(struct app_api *api, struct arena *arena, struct slice link,
                             enum result (*sink)(void *context, struct slice piece), void *context);

// Tries the key, by reading the topics, in api->region. Returns as trial_run (customerio/trial.h) does: RESULT_OK
// with *found; RESULT_INVALID: refused, or of the other region; RESULT_UNAVAILABLE: not known. The sentence is `fault`.
enum result app_api_check(struct app_api *api, struct arena *arena, enum region *found);

#endif
