// People: who is globally unsubscribed, and what one of them chose.
#include "customerio/app_api.h"

#include "codec/encode.h"
#include "customerio/app_call.h"

#define UNSUBSCRIBED_FILTER \
	"{\"filter\":{\"attribute\":{\"field\":\"unsubscribed\",\"operator\":\"eq\",\"value\":true}}}"

static const char *const app_id_types[] = {
	[APP_ID] = "id",
	[APP_EMAIL] = "email",
	[APP_CIO_ID] = "cio_id",
};

// The three identifiers are members of one object, each null or absent where the person has none.
static enum result app_read_person(struct arena *arena, const struct json *value, struct app_person *person)
{
	person->email = app_read_text(arena, json_get(value, "email"));
	person->id = app_read_text(arena, json_get(value, "id"));
	person->cio_id = app_read_text(arena, json_get(value, "cio_id"));
	if (person->email.data == NULL || person->id.data == NULL || person->cio_id.data == NULL)
		return RESULT_NO_MEMORY;
	return json_is_object(value) ? RESULT_OK : RESULT_MALFORMED;
}

static enum result app_read_people(struct arena *arena, const struct json *list, struct app_page *page)
{
	struct app_person *people = arena_array(arena, json_count(list), sizeof(*people));

	if (people == NULL)
		return RESULT_NO_MEMORY;
	page->people = people;
	page->count = json_count(list);
	for (size_t i = 0; i < page->count; i++)
		TRY(app_read_person(arena, json_at(list, i), &people[i]));
	return RESULT_OK;
}

// An empty list may be null.
static enum result app_read_page(struct arena *arena, const struct json *value, void *out)
{
	const struct json *list = json_get(value, "identifiers"), *next = json_get(value, "next");
	struct app_page *page = out;

	if (!json_is_array(list) && !json_is_null(list))
		return RESULT_MALFORMED;
	if (next != NULL && !json_is_text(next) && !json_is_null(next))
		return RESULT_MALFORMED;
	TRY(app_read_people(arena, list, page));
	page->next = json_text(next);
	return RESULT_OK;
}

enum result app_api_unsubscribed(struct app_api *api, struct arena *arena, struct slice start, struct app_page *page)
{
	struct slice encoded = encode_percent(arena, start);
	struct slice path = arena_format(arena, "/v1/customers?limit=%d%s%.*s", APP_PAGE_PEOPLE,
	                                 slice_is_empty(start) ? "" : "&start=", (int)encoded.length, encoded.data);
	struct app_page read;

	if (encoded.data == NULL || path.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(app_call(api, arena,
	             &(struct app_request){.path = path,
	                                   .body = SLICE(UNSUBSCRIBED_FILTER),
	                                   .read = app_read_page,
	                                   .out = &read}));
	*page = read;
	return RESULT_OK;
}

// An attribute is a text, whatever it was set to.
static bool app_is_true(const struct json *value)
{
	return json_is_true(value) || slice_equal_ignoring_case(json_text(value), SLICE("true")) ||
	       slice_equal(json_text(value), SLICE("1"));
}

// Identifiers stand at "identifiers", older answers have an id beside it only.
static enum result app_read_identifiers(struct arena *arena, const struct json *value, struct app_person *person)
{
	const struct json *identifiers = json_get(value, "identifiers");

	if (!json_is_object(value))
		return RESULT_MALFORMED;
	return app_read_person(arena, json_is_object(identifiers) ? identifiers : value, person);
}

static enum result app_read_customer(struct arena *arena, const struct json *value, void *out)
{
	const struct json *inside = json_get(value, "customer"), *attributes = json_get(inside, "attributes");
	const struct json *preferences = json_get(attributes, "cio_subscription_preferences");
	const struct json *unsubscribed = json_get(inside, "unsubscribed");
	struct app_customer *customer = out;

	TRY(app_read_identifiers(arena, inside, &customer->person));
	if (!json_is_object(attributes))
		return RESULT_MALFORMED;
	if (slice_is_empty(customer->person.email))
		customer->person.email = json_text(json_get(attributes, "email"));
	customer->unsubscribed = app_is_true(unsubscribed) || app_is_true(json_get(attributes, "unsubscribed"));
	if (preferences == NULL || json_is_null(preferences))
		return RESULT_OK;
	enum result result = subscription_preferences_read(arena, preferences, &customer->preferences);
	return result == RESULT_MALFORMED ? RESULT_INVALID : result;
}

static enum result app_read_state(struct arena *arena, const struct json *value, struct topic_preference *preference)
{
	const struct json *subscribed = json_get(value, "subscribed");
	int64_t id;

	if (!app_read_id(json_get(value, "id"), &id) || !json_is_boolean(subscribed))
		return RESULT_MALFORMED;
	preference->topic = arena_format(arena, "topic_%lld", (long long)id);
	preference->state = json_is_true(subscribed) ? TOPIC_IN : TOPIC_OUT;
	return preference->topic.data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result app_read_preferences(struct arena *arena, const struct json *value, void *out)
{
	const struct json *inside = json_get(value, "customer"), *topics = json_get(inside, "topics");
	struct app_customer *customer = out;

	TRY(app_read_identifiers(arena, inside, &customer->person));
	if (!json_is_array(topics) && !json_is_null(topics))
		return RESULT_MALFORMED;
	customer->unsubscribed = app_is_true(json_get(inside, "unsubscribed"));
	customer->preferences.count = json_count(topics);
	customer->preferences.items =
		arena_array(arena, customer->preferences.count, sizeof(*customer->preferences.items));
	if (customer->preferences.items == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < customer->preferences.count; i++)
		TRY(app_read_state(arena, json_at(topics, i), &customer->preferences.items[i]));
	return RESULT_OK;
}

// As a segment of a path "." and ".." would lead elsewhere, even encoded.
static bool app_can_be_asked_for(struct slice identifier)
{
	return !slice_is_empty(identifier) && !slice_equal(identifier, SLICE(".")) &&
	       !slice_equal(identifier, SLICE(".."));
}

static enum result app_ask_for_person(struct app_api *api, struct arena *arena, enum app_id_type type,
                                      struct slice identifier, const char *what, app_reader *read,
                                      struct app_customer *customer)
{
	struct slice encoded = encode_percent(arena, identifier);
	struct slice path = arena_format(arena, "/v1/customers/%.*s/%s?id_type=%s", (int)encoded.length, encoded.data,
	                                 what, app_id_types[type]);
	struct app_customer found = {0};

	if (encoded.data == NULL || path.data == NULL)
		return RESULT_NO_MEMORY;
	api->fault = SLICE("There can be nobody of that name.");
	if (!app_can_be_asked_for(identifier))
		return RESULT_NOT_FOUND;
	TRY(app_call(api, arena, &(struct app_request){.path = path, .read = read, .out = &found}));
	*customer = found;
	return RESULT_OK;
}

enum result app_api_customer(struct app_api *api, struct arena *arena, enum app_id_type type, struct slice identifier,
                             struct app_customer *customer)
{
	return app_ask_for_person(api, arena, type, identifier, "attributes", app_read_customer, customer);
}

enum result app_api_preferences(struct app_api *api, struct arena *arena, enum app_id_type type,
                                struct slice identifier, struct app_customer *customer)
{
	return app_ask_for_person(api, arena, type, identifier, "subscription_preferences", app_read_preferences,
	                          customer);
}
