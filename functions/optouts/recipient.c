// One recipient: the state of every category, and what is kept of how it came about.
#include "optouts.h"

#include "consent/optouts.h"

#include <stdlib.h>

struct subject {
	struct slice recipient;
	struct category_list list;
	const struct category **categories; // the reserved ones first
	struct slice *lists;
	int64_t *scores;
	size_t count;
	struct audit_entry *history;
	size_t history_count;
	bool history_is_complete;
};

static enum result subject_load_categories(struct request *request, struct subject *subject)
{
	const struct category_list *list = &subject->list;
	TRY(category_list_load(request->store, request->arena, request_project(request), &subject->list));
	subject->count = list->count + 2;
	subject->categories = arena_array(request->arena, subject->count, sizeof(struct category *));
	subject->lists = arena_array(request->arena, subject->count, sizeof(struct slice));
	subject->scores = arena_array(request->arena, subject->count, sizeof(int64_t));
	if (subject->categories == NULL || subject->lists == NULL || subject->scores == NULL)
		return RESULT_NO_MEMORY;
	subject->categories[0] = &category_all;
	subject->categories[1] = &category_complaint;
	for (size_t i = 0; i < list->count; i++)
		subject->categories[2 + i] = &list->items[i];
	for (size_t i = 0; i < subject->count; i++)
		subject->lists[i] = subject->categories[i]->list;
	return RESULT_OK;
}

static enum result subject_load(struct request *request, struct subject *subject)
{
	struct slice project = request_project(request);
	TRY(optouts_identifier(request, request_parameter(request, "identifier"), &subject->recipient));
	TRY(subject_load_categories(request, subject));
	TRY(optouts_choices_of(request->store, request->arena, project, subject->recipient, subject->lists,
	                       subject->count, subject->scores));
	return audit_history(request->store, request->arena, project, subject->recipient, &subject->history,
	                     &subject->history_count, &subject->history_is_complete);
}

// The source of the newest change of this category that brought its present state; data NULL when none is kept.
static struct slice subject_source(const struct subject *subject, size_t index)
{
	for (size_t i = 0; i < subject->history_count; i++) {
		const struct audit_entry *entry = &subject->history[i];
		if (slice_equal(entry->category, subject->lists[index]) &&
		    (entry->new_score > 0) == (subject->scores[index] > 0) && subject->scores[index] != 0)
			return entry->source;
	}
	return (struct slice){NULL, 0};
}

static bool is_out(const struct category *category, int64_t score)
{
	return score > 0 || (score == 0 && !category->subscribed_by_default);
}

static void write_state(struct json_writer *out, const struct subject *subject, size_t index)
{
	const struct category *category = subject->categories[index];
	int64_t score = subject->scores[index];
	json_open_object(out);
	json_member_text(out, "category", category->key);
	json_member_text(out, "name", category->name);
	json_member_text(out, "state", is_out(category, score) ? SLICE("out") : SLICE("in"));
	json_member_time(out, "since", optouts_shown_time(llabs(score)));
	json_member_text(out, "source", subject_source(subject, index));
	json_close_object(out);
}

static void write_entry(struct json_writer *out, const struct subject *subject, const struct audit_entry *entry)
{
	struct slice category = category_key_of_list(&subject->list, entry->category), nobody = {NULL, 0};
	optouts_write_change(out, entry, nobody, category, optouts_shown_time(llabs(entry->new_score)));
}

static enum result show_recipient(struct request *request, struct answer *answer)
{
	struct subject subject;
	TRY(subject_load(request, &subject));
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_text(out, "identifier", subject.recipient);
	json_key(out, "categories");
	json_open_array(out);
	for (size_t i = 0; i < subject.count; i++)
		write_state(out, &subject, i);
	json_close_array(out);
	json_key(out, "history");
	json_open_array(out);
	for (size_t i = 0; i < subject.history_count; i++)
		write_entry(out, &subject, &subject.history[i]);
	json_close_array(out);
	json_member_boolean(out, "history_complete", subject.history_is_complete);
	json_close_object(out);
	return RESULT_OK;
}

const struct endpoint optouts_recipient = {
	.method = "GET",
	.path = "/optouts/{project}/recipients/{identifier}",
	.summary = "One recipient: every category's state with since and source, and the history",
	.access = ROLE_READ,
	.handle = show_recipient,
};
