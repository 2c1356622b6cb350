// A reporting webhook: a line that is its signature, a line that is its timestamp, then the body.
#include "codec/encode.h"
#include "customerio/subscription_preferences.h"
#include "customerio/webhook_event.h"
#include "fuzz.h"

#define YEAR_9999_S INT64_C(253402300799)

static void fuzz_signature(struct arena *arena, struct slice header)
{
	unsigned char signature[32];

	if (!webhook_signature_read(header, signature))
		return;
	struct slice hex = encode_hex(arena, (struct slice){(const char *)signature, sizeof(signature)});
	REQUIRE(slice_equal_ignoring_case(hex, header));
}

static void fuzz_timestamp(struct slice header)
{
	int64_t seconds = -1;

	if (webhook_timestamp_read(header, &seconds))
		REQUIRE(header.length > 0 && seconds >= 0 && seconds <= YEAR_9999_S);
	else
		REQUIRE(seconds == -1);
}

static void fuzz_body(struct arena *arena, struct slice body)
{
	struct webhook_event event;
	struct slice reason = {NULL, 0};
	struct topic_preferences preferences;

	if (webhook_event_read(arena, body, &event, &reason) != RESULT_OK) {
		REQUIRE(reason.length > 0);
		return;
	}
	REQUIRE(event.metric <= WEBHOOK_OTHER && event.metric_name.length > 0);
	REQUIRE(!webhook_metric_is_preference(event.metric) || event.metric != WEBHOOK_OTHER);
	REQUIRE(event.event_id.length <= WEBHOOK_EVENT_ID_MAXIMUM);
	REQUIRE(event.timestamp_s >= 0 && event.timestamp_s <= YEAR_9999_S);
	REQUIRE(slice_is_utf8(event.address) && slice_is_utf8(event.id) && slice_is_utf8(event.event_id));
	if (event.content)
		(void)subscription_preferences_read(arena, event.content, &preferences);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice rest = fuzz_slice(data, size);

	fuzz_signature(arena, slice_split(&rest, '\n'));
	fuzz_timestamp(slice_split(&rest, '\n'));
	fuzz_body(arena, rest);
	return 0;
}
