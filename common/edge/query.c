#include "edge/query.h"

#include "codec/encode.h"
#include "edge/field.h"

struct query_pair {
	struct slice name;  // decoded
	struct slice value; // as sent
};

// *pair has a name with data NULL behind the last one.
static enum result query_next(struct arena *arena, struct slice *rest, struct query_pair *pair)
{
	*pair = (struct query_pair){{NULL, 0}, {NULL, 0}};
	while (rest->data != NULL) {
		struct slice value = slice_split(rest, '&');

		if (value.length == 0)
			continue;
		struct slice name = slice_split(&value, '=');
		pair->value = value;
		return decode_percent(arena, name, true, &pair->name);
	}
	return RESULT_OK;
}

// In an address, and before a phone number, a '+' is meant: people paste them as they are, and to ask for somebody else
// instead could let mail through. Elsewhere it is a space, as forms send it.
static enum result query_decode(struct arena *arena, const struct field *field, struct slice sent, struct slice *value)
{
	struct slice decoded;

	if (field->type == FIELD_RECIPIENT) {
		TRY(decode_percent(arena, sent, false, &decoded));
		if (slice_contains(decoded, '@') || slice_starts_with(decoded, SLICE("+"))) {
			*value = decoded;
			return RESULT_OK;
		}
	}
	return decode_percent(arena, sent, true, value);
}

static enum result query_check_pair(struct request *request, const struct query_pair *pair, bool *seen)
{
	const struct endpoint *endpoint = request->endpoint;
	const struct field *field = field_find(endpoint->query, endpoint->query_count, pair->name);
	struct slice value;

	if (field == NULL) {
		field_refuse_unknown(request, pair->name);
		return RESULT_OK;
	}
	bool *seen_before = &seen[field - endpoint->query];
	if (*seen_before) {
		refuse_field(request, field->name, "is there twice");
		return RESULT_OK;
	}
	*seen_before = true;
	TRY(query_decode(request->arena, field, pair->value, &value));
	field_check_query(request, field, value);
	return RESULT_OK;
}

static enum result query_check_pairs(struct request *request, bool *seen)
{
	struct slice rest = request->query;

	for (;;) {
		struct query_pair pair;

		TRY(query_next(request->arena, &rest, &pair));
		if (pair.name.data == NULL)
			return RESULT_OK;
		TRY(query_check_pair(request, &pair, seen));
	}
}

enum result query_check(struct request *request)
{
	const struct endpoint *endpoint = request->endpoint;
	bool *seen = arena_array(request->arena, endpoint->query_count + 1, sizeof(*seen));

	if (endpoint->any_query)
		return RESULT_OK;
	if (seen == NULL)
		return RESULT_NO_MEMORY;
	enum result result = query_check_pairs(request, seen);
	if (result == RESULT_MALFORMED)
		return refuse(request, result, "The query has a '%' without two hexadecimal digits.");
	TRY(result);
	for (size_t i = 0; i < endpoint->query_count; i++) {
		if (endpoint->query[i].required && !seen[i])
			refuse_field(request, endpoint->query[i].name, "is missing");
	}
	return RESULT_OK;
}

struct slice request_query(const struct request *request, const char *name)
{
	const struct endpoint *endpoint = request->endpoint;
	const struct field *field = field_find(endpoint->query, endpoint->query_count, slice_of(name));
	struct slice rest = request->query, value = {NULL, 0};
	struct query_pair pair;

	while (field != NULL && query_next(request->arena, &rest, &pair) == RESULT_OK && pair.name.data != NULL) {
		if (!slice_equal(pair.name, slice_of(name)))
			continue;
		if (query_decode(request->arena, field, pair.value, &value) == RESULT_OK && value.data == NULL)
			value.data = "";
		break;
	}
	return value;
}

int64_t request_query_integer(const struct request *request, const char *name, int64_t otherwise)
{
	int64_t value;

	return slice_to_integer(request_query(request, name), INT64_MIN, INT64_MAX, &value) ? value : otherwise;
}
