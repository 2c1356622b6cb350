#include "consent/optouts.h"

#include "project/project.h"

#include <string.h>

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

struct inquiry {
	struct store *store;
	struct arena *arena;
	struct slice project, key, recipient;
	bool asked_category;
};

struct inquiry *inquiry_send(struct store *store, struct arena *arena, struct slice project, struct slice key,
                             struct slice recipient)
{
	struct inquiry *inquiry = arena_alloc(arena, sizeof(*inquiry));
	if (inquiry == NULL)
		return NULL;
	*inquiry = (struct inquiry){store, arena, project, key, recipient, category_send(store, project, key)};
	// The category's own choices are looked for where those of most categories are.
	const struct slice lists[CHECK_LISTS] = {category_complaint.list, category_all.list, key};
	int partition = partition_of(recipient);
	for (size_t i = 0; i < CHECK_LISTS; i++) {
		struct key_name list = partition_key(project, partition, "optouts:", lists[i]);
		store_send(store, ARGUMENTS(SLICE("ZSCORE"), key_slice(&list), recipient));
	}
	return inquiry;
}

enum result inquiry_receive(struct inquiry *inquiry, const struct category **category, struct check *check)
{
	struct slice lists[CHECK_LISTS];
	int64_t scores[CHECK_LISTS];
	TRY(category_receive(inquiry->store, inquiry->arena, inquiry->key, inquiry->asked_category, category));
	for (size_t i = 0; i < CHECK_LISTS; i++) {
		const struct reply *reply;
		TRY(store_receive(inquiry->store, inquiry->arena, &reply));
		scores[i] = reply_integer(reply);
	}
	if (!slice_equal((*category)->list, inquiry->key))
		return optouts_check(inquiry->store, inquiry->arena, inquiry->project, *category,
		                     &inquiry->recipient, 1, check);
	*check = check_decide(*category, scores, check_lists(*category, lists));
	return RESULT_OK;
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
