// What is recorded of a person's preferences: each topic that was chosen, and $all, as of the event.
//
// Customer.io's state is that of a moment after the event's second (see lookups.c). So where an `out` wins only because
// it counts as the end of just that second, and Customer.io says in, the `in` is recorded 1 ms later: of two opposite
// events in one second the last one wins. An `out` of any other time stays as the rule has it. And as long as
// Customer.io is still to be told of something, its `in` may be older than that and is not taken: better an opt-in
// missed than an opt-out lost. (Only an `out` made here within that very second, on top of a reported one, cannot be
// told from it.)
#include "consent/optouts.h"
#include "question.h"

// Records again, right after its second, each `in` over which the end of that second has won. After the first time, so
// that an `out` which is reported meanwhile either is seen here or finds the `in` and has Customer.io asked again.
static enum result question_settle_second(struct question *question, struct choice *choices, size_t count)
{
	int64_t end_ms = choice_second_ms(question->lookup->made_at_ms / 1000, CHOICE_OUT);
	struct slice *lists = arena_array(question->arena, count + 1, sizeof(*lists));
	int64_t *scores = arena_array(question->arena, count + 1, sizeof(*scores));
	size_t settled = 0;

	if (lists == NULL || scores == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		lists[i] = choices[i].category->list;
	TRY(optouts_choices_of(question->api->store, question->arena, question->api->project, choices[0].recipient,
	                       lists, count, scores));
	for (size_t i = 0; i < count; i++) {
		if (choices[i].value != CHOICE_IN || scores[i] != end_ms)
			continue;
		choices[settled] = choices[i];
		choices[settled++].made_at_ms = end_ms + 1;
	}
	return settled > 0 ? question_record(question, choices, settled) : RESULT_OK;
}

// The clear ones, each with the value of its choice.
static size_t question_read_topics(struct question *question, const struct topic_preferences *preferences,
                                   struct slice *topics, struct choice *choices)
{
	size_t count = 0;

	for (size_t i = 0; i < preferences->count; i++) {
		const struct topic_preference *preference = &preferences->items[i];

		if (preference->state == TOPIC_UNCLEAR ||
		    !topic_is_valid(question->arena, preference->topic, &topics[count]))
			continue;
		choices[count++].value = preference->state == TOPIC_OUT ? CHOICE_OUT : CHOICE_IN;
	}
	return count;
}

// Gives each choice the category of its topic: NULL where there is no room for more unknown ones.
static enum result question_find_categories(struct question *question, const struct slice *topics,
                                            struct choice *choices, size_t count)
{
	const struct category **found = arena_array(question->arena, count + 1, sizeof(*found));
	struct app_api *api = question->api;
	struct category_list list;

	if (found == NULL)
		return RESULT_NO_MEMORY;
	TRY(category_list_load(api->store, question->arena, api->project, &list));
	TRY(categories_for_topics(api->store, question->arena, api->project, &list, topics, count, found));
	for (size_t i = 0; i < count; i++)
		choices[i].category = found[i];
	return RESULT_OK;
}

enum result question_record_state(struct question *question, const struct app_customer *customer,
                                  struct slice recipient, bool to_be_told)
{
	size_t room = customer->preferences.count + 1, kept = 0;
	struct slice *topics = arena_array(question->arena, room, sizeof(*topics));
	struct choice *choices = arena_array(question->arena, room, sizeof(*choices));

	if (topics == NULL || choices == NULL)
		return RESULT_NO_MEMORY;
	size_t count = question_read_topics(question, &customer->preferences, topics, choices);
	TRY(question_find_categories(question, topics, choices, count));
	choices[count].value = customer->unsubscribed ? CHOICE_OUT : CHOICE_IN;
	choices[count++].category = &category_all;
	for (size_t i = 0; i < count; i++) {
		struct choice choice = choices[i];

		choice.recipient = recipient;
		choice.made_at_ms = choice_second_ms(question->lookup->made_at_ms / 1000, choice.value);
		if (choice.category != NULL && (choice.value == CHOICE_OUT || !to_be_told))
			choices[kept++] = choice;
	}
	if (kept == 0)
		return RESULT_OK;
	TRY(question_record(question, choices, kept));
	return question_settle_second(question, choices, kept);
}
