// Undoing an import. What it did is known from the audit and from what record_choices.lua remembered of its silent
// writes; so a look finds the steps, and then a script that is given their lists as keys takes them back.
#include "consent/choice.h"
#include "consent/import_job.h"

#include <string.h>

STORE_SCRIPT(undo_import, "common/consent/undo_import.lua");

#define ENTRIES_A_LOOK 5000 // of the audit: as in audit.c
#define STEPS_A_SCRIPT 1000
#define STEP_ARGUMENTS 4
#define FIXED_KEYS 5
#define FIXED_ARGUMENTS 3
#define LOOK_MEMORY ((size_t)4 << 20)
#define ALL_OF_THE_AUDIT SLICE("-")
#define IS_RAISED SLICE("raised")
#define SOURCE SLICE("undo")
#define STEP_NAME "undo"
#define COUNTER "choices_undone"
#define TOPIC_LIST_PREFIX "customerio_"

// One write of the import: the score that it led to and the one before.
struct step {
	struct slice list, recipient, led_to, was;
};

struct undo {
	struct store *store;
	struct arena *arena; // reset after each look
	struct slice project, id;
	struct category_list categories;
	enum result (*between)(void *context);
	void *context;

	int partition;
	struct key_name audit, sendback, import, raised, sums;
	struct slice first, last; // the import's audit entries; data NULL: there are none
	struct slice stands;      // the entry down to which it is undone; data NULL: not begun
};

static enum result undo_look(struct undo *undo)
{
	const struct reply *reply;
	arena_reset(undo->arena);
	if (undo->between != NULL)
		TRY(undo->between(undo->context));
	TRY(store_call(undo->store, undo->arena, &reply,
	               ARGUMENTS(SLICE("HMGET"), key_slice(&undo->import), SLICE("first"), SLICE("last"),
	                         SLICE("undo"))));
	undo->first = reply_text(reply_at(reply, 0));
	undo->last = reply_text(reply_at(reply, 1));
	undo->stands = reply_text(reply_at(reply, 2));
	return RESULT_OK;
}

// The category whose choices are in this list; one that nobody has made yet is a topic's.
static struct category undo_category_of(const struct undo *undo, struct slice list)
{
	for (size_t i = 0; i < undo->categories.count; i++) {
		if (slice_equal(undo->categories.items[i].list, list))
			return undo->categories.items[i];
	}
	if (slice_equal(list, category_all.list))
		return category_all;
	if (slice_equal(list, category_complaint.list))
		return category_complaint;
	struct category nameless = {.list = list, .subscribed_by_default = true};
	if (slice_starts_with(list, SLICE(TOPIC_LIST_PREFIX)))
		nameless.topic = slice_from(list, sizeof(TOPIC_LIST_PREFIX) - 1);
	return nameless;
}

// The arguments of one run of the script.
struct run {
	struct slice *lists, *arguments;
	size_t *numbers; // which list each step is of, beginning at 1
	size_t list_count, count;
};

static size_t run_add_list(struct run *run, struct slice list)
{
	for (size_t i = run->list_count; i-- > 0;) {
		if (slice_equal(run->lists[i], list))
			return i + 1;
	}
	run->lists[run->list_count++] = list;
	return run->list_count;
}

