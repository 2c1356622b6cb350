#include "consent/choice.h"

#include "project/project.h"

#include <stdlib.h>
#include <string.h>

STORE_SCRIPT(record_choices, "common/consent/record_choices.lua");
STORE_SCRIPT(mark_echo, "common/consent/mark_echo.lua");

#define FIXED_KEYS 7
#define FIXED_ARGUMENTS 7
#define CHUNKS_A_PAGE 1000

int64_t choice_second_ms(int64_t seconds, enum choice_value value)
{
	return seconds * 1000 + (value == CHOICE_OUT ? 999 : 0);
}

// A choice on its way into a script, with its place among the caller's.
struct entry {
	const struct choice *choice;
	size_t index;
	int partition;
};

// One run of the script: some entries of one partition, and which categories they are of.
struct run {
	const struct entry *entries;
	size_t count;
};

struct recording {
	struct store *store;
	struct arena *arena;
	struct slice project;
	const struct category_list *live;
	const struct choice_origin *origin;
	struct run *runs;
	size_t run_count;
};

static int entry_compare_partition(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;
	if (first->partition != second->partition)
		return first->partition - second->partition;
	return (first->index > second->index) - (first->index < second->index);
}

// Choices of one category side by side make one long group of them. The order between categories matters only where
// one choice can pin others.
static int entry_compare_category(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;
	if (first->partition != second->partition)
		return first->partition - second->partition;
	int order = slice_compare(first->choice->category->list, second->choice->category->list);
	return order != 0 ? order : entry_compare_partition(a, b);
}

struct slice choice_list_text(struct arena *arena, const struct category *category)
{
	static const char kinds[] = {[CATEGORY_MARKETING] = 'm', [CATEGORY_TRANSACTIONAL] = 't',
	                             [CATEGORY_GLOBAL] = 'a',
	                             [CATEGORY_COMPLAINT] = 'c', [CATEGORY_NOTE] = 'n'};
	char kind = category->type == CATEGORY_MARKETING && category->archived ? 'x' : kinds[category->type];
	bool told = category->type == CATEGORY_GLOBAL ||
	            (category->type == CATEGORY_MARKETING && !slice_is_empty(category->topic));
	return arena_format(arena, "%c%c%c%.*s", category->subscribed_by_default ? 'i' : 'o', told ? '1' : '0', kind,
	                    (int)category->list.length, category->list.data);
}

// The categories that a run names, each once; their places are the script's list numbers.
struct category_set {
	const struct category **items;
	size_t count;
};

// Looks through the first `known` items only.
static size_t category_set_add(struct category_set *set, size_t known, const struct category *category)
{
	for (size_t i = known; i-- > 0;) {
		if (set->items[i] == category || slice_equal(set->items[i]->list, category->list))
			return i;
	}
	set->items[set->count] = category;
	return set->count++;
}

static bool run_may_pin(const struct recording *recording, const struct run *run)
{
	if (recording->origin->act != ACT_DIRECT || recording->live == NULL)
		return false;
	for (size_t i = 0; i < run->count; i++) {
		const struct choice *choice = run->entries[i].choice;
		if (choice->value == CHOICE_IN && choice->category->type == CATEGORY_MARKETING)
			return true;
	}
	return false;
}

static enum result run_gather(struct recording *recording, const struct run *run, struct category_set *set,
                              size_t *list_numbers)
{
	bool pins = run_may_pin(recording, run);
	size_t capacity = run->count + (pins ? recording->live->count + 1 : 0);
	set->items = arena_array(recording->arena, capacity, sizeof(struct category *));
	if (set->items == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < run->count; i++)
		list_numbers[i] = category_set_add(set, set->count, run->entries[i].choice->category) + 1;
	if (!pins)
		return RESULT_OK;
	size_t named = set->count;
	category_set_add(set, named, &category_all);
	for (size_t i = 0; i < recording->live->count; i++) {
		const struct category *category = &recording->live->items[i];
		if (category->type == CATEGORY_MARKETING && !category->archived)
			category_set_add(set, named, category);
	}
	return RESULT_OK;
}

static struct slice choice_score(struct arena *arena, const struct choice *choice)
{
	long long made_at = choice->made_at_ms < 1 ? 1 : (long long)choice->made_at_ms;
	return arena_format(arena, "%lld", choice->value == CHOICE_OUT ? made_at : -made_at);
}

