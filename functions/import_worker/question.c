// Preferences are asked for by address, or by id and then recorded for both. An address is asked for by id: what stands
// under the id is recorded for the address too, as of its own time.
#include "question.h"

#include "consent/optouts.h"
#include "project/project.h"

#include <stdlib.h>

static const struct choice_origin question_origin = {
	.act = ACT_DATED, .source = {"webhook", 7}, .reference = {"look-up", 7}};

static enum result question_put(struct question *question, enum app_id_type type, struct app_customer *customer)
{
	struct app_api *api = question->api;
	struct slice name;

	question->answer = app_api_customer(api, question->arena, type, question->lookup->identifier, customer);
	if (question->answer == RESULT_OK)
		return project_get(api->store, question->arena, api->project, &name);
	// An answer over our limits has no sentence, and is not the store's failure either.
	bool is_ours = slice_is_empty(api->fault) && question->answer != RESULT_TOO_LARGE;
	return is_ours ? question->answer : RESULT_OK;
}

static bool question_is_about_address(const struct question *question)
{
	return slice_contains(question->lookup->identifier, '@');
}

// An id may look like an address.
static enum result question_put_for_person(struct question *question, struct app_customer *customer)
{
	if (!question_is_about_address(question))
		return question_put(question, APP_ID, customer);
	TRY(question_put(question, APP_EMAIL, customer));
	return question->answer == RESULT_NOT_FOUND ? question_put(question, APP_ID, customer) : RESULT_OK;
}

enum result question_record(struct question *question, const struct choice *choices, size_t count)
{
	enum choice_outcome *outcomes = arena_array(question->arena, count + 1, sizeof(*outcomes));

	if (outcomes == NULL)
		return RESULT_NO_MEMORY;
	return choices_record(question->api->store, question->arena, question->api->project, NULL, &question_origin,
	                      choices, count, outcomes);
}

static enum result question_is_to_be_told(struct question *question, struct slice recipient, bool *is)
{
	return choices_are_to_be_told(question->api->store, question->arena, question->api->project, recipient, is);
}

// What Customer.io was to be told of is looked at before it is asked: had it been told in between, its answer would be
// from before, and nothing would show it. So it is asked again where an id's address is only known from the answer.
static enum result question_ask_preferences(struct question *question)
{
	struct slice recipient = question->lookup->identifier, address;
	bool to_be_told, address_to_be_told;
	struct app_customer customer;

	TRY(question_is_to_be_told(question, recipient, &to_be_told));
	TRY(question_put_for_person(question, &customer));
	if (question->answer != RESULT_OK)
		return RESULT_OK;
	if (question_is_about_address(question) || !recipient_read(question->arena, customer.person.email, &address))
		return question_record_state(question, &customer, recipient, to_be_told);
	TRY(question_is_to_be_told(question, address, &address_to_be_told));
	TRY(question_put(question, APP_ID, &customer));
	if (question->answer != RESULT_OK)
		return RESULT_OK;
	to_be_told = to_be_told || address_to_be_told;
	TRY(question_record_state(question, &customer, recipient, to_be_told));
	return question_record_state(question, &customer, address, to_be_told);
}

// Records under the address what stands under the id.
static enum result question_copy(struct question *question, struct slice address)
{
	struct app_api *api = question->api;
	const struct category **all;
	struct category_list list;
	size_t count, kept = 0;

	TRY(category_list_load(api->store, question->arena, api->project, &list));
	TRY(category_list_everything(api->store, question->arena, api->project, &list, &all, &count));
	struct slice *lists = arena_array(question->arena, count + 1, sizeof(*lists));
	int64_t *scores = arena_array(question->arena, count + 1, sizeof(*scores));
	struct choice *choices = arena_array(question->arena, count + 1, sizeof(*choices));
	if (lists == NULL || scores == NULL || choices == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		lists[i] = all[i]->list;
	TRY(optouts_choices_of(api->store, question->arena, api->project, question->lookup->identifier, lists, count,
	                       scores));
	for (size_t i = 0; i < count; i++) {
		if (scores[i] != 0)
			choices[kept++] = (struct choice){.recipient = address,
			                                  .category = all[i],
			                                  .value = scores[i] > 0 ? CHOICE_OUT : CHOICE_IN,
			                                  .made_at_ms = llabs(scores[i])};
	}
	return question_record(question, choices, kept);
}

static enum result question_ask_address(struct question *question)
{
	struct app_customer customer;
	struct slice address;

	TRY(question_put(question, APP_ID, &customer));
	if (question->answer != RESULT_OK || !recipient_read(question->arena, customer.person.email, &address))
		return RESULT_OK;
	return question_copy(question, address);
}

enum result question_ask(struct question *question)
{
	question->answer = RESULT_OK;
	return question->lookup->kind == LOOKUP_ADDRESS ? question_ask_address(question)
	                                                : question_ask_preferences(question);
}
