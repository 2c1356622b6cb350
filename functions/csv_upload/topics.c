#include "topics.h"

#include "project/project.h"

#include <stdlib.h>
#include <string.h>

#define REMEMBERED (2 * UNKNOWN_TOPICS_MAXIMUM) // a file may name some that there is no room for
#define FUTURE_PREFIX SLICE("customerio_")

struct topic_known {
	struct slice topic;
	const struct category *category;
};

enum result topics_open(struct request *request, bool dry_run, struct topics *topics)
{
	*topics = (struct topics){.request = request, .dry_run = dry_run};
	return category_list_load(request->store, request->arena, request_project(request), &topics->list);
}

// The place of the first one that is not less.
static size_t topics_place(const struct topics *topics, struct slice topic)
{
	size_t low = 0, high = topics->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (slice_compare(topics->known[middle].topic, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool topics_find(const struct topics *topics, struct slice topic, const struct category **category)
{
	*category = category_find_by_topic(&topics->list, topic);
	if (*category != NULL)
		return true;
	size_t place = topics_place(topics, topic);
	if (place == topics->count || !slice_equal(topics->known[place].topic, topic))
		return false;
	*category = topics->known[place].category;
	return true;
}

static enum result topics_make_room(struct topics *topics)
{
	if (topics->count < topics->capacity)
		return RESULT_OK;
	size_t capacity = topics->capacity == 0 ? 64 : 2 * topics->capacity;
	struct topic_known *known = arena_array(topics->request->arena, capacity, sizeof(*known));
	if (known == NULL)
		return RESULT_NO_MEMORY;
	if (topics->count > 0)
		memcpy(known, topics->known, topics->count * sizeof(*known));
	topics->known = known;
	topics->capacity = capacity;
	return RESULT_OK;
}

// The category outlives the arena that it was found in.
static enum result topics_keep(struct arena *arena, const struct category *found, struct slice topic,
                               struct topic_known *known)
{
	known->topic = arena_copy(arena, topic);
	if (known->topic.data == NULL || found == NULL)
		return known->topic.data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
	struct category *category = arena_alloc(arena, sizeof(*category));
	struct slice list = arena_copy(arena, found->list);
	if (category == NULL || list.data == NULL)
		return RESULT_NO_MEMORY;
	*category = *found;
	category->key = category->list = list;
	category->name = category->topic = known->topic;
	known->category = category;
	return RESULT_OK;
}

static enum result topics_remember(struct topics *topics, struct slice topic, const struct category *found)
{
	struct topic_known known = {.category = NULL};
	size_t place = topics_place(topics, topic);
	bool is_there = place < topics->count && slice_equal(topics->known[place].topic, topic);
	if (is_there || topics->count == REMEMBERED)
		return RESULT_OK;
	TRY(topics_keep(topics->request->arena, found, topic, &known));
	TRY(topics_make_room(topics));
	memmove(topics->known + place + 1, topics->known + place, (topics->count - place) * sizeof(known));
	topics->known[place] = known;
	topics->count++;
	return RESULT_OK;
}

enum result topics_learn(struct topics *topics, struct arena *scratch, const struct slice *unknown, size_t count)
{
	struct request *request = topics->request;
	const struct category **found = arena_array(scratch, count + 1, sizeof(*found));
	if (found == NULL)
		return RESULT_NO_MEMORY;
	TRY((topics->dry_run ? categories_foresee_topics : categories_for_topics)(
		request->store, scratch, request_project(request), &topics->list, unknown, count, found));
	for (size_t i = 0; i < count; i++)
		TRY(topics_remember(topics, unknown[i], found[i]));
	return RESULT_OK;
}

const struct category *topics_find_category(const struct topics *topics, struct slice key)
{
	if (slice_equal(key, category_all.key))
		return &category_all;
	return slice_equal(key, category_complaint.key) ? &category_complaint : category_find(&topics->list, key);
}

bool topics_read_future(struct arena *arena, struct slice key, struct slice *topic)
{
	struct slice name = slice_from(key, FUTURE_PREFIX.length);
	return slice_starts_with(key, FUTURE_PREFIX) && topic_is_valid(arena, name, topic) && slice_equal(name, *topic);
}
