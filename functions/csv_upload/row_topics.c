// The topics of a row: those in its preferences, and those that have a column of their own.
#include "customerio/subscription_preferences.h"
#include "row.h"

static enum result row_learn_topics(struct upload *upload, const struct row_topic *topics, size_t count)
{
	struct slice *unknown = arena_array(upload->scratch, count + 1, sizeof(*unknown));
	const struct category *category;
	size_t unknown_count = 0;
	if (unknown == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		if (!topic_book_find(&upload->topics, topics[i].topic, &category))
			unknown[unknown_count++] = topics[i].topic;
	}
	if (unknown_count == 0)
		return RESULT_OK;
	TRY(batch_wait(upload));
	return topic_book_learn(&upload->topics, upload->scratch, unknown, unknown_count);
}

enum result row_choose_topics(struct upload *upload, struct row *row, const struct row_topic *topics, size_t count)
{
	TRY(row_learn_topics(upload, topics, count));
	for (size_t i = 0; i < count; i++) {
		const struct category *category = NULL;
		topic_book_find(&upload->topics, topics[i].topic, &category);
		if (category == NULL)
			row_refuse_naming(upload, row, "there are too many unknown topics for", topics[i].topic);
		else
			TRY(row_choose(upload, row, category, topics[i].value));
	}
	return RESULT_OK;
}

enum result row_take_topics(struct upload *upload, struct row *row)
{
	const struct column_set *set = &upload->columns.of[COLUMN_TOPIC];
	size_t count = 0;
	if (set->count == 0)
		return RESULT_OK;
	struct row_topic *topics = arena_array(upload->scratch, set->count, sizeof(*topics));
	if (topics == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < set->count; i++) {
		struct slice cell = column_cell(&set->items[i], row->cells);
		bool is_in = slice_equal_ignoring_case(cell, SLICE("true"));
		if (slice_is_empty(cell))
			continue;
		if (set->items[i].topic.data == NULL)
			row_refuse(row, "a column of topics names no topic");
		else if (!is_in && !slice_equal_ignoring_case(cell, SLICE("false")))
			row_refuse_naming(upload, row, "neither true nor false", set->items[i].topic);
		else
			topics[count++] = (struct row_topic){set->items[i].topic, is_in ? CHOICE_IN : CHOICE_OUT};
	}
	return row_choose_topics(upload, row, topics, count);
}

static enum result row_take_object(struct upload *upload, struct row *row,
                                   const struct topic_preferences *preferences)
{
	struct row_topic *topics = arena_array(upload->scratch, preferences->count + 1, sizeof(*topics));
	size_t count = 0;
	if (topics == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < preferences->count; i++) {
		const struct topic_preference *preference = &preferences->items[i];
		if (preference->state == TOPIC_UNCLEAR) {
			row_refuse_naming(upload, row, "neither true nor false", preference->topic);
		} else if (!topic_is_valid(upload->scratch, preference->topic, &topics[count].topic)) {
			row_refuse_naming(upload, row, "not a topic", preference->topic);
		} else {
			topics[count].value = preference->state == TOPIC_OUT ? CHOICE_OUT : CHOICE_IN;
			count++;
		}
	}
	return row_choose_topics(upload, row, topics, count);
}

enum result row_take_preferences(struct upload *upload, struct row *row)
{
	const struct column_set *set = &upload->columns.of[COLUMN_PREFERENCES];
	for (size_t i = 0; i < set->count; i++) {
		struct slice cell = column_cell(&set->items[i], row->cells);
		struct topic_preferences preferences;
		enum result result = subscription_preferences_read_text(upload->scratch, cell, &preferences);
		if (result == RESULT_TOO_LARGE) {
			row_refuse(row, "cio_subscription_preferences has more than 16384 values");
			continue;
		}
		if (result == RESULT_MALFORMED) {
			row_refuse(row, "cio_subscription_preferences is no JSON object with topics");
			continue;
		}
		TRY(result);
		TRY(row_take_object(upload, row, &preferences));
	}
	return RESULT_OK;
}
