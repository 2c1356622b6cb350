// The list in its order, a page or all of it: by time, then by recipient, both downwards, over all partitions.
#include "codec/encode.h"
#include "consent/optouts.h"
#include "consent/recipient.h"
#include "project/project.h"

#include <stdio.h>

STORE_SCRIPT(list_optouts, "common/consent/list_optouts.lua");

#define LANE_ROWS 250 // at a time
#define LANE_MEMORY ((size_t)64 << 10)
#define PLACE_SCORE_SIZE 24

// What was fetched of one partition and not yet given.
struct lane {
	struct arena *arena; // of what was fetched last
	const struct reply *fetched;
	size_t index, count; // of the head among its rows
	struct opt_out head;
	char score[PLACE_SCORE_SIZE]; // and recipient: the place behind which to go on; empty: from the newest
	struct slice recipient;
	bool is_at_end;
};

struct optouts_walk {
	struct store *store;
	struct slice project, list;
	size_t rows; // of a partition, at a time
	struct lane lanes[PROJECT_PARTITIONS];
	struct lane *given; // its head was given last
};

static void lane_release(void *arena)
{
	arena_free(arena);
}

static struct optouts_walk *walk_new(struct store *store, struct arena *arena, struct slice project, size_t rows)
{
	struct optouts_walk *walk = arena_alloc(arena, sizeof(*walk));
	if (walk == NULL)
		return NULL;
	*walk = (struct optouts_walk){.store = store, .project = project, .rows = rows};
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct lane *lane = &walk->lanes[p];
		*lane = (struct lane){.arena = arena_new(LANE_MEMORY), .is_at_end = true};
		if (lane->arena == NULL || !arena_defer(arena, lane_release, lane->arena))
			return NULL;
	}
	return walk;
}

struct optouts_walk *optouts_walk_new(struct store *store, struct arena *arena, struct slice project)
{
	return walk_new(store, arena, project, LANE_ROWS);
}

static void lane_set_place(struct lane *lane, const struct opt_out *row)
{
	snprintf(lane->score, sizeof(lane->score), "%lld", (long long)row->made_at_ms);
	lane->recipient = row->recipient;
}

// One row marks the place in every partition, since all have the same order.
static void walk_begin(struct optouts_walk *walk, struct slice list, const struct opt_out *behind)
{
	walk->list = list;
	walk->given = NULL;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		walk->lanes[p] = (struct lane){.arena = walk->lanes[p].arena, .recipient = SLICE("")};
		if (behind->made_at_ms > 0)
			lane_set_place(&walk->lanes[p], behind);
	}
}

void optouts_walk_begin(struct optouts_walk *walk, struct slice list)
{
	walk_begin(walk, list, &(struct opt_out){.made_at_ms = 0});
}

static struct opt_out lane_row(const struct lane *lane, size_t index)
{
	return (struct opt_out){reply_text(reply_at(lane->fetched, 1 + 2 * index)),
	                        reply_integer(reply_at(lane->fetched, 2 + 2 * index))};
}

static void lane_ask(struct optouts_walk *walk, int partition)
{
	const struct lane *lane = &walk->lanes[partition];
	struct key_name key = partition_key(walk->project, partition, "optouts:", walk->list);
	char rows[24];
	snprintf(rows, sizeof(rows), "%zu", walk->rows);
	store_send_script(walk->store, &list_optouts, 1,
	                  ARGUMENTS(key_slice(&key), slice_of(rows), slice_of(lane->score), lane->recipient));
}

static enum result lane_take(struct optouts_walk *walk, struct lane *lane)
{
	arena_reset(lane->arena);
	lane->index = lane->count = 0;
	TRY(store_receive(walk->store, lane->arena, &lane->fetched));
	lane->count = reply_count(lane->fetched) / 2;
	lane->is_at_end = lane->count < walk->rows;
	if (lane->count == 0)
		return RESULT_OK;
	lane->head = lane_row(lane, 0);
	struct opt_out last = lane_row(lane, lane->count - 1);
	lane_set_place(lane, &last);
	return RESULT_OK;
}

// All lanes that have run dry are filled in one round trip.
static enum result walk_fill(struct optouts_walk *walk)
{
	bool dry[PROJECT_PARTITIONS];
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		const struct lane *lane = &walk->lanes[p];
		dry[p] = lane->index == lane->count && !lane->is_at_end;
		if (dry[p])
			lane_ask(walk, p);
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		if (dry[p])
			TRY(lane_take(walk, &walk->lanes[p]));
	}
	return RESULT_OK;
}

// Downwards: the later row of two is the greater one.
static int row_compare(const struct opt_out *a, const struct opt_out *b)
{
	if (a->made_at_ms != b->made_at_ms)
		return a->made_at_ms > b->made_at_ms ? -1 : 1;
	return slice_compare(b->recipient, a->recipient);
}

