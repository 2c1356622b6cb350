// A category: something a recipient can be opted out of. Stored as JSON in the hash cb:{P}:categories under its key.
//
// The choices of a category with a topic are kept in the list "customerio_<topic>" whatever its key is: webhooks may
// have recorded some there before anybody made the category. Those of any other are kept in the list of its key.
#ifndef CIOBRIDGE_CONSENT_CATEGORY_H
#define CIOBRIDGE_CONSENT_CATEGORY_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#include <stdbool.h>

#define CATEGORY_KEY_MAXIMUM 64
#define CATEGORY_NAME_MAXIMUM 128
#define CATEGORY_DESCRIPTION_MAXIMUM 4096
#define CATEGORIES_MAXIMUM 10000      // a project
#define UNKNOWN_TOPICS_MAXIMUM 10000  // a project

enum category_type {
	CATEGORY_MARKETING,
	CATEGORY_TRANSACTIONAL,
	CATEGORY_GLOBAL,    // "$all": all marketing
	CATEGORY_COMPLAINT, // "$complaint": out by a spam complaint, in only by the recipient himself
	CATEGORY_NOTE,      // "$bounced", "$dropped": kept in the audit, never a choice
};

struct category {
	struct slice key, name, description, public_description;
	enum category_type type;
	bool subscribed_by_default;
	struct slice topic; // Customer.io's identifier such as "topic_4"; data NULL: none
	struct slice list;  // names the sorted sets cb:{P:NN}:optouts:<list> that hold its choices
	bool archived;
	struct slice stored; // the JSON as read; data NULL for one that is not stored
};

struct category_list {
	struct category *items; // sorted by key
	size_t count;
	const struct category **by_topic; // those with a topic, sorted by it
	size_t topic_count;
	size_t stored; // how many there are, those that cannot be read too
};

extern const struct category category_all, category_complaint, category_bounced, category_dropped;

// [A-Za-z0-9_-]{1,64}; "customerio_" begins only the key "customerio_<topic>" of the category with that topic.
bool category_key_is_valid(struct slice key, struct slice topic);

// topic_[0-9]{1,9}; *canonical is that form also for a bare number ("7" -> "topic_7"), in the arena.
bool topic_is_valid(struct arena *arena, struct slice topic, struct slice *canonical);

// All categories of the project, archived ones too. Entries that cannot be read are skipped and logged.
enum result category_list_load(struct store *store, struct arena *arena, struct slice project,
                               struct category_list *list);

// One category by its key; the reserved keys "$all" and "$complaint" are found too. RESULT_NOT_FOUND.
enum result category_load(struct store *store, struct arena *arena, struct slice project, struct slice key,
                          const struct category **category);

// The two halves of it: false when nothing needs to be asked, and then there is no answer in the store.
bool category_send(struct store *store, struct slice project, struct slice key);
enum result category_receive(struct store *store, struct arena *arena, struct slice key, bool sent,
                             const struct category **category);
const struct category *category_find(const struct category_list *list, struct slice key);
const struct category *category_find_by_topic(const struct category_list *list, struct slice topic);

// The categories that hold choices for topics (canonical ones): the one with that topic, or the future one
// ("customerio_topic_7"), which is registered in cb:{P}:unknown_topics. found[i] belongs to topics[i]; it is NULL where
// the project already has UNKNOWN_TOPICS_MAXIMUM unknown ones.
enum result categories_for_topics(struct store *store, struct arena *arena, struct slice project,
                                  const struct category_list *list, const struct slice *topics, size_t count,
                                  const struct category **found);

// The same as they would be, for a dry run: nothing is registered.
enum result categories_foresee_topics(struct store *store, struct arena *arena, struct slice project,
                                      const struct category_list *list, const struct slice *topics, size_t count,
                                      const struct category **found);

// Everything that may hold choices: "$all", "$complaint", the categories in `list`, by key, then the topics that no
// category has yet, as future categories.
enum result category_list_everything(struct store *store, struct arena *arena, struct slice project,
                                     const struct category_list *list, const struct category ***all, size_t *count);

// The key of the category whose choices are in the list of this name; the name itself where there is none yet.
struct slice category_key_of_list(const struct category_list *list, struct slice name);

// The list of a category that has this topic. data is NULL without memory.
struct slice category_list_of_topic(struct arena *arena, struct slice topic);

// Adds a category to those in `list`, which says that it may be added. RESULT_CONFLICT when there are others by now:
// load and decide anew.
enum result category_add(struct store *store, struct arena *arena, struct slice project,
                         const struct category_list *list, const struct category *category);

// Stores a category while `category->stored` is still what is there. RESULT_CONFLICT.
enum result category_save(struct store *store, struct arena *arena, struct slice project,
                          const struct category *category);

// The JSON that is stored for a category, and back. RESULT_MALFORMED when it is none; RESULT_TOO_LARGE,
// RESULT_NO_MEMORY.
enum result category_text(struct arena *arena, const struct category *category, struct slice *text);
enum result category_parse(struct arena *arena, struct slice key, struct slice stored, struct category *category);

// Writes {"key","name",…,"archived"} and, unless negative, "opted_out_count".
void category_write(const struct category *category, int64_t opted_out_count, struct json_writer *out);

const char *category_type_name(enum category_type type); // "marketing" or "transactional"

#endif
