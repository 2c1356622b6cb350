// Customer.io's subscription topics become categories.
#include "run.h"

#include "consent/category_import.h"

#define STEP "topics"

static enum result topic_import(struct run *run, struct category_list *list, const struct app_topic *topic)
{
	enum category_change change;
	struct slice canonical;
	if (!topic_is_valid(run->page, topic->identifier, &canonical))
		return run_warn(run, STEP, SLICE("A topic was left out: its identifier is not of the form topic_1."));
	struct topic_description description = {
		.topic = canonical,
		.name = topic->name,
		.description = topic->description,
		.public_description = slice_is_empty(topic->public_description) ? topic->description
		                                                                : topic->public_description,
		.subscribed_by_default = topic->subscribed_by_default,
		.transactional = topic->transactional,
	};
	enum result result = category_import(run->store, run->page, run->project, run->id, list, &description, &change);
	if (result == RESULT_LIMITED)
		return run_warn(run, STEP, SLICE("Topics were left out: the project has 10,000 categories, the most "
		                                 "it can have."));
	TRY(result);
	run->counters[CATEGORIES_CREATED] += change == CATEGORY_CREATED;
	run->counters[CATEGORIES_UPDATED] += change == CATEGORY_UPDATED;
	return RESULT_OK;
}

enum result run_topics(struct run *run)
{
	const struct app_topic *topics;
	struct category_list list;
	size_t count;
	TRY(run_save(run, STEP, 0, 0, NULL, 0));
	TRY(app_api_topics(&run->api, run->page, &topics, &count));
	TRY(category_list_load(run->store, run->page, run->project, &list));
	run->counters[TOPICS_FOUND] = (int64_t)count;
	run->counters[CATEGORIES_CREATED] = run->counters[CATEGORIES_UPDATED] = 0;
	for (size_t i = 0; i < count; i++) {
		TRY(topic_import(run, &list, &topics[i]));
		TRY(run_save(run, STEP, (int64_t)i + 1, (int64_t)count, NULL, 0));
	}
	return RESULT_OK;
}