static size_t run_put_groups(struct arena *arena, const struct run *run, const size_t *list_numbers,
                             struct slice *arguments)
{
	size_t used = 0;
	for (size_t from = 0, end; from < run->count; from = end) {
		for (end = from + 1; end < run->count && list_numbers[end] == list_numbers[from]; end++)
			;
		arguments[used++] = arena_format(arena, "%zu", list_numbers[from]);
		arguments[used++] = arena_format(arena, "%zu", end - from);
		for (size_t i = from; i < end; i++)
			arguments[used++] = choice_score(arena, run->entries[i].choice);
		for (size_t i = from; i < end; i++)
			arguments[used++] = run->entries[i].choice->recipient;
	}
	return used;
}

// NULL is the sign that there was no memory, so nothing else may look like it.
static struct slice text_or_empty(struct slice text)
{
	return text.length > 0 ? text : SLICE("");
}

static struct slice copy_key(struct arena *arena, struct key_name name)
{
	return arena_copy(arena, key_slice(&name));
}

static void run_put_head(struct recording *recording, const struct run *run, int64_t page,
                         const struct category_set *set, struct slice *arguments)
{
	static const char *const acts[] = {[ACT_DATED] = "dated", [ACT_DIRECT] = "direct", [ACT_REPORT] = "report"};
	const struct choice_origin *origin = recording->origin;
	struct arena *arena = recording->arena;
	int partition = run->entries[0].partition;
	const struct {
		const char *suffix;
		struct slice rest;
	} keys[FIXED_KEYS] = {{"audit", SLICE("")},   {"sendback", SLICE("")},      {"echoes", SLICE("")},
	                      {"lookups", SLICE("")}, {"import:", origin->import},  {"sums", SLICE("")},
	                      {"raised:", origin->import}};
	for (size_t i = 0; i < FIXED_KEYS; i++)
		arguments[i] = copy_key(arena, partition_key(recording->project, partition, keys[i].suffix,
		                                             keys[i].rest));
	struct slice *head = arguments + FIXED_KEYS + set->count;
	head[0] = slice_of(acts[origin->act]);
	head[1] = text_or_empty(origin->source);
	head[2] = text_or_empty(origin->reference);
	head[3] = text_or_empty(origin->event);
	head[4] = origin->send_back ? SLICE("1") : SLICE("0");
	head[5] = slice_is_empty(origin->import) ? SLICE("") : arena_format(arena, "%lld", (long long)page);
	head[6] = origin->dry_run ? SLICE("1") : SLICE("0");
	for (size_t i = 0; i < set->count; i++) {
		arguments[FIXED_KEYS + i] = copy_key(arena, partition_key(recording->project, partition, "optouts:",
		                                                          set->items[i]->list));
		head[FIXED_ARGUMENTS + i] = choice_list_text(arena, set->items[i]);
	}
}

static bool slices_are_whole(const struct slice *slices, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slices[i].data == NULL)
			return false;
	}
	return true;
}

static enum result run_send(struct recording *recording, const struct run *run, int64_t page)
{
	struct category_set set = {NULL, 0};
	size_t *list_numbers = arena_array(recording->arena, run->count, sizeof(*list_numbers));
	if (list_numbers == NULL)
		return RESULT_NO_MEMORY;
	TRY(run_gather(recording, run, &set, list_numbers));
	size_t head = FIXED_KEYS + FIXED_ARGUMENTS + 2 * set.count;
	struct slice *arguments = arena_array(recording->arena, head + 4 * run->count, sizeof(*arguments));
	if (arguments == NULL)
		return RESULT_NO_MEMORY;
	run_put_head(recording, run, page, &set, arguments);
	size_t count = head + run_put_groups(recording->arena, run, list_numbers, arguments + head);
	if (!slices_are_whole(arguments, count))
		return RESULT_NO_MEMORY;
	store_send_script(recording->store, &record_choices, FIXED_KEYS + set.count, arguments, count);
	return RESULT_OK;
}

