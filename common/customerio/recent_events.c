#include "customerio/recent_events.h"

#include "base/clock.h"
#include "codec/encode.h"
#include "project/project.h"

#define FIELD_MAXIMUM 128 // bytes of a field that somebody else chose
#define ALLOWANCES 64     // projects whose floods are told apart
#define PAUSE_US 100000   // between the notes of a flood

static struct slice recent_clip(struct slice text)
{
	return (struct slice){text.data, text.length < FIELD_MAXIMUM ? text.length : FIELD_MAXIMUM};
}

// The first character only, not the first byte: half a character would not be text.
static size_t first_character_length(struct slice text)
{
	size_t length = 1;
	while (length < text.length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
		length++;
	return length;
}

static struct slice recipient_mask(struct arena *arena, struct slice recipient)
{
	if (slice_is_empty(recipient))
		return recipient;
	struct slice domain = recipient;
	struct slice name = slice_split(&domain, '@');
	int first = slice_is_empty(name) ? 0 : (int)first_character_length(name);
	return arena_format(arena, "%.*s…%s%.*s", first, name.data, domain.data != NULL ? "@" : "", (int)domain.length,
	                    domain.data != NULL ? domain.data : "");
}

// Each note takes PAUSE_US of an account that fills by itself and holds RECENT_EVENTS_KEPT of them.
static bool recent_is_allowed(struct slice project)
{
	static int64_t spent_until_us[ALLOWANCES];
	int64_t *spent_until = &spent_until_us[encode_crc16(project) % ALLOWANCES];
	int64_t full = clock_monotonic_us() - (int64_t)RECENT_EVENTS_KEPT * PAUSE_US;
	if (*spent_until < full)
		*spent_until = full;
	if (*spent_until >= full + (int64_t)RECENT_EVENTS_KEPT * PAUSE_US)
		return false;
	*spent_until += PAUSE_US;
	return true;
}

void recent_event_note(struct store *store, struct arena *arena, struct slice project,
                       const struct recent_event *event)
{
	if (!recent_is_allowed(project))
		return;
	struct key_name stream = project_key(project, "recent");
	struct slice kept = arena_format(arena, "%d", RECENT_EVENTS_KEPT);
	struct slice recipient = recipient_mask(arena, event->recipient);
	struct slice made_at = arena_format(arena, "%lld", (long long)event->made_at_ms);
	store_send(store, ARGUMENTS(SLICE("XADD"), key_slice(&stream), SLICE("MAXLEN"), SLICE("~"), kept,
	                            SLICE("*"), SLICE("event_id"), recent_clip(event->event_id), SLICE("metric"),
	                            recent_clip(event->metric), SLICE("status"), event->status, SLICE("recipient"),
	                            recipient, SLICE("made_at"), made_at));
}

// What is empty was not known.
static void recent_member(struct json_writer *out, const char *name, struct slice text)
{
	json_member_text(out, name, slice_is_empty(text) ? (struct slice){NULL, 0} : text);
}

static void recent_event_write(const struct reply *entry, struct json_writer *out)
{
	const struct reply *fields = reply_at(entry, 1);
	struct slice ms = reply_text(reply_at(entry, 0));
	int64_t received_at_ms = 0;
	slice_to_integer(slice_split(&ms, '-'), 0, INT64_MAX, &received_at_ms);
	json_open_object(out);
	json_member_time(out, "received_at", received_at_ms);
	recent_member(out, "event_id", reply_text(reply_at(fields, 1)));
	recent_member(out, "metric", reply_text(reply_at(fields, 3)));
	recent_member(out, "recipient", reply_text(reply_at(fields, 7)));
	json_member_time(out, "made_at", reply_integer(reply_at(fields, 9)));
	recent_member(out, "status", reply_text(reply_at(fields, 5)));
	json_close_object(out);
}

enum result recent_events_write(struct store *store, struct arena *arena, struct slice project, size_t limit,
                                struct json_writer *out)
{
	struct key_name stream = project_key(project, "recent");
	struct slice most = arena_format(arena, "%zu", limit);
	if (most.data == NULL)
		return RESULT_NO_MEMORY;
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("XREVRANGE"), key_slice(&stream), SLICE("+"), SLICE("-"),
	                                               SLICE("COUNT"), most)));
	json_open_object(out);
	json_key(out, "results");
	json_open_array(out);
	for (size_t i = 0; i < reply_count(reply); i++)
		recent_event_write(reply_at(reply, i), out);
	json_close_array(out);
	json_key(out, "next_cursor");
	json_write_null(out);
	json_close_object(out);
	return RESULT_OK;
}
