// The categories that a file's topics and category names stand for, remembered during an upload.
#ifndef CIOBRIDGE_CSV_UPLOAD_TOPICS_H
#define CIOBRIDGE_CSV_UPLOAD_TOPICS_H

#include "consent/category.h"
#include "edge/endpoint.h"

#include <stdbool.h>
#include <stddef.h>

struct topic_known;

struct topics {
	struct request *request;
	bool dry_run;
	struct category_list list; // the project's
	struct topic_known *known; // topics without a category, sorted
	size_t count, capacity;
};

enum result topics_open(struct request *request, bool dry_run, struct topics *topics);

// The category of a canonical topic. False when it has to be learned first; *category is NULL when the project has no
// room for another topic.
bool topics_find(const struct topics *topics, struct slice topic, const struct category **category);

// Asks the store, of which no other answer may be outstanding, for topics that were not found. `scratch` may be reset
// afterwards.
enum result topics_learn(struct topics *topics, struct arena *scratch, const struct slice *unknown, size_t count);

// The category of this name if it is one of the project's or a reserved one; NULL otherwise.
const struct category *topics_find_category(const struct topics *topics, struct slice key);

// Whether it names the category that a topic will have ("customerio_topic_7").
bool topics_read_future(struct arena *arena, struct slice key, struct slice *topic);

#endif
