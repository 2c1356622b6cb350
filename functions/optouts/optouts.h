// The endpoints of the opt-out list, and what several of them share.
#ifndef CIOBRIDGE_FUNCTIONS_OPTOUTS_H
#define CIOBRIDGE_FUNCTIONS_OPTOUTS_H

#include "consent/audit.h"
#include "consent/category.h"
#include "consent/choice.h"
#include "edge/endpoint.h"

#define BATCH_MAXIMUM 10000                 // identifiers or opt-outs in one request
#define BATCH_BODY_LIMIT ((size_t)8 << 20)  // bytes: 10,000 long identifiers and their categories
#define SMALL_BODY_LIMIT ((size_t)16 << 10) // bytes

// A category that is left out means all marketing. An empty one does not: somebody failed to fill it in.
#define CATEGORY_FIELD(text)                                                                                       \
	{.name = "category", .type = FIELD_TEXT, .minimum = 1, .maximum = CATEGORY_KEY_MAXIMUM, .help = (text)}
#define IDENTIFIER_FIELD                                                                                           \
	{.name = "identifier", .type = FIELD_RECIPIENT, .required = true, .help = "e-mail address or other identifier"}
#define IDENTIFIER_RULE "has to be text of 1 to 512 bytes without control characters"

extern const struct endpoint optouts_check_one, optouts_check_many, optouts_page, optouts_add, optouts_remove,
	optouts_bulk, optouts_recipient, optouts_categories, optouts_category_add, optouts_category_get,
	optouts_category_edit, optouts_export, optouts_audit, optouts_audit_export, optouts_verify, optouts_stats;

// The category named by a query parameter or member; `key` empty means all marketing. RESULT_NOT_FOUND, said in words.
enum result optouts_category(struct request *request, struct slice key, const struct category **category);

// Answers with a category and how many are out of it.
enum result optouts_category_answer(struct request *request, struct answer *answer, int status,
                                    const struct category *category);

// Reads an identifier. RESULT_INVALID, said of the field "identifier".
enum result optouts_identifier(struct request *request, struct slice text, struct slice *recipient);

// A time for an answer: one that a clock ahead of ours wrote is shown as now. 0 stays 0, which is written as null.
int64_t optouts_shown_time(int64_t made_at_ms);

// Every category that may hold choices, those of topics that nobody has imported yet too.
struct roll {
	struct category_list list;
	const struct category **all;
	size_t count;
};
enum result optouts_roll(struct request *request, struct roll *roll);

// One of them by its key; NULL.
const struct category *optouts_roll_find(const struct roll *roll, struct slice key);

// The query of what comes as a file, and its answer: named <project>-<name>.csv or .jsonl. It is read first.
#define FORMAT_FIELD {.name = "format", .type = FIELD_CHOICE, .choices = "csv jsonl", .help = "default csv"}
bool optouts_is_jsonl(const struct request *request);
enum result optouts_answer_file(struct request *request, struct answer *answer, const char *name,
                                answer_producer *produce, void *context);

// A change that the audit tells of, as an object; `identifier` is left out when its data is NULL. And a choice in it:
// "out", "in", or no data.
void optouts_write_change(struct json_writer *out, const struct audit_entry *entry, struct slice identifier,
                          struct slice category, int64_t made_at_ms);
struct slice optouts_value(int64_t score);

#endif