static enum result run_receive(struct recording *recording, const struct run *run, enum choice_outcome *outcomes)
{
	const struct reply *reply;
	TRY(store_receive(recording->store, recording->arena, &reply));
	struct slice answer = reply_text(reply);
	bool skipped = slice_equal(answer, SLICE("-")) && !slice_is_empty(recording->origin->import);
	if (!skipped && answer.length != run->count)
		return RESULT_UNAVAILABLE;
	for (size_t i = 0; i < run->count; i++)
		outcomes[run->entries[i].index] = (enum choice_outcome)(skipped ? CHOICE_SKIPPED : answer.data[i]);
	return RESULT_OK;
}

// Cuts the sorted entries into runs. Runs of one partition are numbered, since each counts as a page of its own.
static enum result recording_send(struct recording *recording, const struct entry *entries, size_t count)
{
	size_t chunk = 0;
	recording->runs = arena_array(recording->arena, count / CHOICES_A_SCRIPT + PROJECT_PARTITIONS + 1,
	                              sizeof(struct run));
	if (recording->runs == NULL)
		return RESULT_NO_MEMORY;
	for (size_t from = 0, end; from < count; from = end) {
		for (end = from + 1; end < count && end - from < CHOICES_A_SCRIPT; end++) {
			if (entries[end].partition != entries[from].partition)
				break;
		}
		bool same = from > 0 && entries[from - 1].partition == entries[from].partition;
		chunk = same ? chunk + 1 : 0;
		if (recording->origin->page > 0 && chunk >= CHUNKS_A_PAGE)
			return RESULT_TOO_LARGE;
		int64_t page = recording->origin->page > 0
		                       ? (recording->origin->page - 1) * CHUNKS_A_PAGE + (int64_t)chunk + 1
		                       : 0;
		struct run *run = &recording->runs[recording->run_count++];
		*run = (struct run){entries + from, end - from};
		TRY(run_send(recording, run, page));
	}
	return RESULT_OK;
}

enum result choices_are_to_be_told(struct store *store, struct arena *arena, struct slice project,
                                   struct slice recipient, bool *are)
{
	struct key_name sendback = partition_key(project, partition_of(recipient), "sendback", SLICE(""));
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("ZSCORE"), key_slice(&sendback), recipient)));
	*are = !reply_is_null(reply);
	return RESULT_OK;
}

enum result choices_mark_echo(struct store *store, struct arena *arena, struct slice project,
                              const struct choice *choice)
{
	struct key_name echoes = partition_key(project, partition_of(choice->recipient), "echoes", SLICE(""));
	struct slice made_at = arena_format(arena, "%lld", (long long)choice->made_at_ms);
	if (made_at.data == NULL)
		return RESULT_NO_MEMORY;
	const struct reply *reply;
	store_send_script(store, &mark_echo, 1,
	                  ARGUMENTS(key_slice(&echoes), choice->recipient, choice->category->list,
	                            choice->value == CHOICE_OUT ? SLICE("out") : SLICE("in"), made_at));
	return store_receive(store, arena, &reply);
}

enum result choices_send(struct store *store, struct arena *arena, struct slice project,
                         const struct category_list *live, const struct choice_origin *origin,
                         const struct choice *choices, size_t count, struct recording **sent)
{
	struct recording *recording = arena_alloc(arena, sizeof(*recording));
	struct entry *entries = arena_array(arena, count + 1, sizeof(*entries));
	if (recording == NULL || entries == NULL)
		return RESULT_NO_MEMORY;
	*recording = (struct recording){
		.store = store, .arena = arena, .project = project, .live = live, .origin = origin};
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct entry){&choices[i], i, partition_of(choices[i].recipient)};
	qsort(entries, count, sizeof(*entries),
	      origin->act == ACT_DIRECT ? entry_compare_partition : entry_compare_category);
	TRY(recording_send(recording, entries, count));
	store_push(store);
	*sent = recording;
	return RESULT_OK;
}

enum result choices_receive(struct recording *recording, enum choice_outcome *outcomes)
{
	for (size_t i = 0; i < recording->run_count; i++)
		TRY(run_receive(recording, &recording->runs[i], outcomes));
	return RESULT_OK;
}

enum result choices_record(struct store *store, struct arena *arena, struct slice project,
                           const struct category_list *live, const struct choice_origin *origin,
                           const struct choice *choices, size_t count, enum choice_outcome *outcomes)
{
	struct recording *recording;
	TRY(choices_send(store, arena, project, live, origin, choices, count, &recording));
	return choices_receive(recording, outcomes);
}
