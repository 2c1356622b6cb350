// The categories that topics and category names stand for, remembered while an import goes through many of them.
#ifndef CIOBRIDGE_CONSENT_TOPIC_BOOK_H
#define CIOBRIDGE_CONSENT_TOPIC_BOOK_H

#include "consent/category.h"
#include "io/store.h"

#include <stdbool.h>
#include <stddef.h>

struct topic_known;

struct topic_book {
	struct store *store;
	struct arena *arena;
	struct slice project;
	bool dry_run;
	struct category_list list; // the project's
	struct topic_known *known; // topics without a category, sorted
	size_t count, capacity;
};

// Reads the project's categories. What it learns lives in the arena, which grows by some 100 bytes a topic without a
// category, and by no more than UNKNOWN_TOPICS_MAXIMUM times two of them. dry_run: nothing is registered.
enum result topic_book_open(struct store *store, struct arena *arena, struct slice project, bool dry_run,
                            struct topic_book *book);

// The category of a canonical topic. False when it has to be learned first; *category is NULL when the project has no
// room for another topic.
bool topic_book_find(const struct topic_book *book, struct slice topic, const struct category **category);

// Asks the store, of which no other answer may be outstanding, for topics that were not found. `scratch` may be reset
// afterwards.
enum result topic_book_learn(struct topic_book *book, struct arena *scratch, const struct slice *unknown,
                             size_t count);

// The category of this name if it is one of the project's or a reserved one; NULL otherwise.
const struct category *topic_book_find_category(const struct topic_book *book, struct slice key);

// Whether it names the category that a topic will have ("customerio_topic_7").
bool topic_book_read_future(struct arena *arena, struct slice key, struct slice *topic);

#endif
