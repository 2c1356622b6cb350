// What a change of somebody's subscription preferences does: one choice for each topic.
#include "application.h"

#include "customerio/subscription_preferences.h"

// Gives each choice the category of its topic; drops those that no room is left for.
static enum result apply_find_categories(struct application *application, const struct slice *topics,
                                         struct choice *choices, size_t *count)
{
	struct category_list list;
	const struct category **found = arena_array(application->arena, *count + 1, sizeof(*found));
	if (found == NULL)
		return RESULT_NO_MEMORY;
	struct slice project = application->delivery->project;
	TRY(category_list_load(application->store, application->arena, project, &list));
	TRY(categories_for_topics(application->store, application->arena, project, &list, topics, *count, found));
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++) {
		if (found[i] == NULL) {
			apply_quarantine(application, "too many unknown topics");
			continue;
		}
		choices[kept] = choices[i];
		choices[kept++].category = found[i];
	}
	*count = kept;
	return RESULT_OK;
}

static enum result apply_topics(struct application *application, const struct topic_preferences *preferences)
{
	struct slice *topics = arena_array(application->arena, preferences->count + 1, sizeof(*topics));
	struct choice *choices = arena_array(application->arena, preferences->count + 1, sizeof(*choices));
	if (topics == NULL || choices == NULL)
		return RESULT_NO_MEMORY;
	size_t count = 0;
	for (size_t i = 0; i < preferences->count; i++) {
		const struct topic_preference *preference = &preferences->items[i];
		if (preference->state == TOPIC_UNCLEAR)
			apply_quarantine(application, "topic neither true nor false");
		else if (!topic_is_valid(application->arena, preference->topic, &topics[count]))
			apply_quarantine(application, "not a topic");
		else
			choices[count++] = apply_choice(application, NULL,
			                                preference->state == TOPIC_OUT ? CHOICE_OUT : CHOICE_IN);
	}
	if (count == 0)
		return RESULT_OK;
	TRY(apply_find_categories(application, topics, choices, &count));
	return apply_choices(application, choices, count);
}

enum result apply_preferences(struct application *application)
{
	const struct json *content = application->effect->event.content;
	if (content == NULL)
		return apply_lookup(application, LOOKUP_PREFERENCES);
	struct topic_preferences preferences;
	enum result result = subscription_preferences_read(application->arena, content, &preferences);
	if (result == RESULT_MALFORMED) {
		apply_quarantine(application, "content not readable");
		return RESULT_OK;
	}
	TRY(result);
	return apply_topics(application, &preferences);
}