enum result optouts_walk_next(struct optouts_walk *walk, const struct opt_out **row)
{
	if (walk->given != NULL && ++walk->given->index < walk->given->count)
		walk->given->head = lane_row(walk->given, walk->given->index);
	walk->given = NULL;
	TRY(walk_fill(walk));
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct lane *lane = &walk->lanes[p];
		if (lane->index < lane->count &&
		    (walk->given == NULL || row_compare(&lane->head, &walk->given->head) < 0))
			walk->given = lane;
	}
	*row = walk->given != NULL ? &walk->given->head : NULL;
	return RESULT_OK;
}

// *place has made_at_ms 0 when there is no cursor.
static enum result place_read(struct arena *arena, struct slice cursor, struct opt_out *place)
{
	struct slice text;
	*place = (struct opt_out){.made_at_ms = 0};
	if (slice_is_empty(cursor))
		return RESULT_OK;
	if (cursor.length > 2 * RECIPIENT_MAXIMUM || decode_base64url(arena, cursor, &text) != RESULT_OK)
		return RESULT_INVALID;
	struct slice number = slice_split(&text, ' ');
	if (!slice_to_integer(number, 1, INT64_C(1) << 53, &place->made_at_ms) || slice_is_empty(text))
		return RESULT_INVALID;
	place->recipient = text;
	return RESULT_OK;
}

static struct slice place_write(struct arena *arena, const struct opt_out *row)
{
	struct slice text = arena_format(arena, "%lld %.*s", (long long)row->made_at_ms, (int)row->recipient.length,
	                                 row->recipient.data);
	return text.data != NULL ? encode_base64url(arena, text) : text;
}

static bool row_matches(const struct opt_out *row, struct slice search)
{
	for (size_t i = 0; i + search.length <= row->recipient.length; i++) {
		struct slice part = {row->recipient.data + i, search.length};
		if (slice_equal_ignoring_case(part, search))
			return true;
	}
	return false;
}

// Takes the rows that match, at most `limit`, and says where the next page goes on.
static enum result page_take(struct arena *arena, struct optouts_walk *walk, struct slice search, size_t limit,
                             struct opt_out_page *page)
{
	const struct opt_out *row;
	for (size_t looked = 0; page->count < limit && looked < OPTOUTS_SEARCH_ROWS; looked++) {
		TRY(optouts_walk_next(walk, &row));
		if (row == NULL)
			return RESULT_OK;
		if (!row_matches(row, search))
			continue;
		struct slice recipient = arena_copy(arena, row->recipient);
		if (recipient.data == NULL)
			return RESULT_NO_MEMORY;
		page->rows[page->count++] = (struct opt_out){recipient, row->made_at_ms};
	}
	struct slice cursor = place_write(arena, &walk->given->head);
	if (cursor.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(optouts_walk_next(walk, &row));
	if (row != NULL)
		page->cursor = cursor;
	return RESULT_OK;
}

// A whole address needs no search through the list.
static enum result page_look_up(struct store *store, struct arena *arena, struct slice project, struct slice list,
                                struct slice recipient, struct opt_out_page *page)
{
	int64_t score;
	TRY(optouts_choices_of(store, arena, project, recipient, &list, 1, &score));
	if (score > 0)
		page->rows[page->count++] = (struct opt_out){recipient, score};
	return RESULT_OK;
}

static enum result walk_total(struct optouts_walk *walk, int64_t *total)
{
	TRY(walk_fill(walk));
	*total = 0;
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		*total += reply_integer(reply_at(walk->lanes[p].fetched, 0));
	return RESULT_OK;
}

enum result optouts_list(struct store *store, struct arena *arena, struct slice project, struct slice list,
                         struct slice search, struct slice cursor, size_t limit, struct opt_out_page *page)
{
	struct opt_out place;
	bool searches = !slice_is_empty(search);
	// A quarter of the page of each partition: seldom has one of them more of it.
	size_t rows = searches ? LANE_ROWS : limit / 4 + 1;
	struct optouts_walk *walk = walk_new(store, arena, project, rows);
	TRY(place_read(arena, cursor, &place));
	*page = (struct opt_out_page){.rows = arena_array(arena, limit + 1, sizeof(struct opt_out))};
	if (page->rows == NULL || walk == NULL)
		return RESULT_NO_MEMORY;
	if (searches && place.made_at_ms == 0)
		TRY(page_look_up(store, arena, project, list, search, page));
	walk_begin(walk, list, &place);
	TRY(walk_total(walk, &page->total));
	return page->count > 0 ? RESULT_OK : page_take(arena, walk, search, limit, page);
}
