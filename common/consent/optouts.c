#include "consent/optouts.h"

#include "base/clock.h"
#include "codec/encode.h"
#include "consent/recipient.h"
#include "project/project.h"

#include <stdlib.h>
#include <string.h>

STORE_SCRIPT(list_optouts, "common/consent/list_optouts.lua");

#define CHECK_LISTS 3 // complaint, all marketing, the category itself; fewer where these are the same

const char *check_reason_name(enum check_reason reason)
{
	static const char *const names[] = {
		[CHECK_SUBSCRIBED] = "subscribed",
		[CHECK_TRANSACTIONAL] = "transactional",
		[CHECK_COMPLAINT] = "complaint",
		[CHECK_OPTED_OUT_ALL] = "opted_out_all",
		[CHECK_OPTED_OUT_CATEGORY] = "opted_out_category",
		[CHECK_NOT_OPTED_IN] = "not_opted_in",
	};
	return names[reason];
}

static struct check check_decide(const struct category *category, const int64_t *scores, size_t count)
{
	int64_t complaint = scores[0], all = count > 1 ? scores[1] : 0, own = scores[count - 1];
	if (complaint > 0)
		return (struct check){false, CHECK_COMPLAINT, complaint};
	if (category->type == CATEGORY_TRANSACTIONAL)
		return (struct check){true, CHECK_TRANSACTIONAL, 0};
	if (all > 0)
		return (struct check){false, CHECK_OPTED_OUT_ALL, all};
	if (own > 0)
		return (struct check){false, CHECK_OPTED_OUT_CATEGORY, own};
	if (own == 0 && !category->subscribed_by_default)
		return (struct check){false, CHECK_NOT_OPTED_IN, 0};
	return (struct check){true, CHECK_SUBSCRIBED, -own};
}

static size_t check_lists(const struct category *category, struct slice lists[CHECK_LISTS])
{
	lists[0] = category_complaint.list;
	lists[1] = category_all.list;
	lists[2] = category->list;
	if (category->type == CATEGORY_COMPLAINT || category->type == CATEGORY_TRANSACTIONAL)
		return 1;
	return category->type == CATEGORY_GLOBAL ? 2 : CHECK_LISTS;
}

// The recipients of one partition, with their places among the caller's.
struct group {
	struct slice *arguments; // ZMSCORE, the key, recipients
	size_t *places;
	size_t count;
};

static enum result check_group(struct arena *arena, const struct slice *recipients, size_t count,
                               struct group groups[PROJECT_PARTITIONS])
{
	unsigned char *partitions = arena_array(arena, count + 1, 1);
	if (partitions == NULL)
		return RESULT_NO_MEMORY;
	memset(groups, 0, PROJECT_PARTITIONS * sizeof(*groups));
	for (size_t i = 0; i < count; i++) {
		partitions[i] = (unsigned char)partition_of(recipients[i]);
		groups[partitions[i]].count++;
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		groups[p].arguments = arena_array(arena, groups[p].count + 2, sizeof(struct slice));
		groups[p].places = arena_array(arena, groups[p].count + 1, sizeof(size_t));
		if (groups[p].arguments == NULL || groups[p].places == NULL)
			return RESULT_NO_MEMORY;
		groups[p].count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct group *group = &groups[partitions[i]];
		group->places[group->count] = i;
		group->arguments[2 + group->count++] = recipients[i];
	}
	return RESULT_OK;
}

static enum result check_receive(struct store *store, struct arena *arena, const struct category *category,
                                 const struct group *group, size_t list_count, struct check *checks)
{
	const struct reply *replies[CHECK_LISTS] = {NULL};
	for (size_t list = 0; list < list_count; list++) {
		TRY(store_receive(store, arena, &replies[list]));
		if (reply_count(replies[list]) != group->count)
			return RESULT_UNAVAILABLE;
	}
	for (size_t i = 0; i < group->count; i++) {
		int64_t scores[CHECK_LISTS] = {0};
		for (size_t list = 0; list < list_count; list++)
			scores[list] = reply_integer(reply_at(replies[list], i));
		checks[group->places[i]] = check_decide(category, scores, list_count);
	}
	return RESULT_OK;
}

