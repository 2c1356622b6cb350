#include "customerio/webhook_event.h"

#define TIMESTAMP_MAXIMUM_S INT64_C(253402300799) // the last second of the year 9999

struct metric_entry {
	struct slice name;
	enum webhook_metric metric;
	bool email_only; // other channels report it too, where it says nothing about consent to e-mail
};

static const struct metric_entry metric_table[] = {
	{SLICE("subscribed"), WEBHOOK_SUBSCRIBED, false},
	{SLICE("unsubscribed"), WEBHOOK_UNSUBSCRIBED, false},
	{SLICE("cio_subscription_preferences_changed"), WEBHOOK_PREFERENCES_CHANGED, false},
	{SLICE("spammed"), WEBHOOK_SPAMMED, true},
	{SLICE("bounced"), WEBHOOK_BOUNCED, true},
	{SLICE("dropped"), WEBHOOK_DROPPED, true},
};

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool webhook_signature_read(struct slice header, unsigned char signature[static 32])
{
	unsigned char bytes[32];
	if (header.length != 2 * sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		int high = hex_digit(header.data[2 * i]);
		int low = hex_digit(header.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (unsigned char)(high * 16 + low);
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		signature[i] = bytes[i];
	return true;
}

bool webhook_timestamp_read(struct slice header, int64_t *seconds)
{
	if (slice_is_empty(header))
		return false;
	for (size_t i = 0; i < header.length; i++) {
		if (header.data[i] < '0' || header.data[i] > '9')
			return false;
	}
	*seconds = 0;
	slice_to_integer(header, 1, TIMESTAMP_MAXIMUM_S, seconds);
	return true;
}

// The subscription metrics name their channel in either member (the vendor's schema has both), or in none.
static bool event_is_email(const struct json *body)
{
	struct slice type = json_text(json_get(body, "object_type"));
	if (slice_is_empty(type))
		type = json_text(json_get(body, "object_type_type"));
	return slice_is_empty(type) || slice_equal(type, SLICE("email"));
}

static enum webhook_metric metric_read(const struct json *body, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(metric_table); i++) {
		const struct metric_entry *entry = &metric_table[i];
		if (slice_equal(entry->name, name))
			return entry->email_only && !event_is_email(body) ? WEBHOOK_OTHER : entry->metric;
	}
	return WEBHOOK_OTHER;
}

static struct slice address_read(const struct json *data)
{
	const struct json *places[] = {
		json_get(data, "email_address"),
		json_get(json_get(data, "identifiers"), "email"),
		json_get(data, "recipient"),
	};
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		struct slice address = slice_trim(json_text(places[i]));
		if (!slice_is_empty(address))
			return address;
	}
	return (struct slice){NULL, 0};
}

static enum result id_read(struct arena *arena, const struct json *id, struct slice *text)
{
	int64_t number;
	if (!json_to_integer(id, INT64_MIN, INT64_MAX, &number)) {
		*text = slice_trim(json_text(id));
		return RESULT_OK;
	}
	*text = arena_format(arena, "%lld", (long long)number);
	return text->data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

static const struct json *content_read(const struct json *content)
{
	bool is_blank = json_is_text(content) && slice_is_empty(slice_trim(json_text(content)));
	return is_blank || json_is_null(content) ? NULL : content;
}

enum result webhook_event_read(struct arena *arena, struct slice body, struct webhook_event *event,
                               struct slice *reason)
{
	const struct json *value = NULL;
	TRY(json_parse(arena, body, &value, reason));
	struct slice metric_name = json_text(json_get(value, "metric"));
	if (slice_is_empty(metric_name)) {
		*reason = SLICE("not an object with a metric");
		return RESULT_MALFORMED;
	}
	const struct json *data = json_get(value, "data");
	struct slice id;
	TRY(id_read(arena, json_get(json_get(data, "identifiers"), "id"), &id));

	*event = (struct webhook_event){
		.metric = metric_read(value, metric_name),
		.metric_name = metric_name,
		.address = address_read(data),
		.id = id,
		.content = content_read(json_get(data, "content")),
	};
	struct slice event_id = json_text(json_get(value, "event_id"));
	if (event_id.length <= WEBHOOK_EVENT_ID_MAXIMUM)
		event->event_id = event_id;
	json_to_integer(json_get(value, "timestamp"), 1, TIMESTAMP_MAXIMUM_S, &event->timestamp_s);
	return RESULT_OK;
}

bool webhook_metric_is_preference(enum webhook_metric metric)
{
	switch (metric) {
	case WEBHOOK_SUBSCRIBED:
	case WEBHOOK_UNSUBSCRIBED:
	case WEBHOOK_PREFERENCES_CHANGED:
	case WEBHOOK_SPAMMED:
		return true;
	case WEBHOOK_BOUNCED:
	case WEBHOOK_DROPPED:
	case WEBHOOK_OTHER:
	default:
		return false;
	}
}