static enum result run_put_lists(struct run *run, struct undo *undo)
{
	for (size_t i = 0; i < run->list_count; i++) {
		struct key_name key = partition_key(undo->project, undo->partition, "optouts:", run->lists[i]);
		struct category category = undo_category_of(undo, run->lists[i]);
		struct slice *name = &run->arguments[FIXED_KEYS + i];
		struct slice *text = &run->arguments[FIXED_KEYS + run->list_count + FIXED_ARGUMENTS + i];
		*name = arena_copy(undo->arena, key_slice(&key));
		*text = choice_list_text(undo->arena, &category);
		if (name->data == NULL || text->data == NULL)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

static enum result run_put_steps(struct run *run, struct undo *undo, const struct step *steps, size_t count)
{
	struct slice *next = run->arguments + run->count;
	for (size_t i = 0; i < count; i++) {
		*next = arena_format(undo->arena, "%zu", run->numbers[i]);
		if (next->data == NULL)
			return RESULT_NO_MEMORY;
		next[1] = steps[i].recipient;
		next[2] = steps[i].led_to;
		next[3] = steps[i].was;
		next += STEP_ARGUMENTS;
	}
	run->count += STEP_ARGUMENTS * count;
	return RESULT_OK;
}

static enum result run_prepare(struct run *run, struct undo *undo, const struct step *steps, size_t count,
                               struct slice after)
{
	*run = (struct run){
		.lists = arena_array(undo->arena, count + 1, sizeof(struct slice)),
		.numbers = arena_array(undo->arena, count + 1, sizeof(size_t)),
		.arguments = arena_array(undo->arena, FIXED_KEYS + FIXED_ARGUMENTS + (2 + STEP_ARGUMENTS) * count,
	                                 sizeof(struct slice)),
	};
	if (run->lists == NULL || run->numbers == NULL || run->arguments == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		run->numbers[i] = run_add_list(run, steps[i].list);
	const struct slice keys[FIXED_KEYS] = {key_slice(&undo->audit), key_slice(&undo->sendback),
	                                       key_slice(&undo->import), key_slice(&undo->raised),
	                                       key_slice(&undo->sums)};
	const struct slice head[FIXED_ARGUMENTS] = {undo->id, undo->stands, after};
	memcpy(run->arguments, keys, sizeof(keys));
	memcpy(run->arguments + FIXED_KEYS + run->list_count, head, sizeof(head));
	run->count = FIXED_KEYS + FIXED_ARGUMENTS + 2 * run->list_count;
	TRY(run_put_lists(run, undo));
	return run_put_steps(run, undo, steps, count);
}

// Takes the steps back. *stands false when another was faster, so that this has to look again.
static enum result undo_steps(struct undo *undo, const struct step *steps, size_t count, struct slice after,
                              bool *stands)
{
	struct run run;
	const struct reply *reply;
	TRY(run_prepare(&run, undo, steps, count, after));
	store_send_script(undo->store, &undo_import, FIXED_KEYS + run.list_count, run.arguments, run.count);
	TRY(store_receive(undo->store, undo->arena, &reply));
	*stands = reply_integer(reply) >= 0;
	undo->stands = after;
	return RESULT_OK;
}

static struct slice entry_value(const struct reply *entry, size_t index)
{
	return reply_text(reply_at(reply_at(entry, 1), 2 * index + 1));
}

// The fields of an audit entry, see consent/audit.h.
enum { VALUE_RECIPIENT, VALUE_CATEGORY, VALUE_OLD, VALUE_NEW, VALUE_SOURCE, VALUE_REFERENCE };

// False for what others wrote, and for notes, which are no choices.
static bool step_read(const struct undo *undo, const struct reply *entry, struct step *step)
{
	*step = (struct step){
		.list = entry_value(entry, VALUE_CATEGORY),
		.recipient = entry_value(entry, VALUE_RECIPIENT),
		.led_to = entry_value(entry, VALUE_NEW),
		.was = entry_value(entry, VALUE_OLD),
	};
	return slice_equal(entry_value(entry, VALUE_REFERENCE), undo->id) &&
	       !slice_equal(entry_value(entry, VALUE_SOURCE), SOURCE) &&
	       !slice_equal(step->list, category_bounced.list) && !slice_equal(step->list, category_dropped.list);
}

// Takes back what `entries`, newest first, show of the import; `after` is where it stands then.
static enum result undo_entries(struct undo *undo, const struct reply *entries, struct slice after)
{
	struct step *steps = arena_array(undo->arena, STEPS_A_SCRIPT, sizeof(*steps));
	size_t count = 0;
	bool stands = true;
	if (steps == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < reply_count(entries) && stands; i++) {
		const struct reply *entry = reply_at(entries, i);
		if (!step_read(undo, entry, &steps[count]) || ++count < STEPS_A_SCRIPT)
			continue;
		TRY(undo_steps(undo, steps, count, reply_text(reply_at(entry, 0)), &stands));
		count = 0;
	}
	return stands ? undo_steps(undo, steps, count, after, &stands) : RESULT_OK;
}

static enum result undo_next_entries(struct undo *undo)
{
	const struct reply *entries;
	struct slice many = arena_format(undo->arena, "%d", ENTRIES_A_LOOK), from = undo->last;
	if (!slice_is_empty(undo->stands))
		from = arena_format(undo->arena, "(%.*s", (int)undo->stands.length, undo->stands.data);
	if (many.data == NULL || from.data == NULL)
		return RESULT_NO_MEMORY;
	struct slice audit = key_slice(&undo->audit);
	TRY(store_call(undo->store, undo->arena, &entries,
	               ARGUMENTS(SLICE("XREVRANGE"), audit, from, undo->first, SLICE("COUNT"), many)));
	size_t count = reply_count(entries);
	if (count < ENTRIES_A_LOOK)
		return undo_entries(undo, entries, ALL_OF_THE_AUDIT);
	return undo_entries(undo, entries, reply_text(reply_at(reply_at(entries, count - 1), 0)));
}

static enum result undo_audit(struct undo *undo)
{
	TRY(undo_look(undo));
	while (undo->first.data != NULL && !slice_equal(undo->stands, ALL_OF_THE_AUDIT)) {
		TRY(undo_next_entries(undo));
		TRY(undo_look(undo));
	}
	return RESULT_OK;
}

// What is left of the silent writes: those of recipients of whom the audit shows nothing.
static enum result undo_raised(struct undo *undo)
{
	size_t count = STEPS_A_SCRIPT;
	while (count == STEPS_A_SCRIPT) {
		const struct reply *fields;
		bool stands;
		TRY(undo_look(undo));
		struct slice many = arena_format(undo->arena, "%d", STEPS_A_SCRIPT);
		struct step *steps = arena_array(undo->arena, STEPS_A_SCRIPT, sizeof(*steps));
		if (steps == NULL || many.data == NULL)
			return RESULT_NO_MEMORY;
		TRY(store_call(undo->store, undo->arena, &fields,
		               ARGUMENTS(SLICE("HRANDFIELD"), key_slice(&undo->raised), many)));
		count = reply_count(fields);
		for (size_t i = 0; i < count; i++) {
			struct slice rest = reply_text(reply_at(fields, i));
			steps[i] = (struct step){.list = slice_split(&rest, '\n'), .was = IS_RAISED};
			steps[i].recipient = slice_split(&rest, '\n');
			steps[i].led_to = rest;
		}
		TRY(undo_steps(undo, steps, count, undo->stands, &stands));
	}
	return RESULT_OK;
}

static enum result undo_partition(struct undo *undo, int partition)
{
	undo->partition = partition;
	undo->audit = partition_key(undo->project, partition, "audit", SLICE(""));
	undo->sendback = partition_key(undo->project, partition, "sendback", SLICE(""));
	undo->import = partition_key(undo->project, partition, "import:", undo->id);
	undo->raised = partition_key(undo->project, partition, "raised:", undo->id);
	undo->sums = partition_key(undo->project, partition, "sums", SLICE(""));
	TRY(undo_audit(undo));
	return undo_raised(undo);
}

static enum result undo_partitions(struct undo *undo, struct arena *arena)
{
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		TRY(import_progress(undo->store, arena, undo->project, undo->id, STEP_NAME, p, PROJECT_PARTITIONS, NULL,
		                    0));
		TRY(undo_partition(undo, p));
	}
	return RESULT_OK;
}

static enum result undo_count(struct undo *undo, struct arena *arena, int64_t *undone)
{
	*undone = 0;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(undo->project, p, "import:", undo->id);
		const struct reply *reply;
		TRY(store_call(undo->store, arena, &reply,
		               ARGUMENTS(SLICE("HGET"), key_slice(&key), SLICE("undone"))));
		*undone += reply_integer(reply);
	}
	return RESULT_OK;
}

enum result import_undo(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        int64_t now_ms, enum result (*between)(void *context), void *context)
{
	AUTO(arena_auto) struct arena *look = arena_new(LOOK_MEMORY);
	struct undo undo = {.store = store,
	                    .arena = look,
	                    .project = project,
	                    .id = id,
	                    .between = between,
	                    .context = context};
	struct import_job job;
	struct import_counter undone = {.name = COUNTER};
	if (look == NULL)
		return RESULT_NO_MEMORY;
	TRY(import_job_load(store, arena, project, id, &job));
	if (job.status == IMPORT_UNDONE)
		return RESULT_OK;
	TRY(category_list_load(store, arena, project, &undo.categories));
	TRY(undo_partitions(&undo, arena));
	TRY(undo_count(&undo, arena, &undone.value));
	TRY(import_progress(store, arena, project, id, STEP_NAME, PROJECT_PARTITIONS, PROJECT_PARTITIONS, &undone, 1));
	return import_finish(store, arena, project, id, IMPORT_UNDONE, (struct slice){NULL, 0}, now_ms);
}
