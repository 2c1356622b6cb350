#include "customerio/verdict.h"

#include "base/buffer.h"
#include "codec/json.h"

#include <string.h>

#define DETAIL_MAXIMUM 200    // bytes of an answer's own words
#define SENTENCE_MAXIMUM 1024 // bytes

static enum result verdict_of_status(int status)
{
	switch (status) {
	case 401:
		return RESULT_UNAUTHENTICATED;
	case 403:
		return RESULT_FORBIDDEN;
	case 404:
		return RESULT_NOT_FOUND;
	case 429:
		return RESULT_LIMITED;
	case 408:
	case 425:
		return RESULT_UNAVAILABLE;
	default:
		break;
	}
	switch (status / 100) {
	case 2:
		return RESULT_OK;
	case 3:
		return RESULT_CONFLICT;
	case 5:
		return RESULT_UNAVAILABLE;
	default:
		return RESULT_INVALID;
	}
}

static const char *verdict_words(enum result result)
{
	switch (result) {
	case RESULT_UNAUTHENTICATED:
		return "refused the credentials";
	case RESULT_FORBIDDEN:
		return "does not allow this with these credentials";
	case RESULT_NOT_FOUND:
		return "does not know what was asked for";
	case RESULT_LIMITED:
		return "is asked too often";
	case RESULT_UNAVAILABLE:
		return "fails";
	case RESULT_CONFLICT:
		return "sends us to another host, as it does when the region is another";
	default:
		return "refused the request";
	}
}

// An error in any of the three shapes that Customer.io's APIs use.
static struct slice verdict_find_detail(struct arena *arena, struct slice body)
{
	const struct json *value;

	if (json_parse(arena, body, &value, NULL) != RESULT_OK)
		return SLICE("");
	const struct json *meta = json_get(value, "meta"), *first = json_at(json_get(value, "errors"), 0);
	const struct json *places[] = {
		json_get(first, "detail"),
		json_get(first, "message"),
		json_get(meta, "error"),
		json_at(json_get(meta, "errors"), 0),
	};
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		if (!slice_is_empty(json_text(places[i])))
			return json_text(places[i]);
	}
	return SLICE("");
}

// Neither the secret nor an address: sentences go into logs.
static bool verdict_may_quote(const struct verdict *verdict, struct slice detail)
{
	if (slice_contains(detail, '@'))
		return false;
	for (size_t i = 0; i < detail.length; i++) {
		if ((unsigned char)detail.data[i] < ' ' || detail.data[i] == 0x7f)
			return false;
	}
	return detail.length > 0 && detail.length <= DETAIL_MAXIMUM &&
	       (verdict->secret.length == 0 ||
	        memmem(detail.data, detail.length, verdict->secret.data, verdict->secret.length) == NULL);
}

static void verdict_say(struct verdict *verdict, const char *words, struct slice detail)
{
	struct buffer *text = buffer_new(verdict->arena, SENTENCE_MAXIMUM);

	verdict->sentence = SLICE("Customer.io cannot be used: out of memory.");
	if (text == NULL)
		return;
	buffer_append_text(text, "Customer.io's ");
	buffer_append_text(text, verdict->api);
	buffer_append_byte(text, ' ');
	buffer_append_text(text, words);
	if (verdict_may_quote(verdict, detail)) {
		buffer_append_text(text, ": ");
		buffer_append(text, detail);
	}
	buffer_append_byte(text, '.');
	if (!buffer_failed(text))
		verdict->sentence = buffer_slice(text);
}

enum result verdict_of(struct verdict *verdict, enum result called, const struct http_answer *answer)
{
	verdict->sentence = SLICE("");
	if (called != RESULT_OK) {
		if (!slice_is_empty(answer->fault))
			verdict_say(verdict, "cannot be reached", answer->fault);
		return called;
	}
	enum result result = verdict_of_status(answer->status);
	if (result != RESULT_OK) {
		struct slice words = arena_format(verdict->arena, "%s (%d)", verdict_words(result), answer->status);

		verdict_say(verdict, words.data, verdict_find_detail(verdict->arena, answer->body));
	}
	return result;
}

enum result verdict_malformed(struct verdict *verdict, struct slice reason)
{
	verdict_say(verdict, "gave an answer that cannot be read", reason);
	return RESULT_MALFORMED;
}