enum result optouts_check(struct store *store, struct arena *arena, struct slice project,
                          const struct category *category, const struct slice *recipients, size_t count,
                          struct check *checks)
{
	struct group groups[PROJECT_PARTITIONS];
	struct slice lists[CHECK_LISTS];
	size_t list_count = check_lists(category, lists);
	TRY(check_group(arena, recipients, count, groups));
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		for (size_t list = 0; list < list_count && groups[p].count > 0; list++) {
			struct key_name key = partition_key(project, p, "optouts:", lists[list]);
			groups[p].arguments[0] = SLICE("ZMSCORE");
			groups[p].arguments[1] = key_slice(&key);
			store_send(store, groups[p].arguments, groups[p].count + 2);
		}
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		if (groups[p].count > 0)
			TRY(check_receive(store, arena, category, &groups[p], list_count, checks));
	}
	return RESULT_OK;
}

// Where a page begins: behind this row. The list's order is by time, then by recipient, both downwards, over all
// partitions, so one row marks the place in each of them.
struct place {
	struct slice score; // empty: at the newest
	struct slice recipient;
};

static enum result place_read(struct arena *arena, struct slice cursor, struct place *place)
{
	*place = (struct place){SLICE(""), SLICE("")};
	if (slice_is_empty(cursor))
		return RESULT_OK;
	struct slice text;
	int64_t score;
	if (cursor.length > 2 * RECIPIENT_MAXIMUM || decode_base64url(arena, cursor, &text) != RESULT_OK)
		return RESULT_INVALID;
	struct slice number = slice_split(&text, ' ');
	if (!slice_to_integer(number, 1, INT64_C(1) << 53, &score) || slice_is_empty(text))
		return RESULT_INVALID;
	*place = (struct place){number, text};
	return RESULT_OK;
}

static struct slice place_write(struct arena *arena, const struct opt_out *row)
{
	struct slice text = arena_format(arena, "%lld %.*s", (long long)row->made_at_ms, (int)row->recipient.length,
	                                 row->recipient.data);
	return text.data != NULL ? encode_base64url(arena, text) : text;
}

// Downwards: the later row of two is the greater one.
static int row_compare(const struct opt_out *a, const struct opt_out *b)
{
	if (a->made_at_ms != b->made_at_ms)
		return a->made_at_ms > b->made_at_ms ? -1 : 1;
	return slice_compare(b->recipient, a->recipient);
}

static int row_compare_for_sort(const void *a, const void *b)
{
	return row_compare(a, b);
}

// Rows of all partitions, and up to where they are complete.
struct gathering {
	struct opt_out *rows;
	size_t count;
	int64_t total;
	struct opt_out horizon; // the first place where a partition stopped with more to come
	bool has_horizon;
};

static enum result gather_partition(struct store *store, struct arena *arena, size_t limit, struct gathering *gathering)
{
	const struct reply *reply;
	TRY(store_receive(store, arena, &reply));
	size_t count = reply_count(reply) / 2;
	gathering->total += reply_integer(reply_at(reply, 0));
	for (size_t i = 0; i < count; i++) {
		struct opt_out *row = &gathering->rows[gathering->count++];
		row->recipient = reply_text(reply_at(reply, 1 + 2 * i));
		row->made_at_ms = reply_integer(reply_at(reply, 2 + 2 * i));
	}
	if (count < limit)
		return RESULT_OK;
	const struct opt_out *last = &gathering->rows[gathering->count - 1];
	if (!gathering->has_horizon || row_compare(last, &gathering->horizon) < 0)
		gathering->horizon = *last;
	gathering->has_horizon = true;
	return RESULT_OK;
}

