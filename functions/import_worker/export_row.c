// One row of an export of people: whom it is about and, in cio_subscription_preferences, what they chose.
#include "export_file.h"

static enum result row_choose(struct export_file *file, struct slice recipient, const struct category *category,
                              enum topic_state state)
{
	// Whoever is in anyway needs no choice; an `in` is the weakest there is, so that it never brings anybody back.
	if (category == NULL || (state == TOPIC_IN && category->subscribed_by_default))
		return RESULT_OK;
	if (file->count == EXPORT_CHOICES)
		TRY(export_file_record(file));
	file->choices[file->count++] = (struct choice){
		.recipient = recipient,
		.category = category,
		.value = state == TOPIC_OUT ? CHOICE_OUT : CHOICE_IN,
		.made_at_ms = state == TOPIC_OUT ? file->as_of_ms : CHOICE_WEAKEST_MS,
	};
	return RESULT_OK;
}

static enum result row_find_category(struct export_file *file, struct slice topic, const struct category **category)
{
	if (topic_book_find(&file->topics, topic, category))
		return RESULT_OK;
	TRY(topic_book_learn(&file->topics, file->run->page, &topic, 1));
	topic_book_find(&file->topics, topic, category);
	return RESULT_OK;
}

static enum result row_take_preferences(struct export_file *file, struct slice recipient,
                                        const struct topic_preferences *preferences)
{
	bool is_out = false, is_odd = false;
	for (size_t i = 0; i < preferences->count; i++) {
		const struct topic_preference *preference = &preferences->items[i];
		const struct category *category = NULL;
		struct slice topic;
		bool is_topic = preference->state != TOPIC_UNCLEAR &&
		                topic_is_valid(file->run->page, preference->topic, &topic);
		is_odd |= !is_topic;
		if (!is_topic)
			continue;
		TRY(row_find_category(file, topic, &category));
		TRY(row_choose(file, recipient, category, preference->state));
		is_odd |= category == NULL;
		is_out |= category != NULL && preference->state == TOPIC_OUT;
	}
	file->run->counters[USERS_WITH_OPTOUTS] += is_out;
	file->faults += is_odd;
	return RESULT_OK;
}

static struct slice row_field(const struct csv_row *row, size_t column)
{
	return column < row->count ? row->fields[column] : SLICE("");
}

enum result export_row_take(struct export_file *file, const struct csv_row *row)
{
	struct run *run = file->run;
	struct topic_preferences preferences;
	struct slice recipient, email = row->kind == CSV_ROW ? row_field(row, file->email) : SLICE("");
	file->rows++;
	run->counters[CUSTOMERS_PROCESSED]++;
	if (row->kind == CSV_FAULT || !recipient_read(run->page, email, &recipient)) {
		file->faults += row->kind == CSV_FAULT || !slice_is_empty(slice_trim(email));
		run->counters[PEOPLE_WITHOUT_EMAIL] += row->kind == CSV_ROW && slice_is_empty(slice_trim(email));
		return RESULT_OK;
	}
	enum result result = subscription_preferences_read_text(run->page, row_field(row, file->preferences),
	                                                        &preferences);
	if (result == RESULT_MALFORMED || result == RESULT_TOO_LARGE) {
		file->faults++;
		return RESULT_OK;
	}
	TRY(result);
	return row_take_preferences(file, recipient, &preferences);
}
