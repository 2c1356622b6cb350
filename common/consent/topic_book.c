#include "consent/topic_book.h"

#include <stdlib.h>
#include <string.h>

#define REMEMBERED (2 * UNKNOWN_TOPICS_MAXIMUM) // a file may name some that there is no room for
#define FUTURE_PREFIX SLICE("customerio_")

struct topic_known {
	struct slice topic;
	const struct category *category;
};

enum result topic_book_open(struct store *store, struct arena *arena, struct slice project, bool dry_run,
                            struct topic_book *book)
{
	*book = (struct topic_book){.store = store, .arena = arena, .project = project, .dry_run = dry_run};
	return category_list_load(store, arena, project, &book->list);
}

// The place of the first one that is not less.
static size_t topic_book_place(const struct topic_book *book, struct slice topic)
{
	size_t low = 0, high = book->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (slice_compare(book->known[middle].topic, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool topic_book_find(const struct topic_book *book, struct slice topic, const struct category **category)
{
	*category = category_find_by_topic(&book->list, topic);
	if (*category != NULL)
		return true;
	size_t place = topic_book_place(book, topic);
	if (place == book->count || !slice_equal(book->known[place].topic, topic))
		return false;
	*category = book->known[place].category;
	return true;
}

static enum result topic_book_make_room(struct topic_book *book)
{
	if (book->count < book->capacity)
		return RESULT_OK;
	size_t capacity = book->capacity == 0 ? 64 : 2 * book->capacity;
	struct topic_known *known = arena_array(book->arena, capacity, sizeof(*known));
	if (known == NULL)
		return RESULT_NO_MEMORY;
	if (book->count > 0)
		memcpy(known, book->known, book->count * sizeof(*known));
	book->known = known;
	book->capacity = capacity;
	return RESULT_OK;
}

// The category outlives the arena that it was found in.
static enum result topic_book_keep(struct arena *arena, const struct category *found, struct slice topic,
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

static enum result topic_book_remember(struct topic_book *book, struct slice topic, const struct category *found)
{
	struct topic_known known = {.category = NULL};
	size_t place = topic_book_place(book, topic);
	bool is_there = place < book->count && slice_equal(book->known[place].topic, topic);
	if (is_there || book->count == REMEMBERED)
		return RESULT_OK;
	TRY(topic_book_keep(book->arena, found, topic, &known));
	TRY(topic_book_make_room(book));
	memmove(book->known + place + 1, book->known + place, (book->count - place) * sizeof(known));
	book->known[place] = known;
	book->count++;
	return RESULT_OK;
}

enum result topic_book_learn(struct topic_book *book, struct arena *scratch, const struct slice *unknown, size_t count)
{
	const struct category **found = arena_array(scratch, count + 1, sizeof(*found));
	if (found == NULL)
		return RESULT_NO_MEMORY;
	TRY((book->dry_run ? categories_foresee_topics : categories_for_topics)(
		book->store, scratch, book->project, &book->list, unknown, count, found));
	for (size_t i = 0; i < count; i++)
		TRY(topic_book_remember(book, unknown[i], found[i]));
	return RESULT_OK;
}

const struct category *topic_book_find_category(const struct topic_book *book, struct slice key)
{
	if (slice_equal(key, category_all.key))
		return &category_all;
	return slice_equal(key, category_complaint.key) ? &category_complaint : category_find(&book->list, key);
}

bool topic_book_read_future(struct arena *arena, struct slice key, struct slice *topic)
{
	struct slice name = slice_from(key, FUTURE_PREFIX.length);
	return slice_starts_with(key, FUTURE_PREFIX) && topic_is_valid(arena, name, topic) && slice_equal(name, *topic);
}