static enum result gather_rows(struct store *store, struct arena *arena, struct slice project, struct slice list,
                               const struct place *place, size_t limit, struct gathering *gathering)
{
	struct slice limit_text = arena_format(arena, "%zu", limit);
	*gathering = (struct gathering){.rows = arena_array(arena, limit * PROJECT_PARTITIONS, sizeof(struct opt_out))};
	if (gathering->rows == NULL || limit_text.data == NULL)
		return RESULT_NO_MEMORY;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(project, p, "optouts:", list);
		store_send_script(store, &list_optouts, 1,
		                  ARGUMENTS(key_slice(&key), limit_text, place->score, place->recipient));
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		TRY(gather_partition(store, arena, limit, gathering));
	qsort(gathering->rows, gathering->count, sizeof(*gathering->rows), row_compare_for_sort);
	return RESULT_OK;
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
static enum result page_take(struct arena *arena, const struct gathering *gathering, struct slice search, size_t limit,
                             struct opt_out_page *page)
{
	const struct opt_out *last = NULL;
	for (size_t i = 0; i < gathering->count; i++) {
		const struct opt_out *row = &gathering->rows[i];
		if (gathering->has_horizon && row_compare(row, &gathering->horizon) > 0)
			break;
		if (page->count == limit) {
			page->cursor = place_write(arena, last);
			return page->cursor.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
		}
		last = row;
		if (row_matches(row, search))
			page->rows[page->count++] = *row;
	}
	if (!gathering->has_horizon)
		return RESULT_OK;
	page->cursor = place_write(arena, &gathering->horizon);
	return page->cursor.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
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

enum result optouts_list(struct store *store, struct arena *arena, struct slice project, struct slice list,
                         struct slice search, struct slice cursor, size_t limit, struct opt_out_page *page)
{
	struct place place;
	struct gathering gathering;
	bool searches = !slice_is_empty(search);
	TRY(place_read(arena, cursor, &place));
	*page = (struct opt_out_page){.rows = arena_array(arena, limit + 1, sizeof(struct opt_out))};
	if (page->rows == NULL)
		return RESULT_NO_MEMORY;
	if (searches && slice_is_empty(place.score))
		TRY(page_look_up(store, arena, project, list, search, page));
	bool found = page->count > 0;
	size_t rows = searches && !found ? OPTOUTS_SEARCH_ROWS / PROJECT_PARTITIONS : limit;
	TRY(gather_rows(store, arena, project, list, &place, rows, &gathering));
	page->total = gathering.total;
	return found ? RESULT_OK : page_take(arena, &gathering, search, limit, page);
}

enum result optouts_count(struct store *store, struct arena *arena, struct slice project, const struct slice *lists,
                          size_t count, int64_t *counts)
{
	for (size_t i = 0; i < count; i++) {
		for (int p = 0; p < PROJECT_PARTITIONS; p++) {
			struct key_name key = partition_key(project, p, "optouts:", lists[i]);
			store_send(store, ARGUMENTS(SLICE("ZCOUNT"), key_slice(&key), SLICE("(0"), SLICE("+inf")));
		}
	}
	for (size_t i = 0; i < count; i++) {
		counts[i] = 0;
		for (int p = 0; p < PROJECT_PARTITIONS; p++) {
			const struct reply *reply;
			TRY(store_receive(store, arena, &reply));
			counts[i] += reply_integer(reply);
		}
	}
	return RESULT_OK;
}

enum result optouts_choices_of(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                               const struct slice *lists, size_t count, int64_t *scores)
{
	int partition = partition_of(recipient);
	for (size_t i = 0; i < count; i++) {
		struct key_name key = partition_key(project, partition, "optouts:", lists[i]);
		store_send(store, ARGUMENTS(SLICE("ZSCORE"), key_slice(&key), recipient));
	}
	for (size_t i = 0; i < count; i++) {
		const struct reply *reply;
		TRY(store_receive(store, arena, &reply));
		scores[i] = reply_integer(reply);
	}
	return RESULT_OK;
}
