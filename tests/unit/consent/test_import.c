// The course of an import: ids, start, progress, end, errors, the list, what is forgotten. Undo: see test_undo.c.
#include "../../support/fixture.h"
#include "base/clock.h"
#include "consent/choice.h"
#include "consent/import.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW_MS INT64_C(1732285840123)
#define CSV "csv"
#define JO SLICE("jo@example.com")
#define NONE ((struct slice){NULL, 0})

static const struct category offers = {
	.key = {"offers", 6}, .list = {"offers", 6}, .subscribed_by_default = true};

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(import, .init = set_up, .fini = tear_down, .timeout = 120);

static struct slice new_id(void)
{
	struct slice id = import_new_id(f.arena, NOW_MS);
	cr_assert(import_id_is_valid(id));
	return id;
}

static enum result start(struct slice id, int64_t now_ms)
{
	return import_start(f.store, f.arena, f.project, id, CSV, now_ms);
}

static struct slice started(void)
{
	struct slice id = new_id();
	cr_assert(start(id, NOW_MS) == RESULT_OK);
	return id;
}

static enum result finish(struct slice id, enum import_status status, struct slice error)
{
	return import_finish(f.store, f.arena, f.project, id, status, error, NOW_MS + 5000);
}

static const struct json *shown(struct slice id)
{
	const struct json *json;
	struct buffer *text = buffer_new(f.arena, 1 << 16);
	struct json_writer out = json_writer_on(text);
	cr_assert(import_write(f.store, f.arena, f.project, id, &out) == RESULT_OK);
	cr_assert(json_parse(f.arena, buffer_slice(text), &json, NULL) == RESULT_OK);
	return json;
}

static void expect_text(struct slice id, const char *member, const char *wanted)
{
	const struct json *value = json_get(shown(id), member);
	struct slice text = json_text(value);
	if (wanted == NULL)
		cr_assert(json_is_null(value), "%s", member);
	else
		cr_assert(slice_equal(text, slice_of(wanted)), "%s is %.*s", member, (int)text.length, text.data);
}

static int64_t number_in(const struct json *object, const char *name)
{
	int64_t number = -1;
	json_to_integer(json_get(object, name), 0, INT64_MAX, &number);
	return number;
}

static struct slice job_key(struct slice id, const char *suffix)
{
	return arena_format(f.arena, "cb:{%.*s}:job:%.*s%s", (int)f.project.length, f.project.data, (int)id.length,
	                    id.data, suffix);
}

// As if its process had gone so long ago.
static void fall_silent(struct slice id, int64_t for_ms)
{
	int64_t now;
	cr_assert(store_time_ms(f.store, f.arena, &now) == RESULT_OK);
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), job_key(id, ""), SLICE("seen_at"),
	                              arena_format(f.arena, "%lld", (long long)(now - for_ms))));
}

static bool exists(struct slice key)
{
	return reply_integer(fixture_command(&f, ARGUMENTS(SLICE("EXISTS"), key))) == 1;
}

static struct slice partition_name(int partition, const char *suffix, struct slice id)
{
	struct key_name key = partition_key(f.project, partition, suffix, id);
	return arena_copy(f.arena, key_slice(&key));
}

Test(import, ids_are_ulids)
{
	struct slice id = import_new_id(f.arena, 0), other = import_new_id(f.arena, 0);
	cr_assert(id.length == IMPORT_ID_LENGTH && slice_starts_with(id, SLICE("0000000000")));
	cr_assert(!slice_equal(id, other));
	cr_assert(slice_starts_with(import_new_id(f.arena, INT64_C(1469922850259)), SLICE("01ARZ3NDEK")));
	cr_assert(slice_compare(import_new_id(f.arena, NOW_MS), import_new_id(f.arena, NOW_MS + 1)) < 0);
}

Test(import, ids_of_any_other_form_are_none)
{
	static const char *const bad[] = {"", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVX",
	                                  "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU",
	                                  "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FA/"};
	cr_assert(import_id_is_valid(SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
	cr_assert(import_id_is_valid(SLICE("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")));
	cr_assert(!import_id_is_valid((struct slice){"01ARZ3NDEKTSV4RRFFQ69G5F\0V", IMPORT_ID_LENGTH}));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_assert(!import_id_is_valid(slice_of(bad[i])), "%s", bad[i]);
}

Test(import, is_shown_from_start_to_end)
{
	struct slice id = started();
	const struct import_counter counters[] = {{"total_rows", 12}, {"parse_errors", 0}};
	expect_text(id, "id", arena_copy(f.arena, id).data);
	expect_text(id, "kind", "csv");
	expect_text(id, "status", "running");
	expect_text(id, "step", NULL);
	expect_text(id, "error", NULL);
	expect_text(id, "started_at", "2024-11-22T14:30:40.123Z");
	expect_text(id, "ended_at", NULL);
	cr_assert(import_progress(f.store, f.arena, f.project, id, "rows", 5, 100, counters, 2) == RESULT_OK);
	const struct json *json = shown(id);
	expect_text(id, "step", "rows");
	cr_assert(number_in(json_get(json, "progress"), "done") == 5);
	cr_assert(number_in(json_get(json, "progress"), "total") == 100);
	cr_assert(json_count(json_get(json, "result")) == 2 && json_count(json_get(json, "warnings")) == 0);
	cr_assert(number_in(json_get(json, "result"), "total_rows") == 12);
	cr_assert(number_in(json_get(json, "result"), "parse_errors") == 0);
	cr_assert(finish(id, IMPORT_COMPLETED, NONE) == RESULT_OK);
	expect_text(id, "status", "completed");
	expect_text(id, "error", NULL);
	expect_text(id, "ended_at", "2024-11-22T14:30:45.123Z");
	cr_assert(json_count(shown(id)) == 10);
}

Test(import, says_why_it_failed)
{
	struct slice id = started();
	cr_assert(finish(id, IMPORT_FAILED, SLICE("The body ended early.")) == RESULT_OK);
	expect_text(id, "status", "failed");
	expect_text(id, "error", "The body ended early.");
}

Test(import, one_that_nobody_started_is_not_found)
{
	struct slice id = new_id();
	struct json_writer out = json_writer_on(buffer_new(f.arena, 100));
	cr_assert(import_write(f.store, f.arena, f.project, id, &out) == RESULT_NOT_FOUND);
	cr_assert(out.buffer->length == 0);
	cr_assert(import_progress(f.store, f.arena, f.project, id, "rows", 0, 0, NULL, 0) == RESULT_NOT_FOUND);
	cr_assert(finish(id, IMPORT_COMPLETED, NONE) == RESULT_NOT_FOUND);
	cr_assert(import_add_errors(f.store, f.arena, f.project, id, SLICE("x")) == RESULT_NOT_FOUND);
	cr_assert(!exists(job_key(id, "")) && !exists(job_key(id, ":errors")));
}

Test(import, an_id_is_taken_until_it_failed)
{
	struct slice id = started();
	cr_assert(start(id, NOW_MS) == RESULT_CONFLICT, "it runs");
	cr_assert(finish(id, IMPORT_COMPLETED, NONE) == RESULT_OK);
	cr_assert(start(id, NOW_MS) == RESULT_CONFLICT, "it is done");
	cr_assert(finish(id, IMPORT_FAILED, SLICE("cut")) == RESULT_OK);
	cr_assert(start(id, NOW_MS + 1) == RESULT_OK);
	expect_text(id, "status", "running");
	cr_assert(finish(id, IMPORT_CANCELLED, NONE) == RESULT_OK);
	cr_assert(start(id, NOW_MS) == RESULT_CONFLICT, "somebody did not want it");
	cr_assert(finish(id, IMPORT_FAILED, SLICE("cut")) == RESULT_CONFLICT, "and that stays");
}

Test(import, one_whose_process_has_gone_has_failed_and_may_begin_anew)
{
	struct slice id = started();
	fall_silent(id, IMPORT_SILENCE_MS - 5000);
	expect_text(id, "status", "running");
	cr_assert(start(id, NOW_MS) == RESULT_CONFLICT);
	fall_silent(id, IMPORT_SILENCE_MS + 5000);
	expect_text(id, "status", "failed");
	cr_assert(json_text(json_get(shown(id), "error")).length > 0);
	cr_assert(import_progress(f.store, f.arena, f.project, id, "rows", 1, 2, NULL, 0) == RESULT_OK);
	expect_text(id, "status", "running");
	expect_text(id, "error", NULL);
	fall_silent(id, IMPORT_SILENCE_MS + 5000);
	cr_assert(start(id, NOW_MS) == RESULT_OK);
	expect_text(id, "status", "running");
}

static enum choice_outcome record_page(struct slice id, int64_t page, int64_t made_at_ms)
{
	struct choice choice = {JO, &offers, CHOICE_OUT, made_at_ms};
	struct choice_origin origin = {
		.act = ACT_DATED, .source = SLICE("csv"), .reference = id, .import = id, .page = page};
	enum choice_outcome outcome;
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, &choice, 1, &outcome) == RESULT_OK);
	return outcome;
}

Test(import, anew_nothing_is_left_of_the_run_before)
{
	struct slice id = started(), piece;
	const struct import_counter counter = {"total_rows", 12};
	cr_assert(record_page(id, 3, NOW_MS) == CHOICE_CHANGED);
	cr_assert(record_page(id, 3, NOW_MS + 1) == CHOICE_SKIPPED, "a page is applied once");
	import_progress(f.store, f.arena, f.project, id, "rows", 5, 100, &counter, 1);
	import_add_errors(f.store, f.arena, f.project, id, SLICE("line\n"));
	finish(id, IMPORT_FAILED, SLICE("cut"));
	cr_assert(start(id, NOW_MS + 1000) == RESULT_OK);
	cr_assert(json_count(json_get(shown(id), "result")) == 0);
	expect_text(id, "error", NULL);
	expect_text(id, "step", NULL);
	expect_text(id, "ended_at", NULL);
	expect_text(id, "started_at", "2024-11-22T14:30:41.123Z");
	cr_assert(import_errors_piece(f.store, f.arena, f.project, id, 0, &piece) == RESULT_OK && piece.data == NULL);
	cr_assert(record_page(id, 1, NOW_MS + 1) == CHOICE_UNCHANGED, "its pages begin anew too");
}

// Errors.

static size_t errors_length(struct slice id, size_t *pieces)
{
	size_t length = 0;
	for (size_t index = 0;; index++) {
		AUTO(arena_auto) struct arena *arena = arena_new(1 << 20);
		struct slice piece;
		cr_assert(import_errors_piece(f.store, arena, f.project, id, index, &piece) == RESULT_OK);
		cr_assert(piece.length <= IMPORT_ERRORS_PIECE);
		*pieces = index;
		if (piece.data == NULL)
			return length;
		length += piece.length;
	}
}

static void add_errors(struct slice id, size_t length)
{
	char *bytes = arena_alloc(f.arena, length);
	memset(bytes, 'e', length);
	cr_assert(import_add_errors(f.store, f.arena, f.project, id, (struct slice){bytes, length}) == RESULT_OK);
}

Test(import, errors_come_back_as_they_were_added)
{
	struct slice id = started(), piece;
	size_t pieces;
	cr_assert(import_add_errors(f.store, f.arena, f.project, id, SLICE("")) == RESULT_OK);
	cr_assert(errors_length(id, &pieces) == 0 && pieces == 0);
	import_add_errors(f.store, f.arena, f.project, id, SLICE("a\0b\n"));
	import_add_errors(f.store, f.arena, f.project, id, SLICE("c\n"));
	cr_assert(import_errors_piece(f.store, f.arena, f.project, id, 0, &piece) == RESULT_OK);
	cr_assert(slice_equal(piece, SLICE("a\0b\n")));
	cr_assert(import_errors_piece(f.store, f.arena, f.project, id, 1, &piece) == RESULT_OK);
	cr_assert(slice_equal(piece, SLICE("c\n")));
	add_errors(id, IMPORT_ERRORS_PIECE);
	cr_assert(errors_length(id, &pieces) == IMPORT_ERRORS_PIECE + 6 && pieces == 3);
	add_errors(id, IMPORT_ERRORS_PIECE + 1);
	cr_assert(errors_length(id, &pieces) == 2 * IMPORT_ERRORS_PIECE + 7 && pieces == 5);
	int64_t kept =
		reply_integer(fixture_command(&f, ARGUMENTS(SLICE("TTL"), job_key(id, ":errors"))));
	cr_assert(kept > IMPORT_ERRORS_KEPT_S - 60 && kept <= IMPORT_ERRORS_KEPT_S);
}

Test(import, errors_beyond_the_limit_are_left_out_and_a_warning_says_so)
{
	struct slice id = started();
	size_t pieces, most = IMPORT_ERRORS_BYTES;
	add_errors(id, most);
	cr_assert(errors_length(id, &pieces) == most);
	cr_assert(json_count(json_get(shown(id), "warnings")) == 0);
	add_errors(id, 1);
	add_errors(id, 1);
	cr_assert(errors_length(id, &pieces) == most);
	const struct json *warnings = json_get(shown(id), "warnings"), *warning = json_at(warnings, 0);
	cr_assert(json_count(warnings) == 1 && json_text(json_get(warning, "step")).length > 0);
	cr_assert(json_text(json_get(warning, "message")).length > 0 && json_count(warning) == 2);
}

// The list.

static struct slice next;
static size_t list(struct slice cursor, size_t limit, struct slice **ids)
{
	size_t count = 0;
	cr_assert(import_list(f.store, f.arena, f.project, cursor, limit, ids, &count, &next) == RESULT_OK);
	return count;
}

Test(import, the_list_shows_each_once_newest_first)
{
	struct slice ids[7], *found, cursor = SLICE("");
	cr_assert(list(cursor, 100, &found) == 0 && next.data == NULL);
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		ids[i] = new_id();
		// Three at one time.
		cr_assert(start(ids[i], NOW_MS + (i < 3 ? 0 : (int64_t)i)) == RESULT_OK);
	}
	cr_assert(list(cursor, 7, &found) == 7 && next.data == NULL);
	for (size_t limit = 1; limit <= 8; limit++) {
		size_t seen = 0;
		struct slice *page;
		cursor = SLICE("");
		do {
			size_t count = list(cursor, limit, &page);
			cr_assert(count > 0 && count <= limit);
			for (size_t i = 0; i < count; i++)
				cr_assert(slice_equal(page[i], found[seen++]));
			cursor = next;
			if (seen == limit)
				start(new_id(), NOW_MS + 1000); // one that comes in between
		} while (cursor.data != NULL);
		cr_assert(seen == 6 + limit, "%zu", seen);
		list(SLICE(""), 100, &found);
	}
	for (size_t i = 0; i < 4; i++)
		cr_assert(slice_equal(found[8 + i], ids[6 - i]));
}

Test(import, a_cursor_of_another_form_is_none)
{
	static const char *const bad[] = {"x", "-", "1-", "1-x", "-01ARZ3NDEKTSV4RRFFQ69G5FAV",
	                                  "1 01ARZ3NDEKTSV4RRFFQ69G5FAV", "1-01ARZ3NDEKTSV4RRFFQ69G5FAV-"};
	struct slice *ids;
	size_t count;
	cr_assert(list(SLICE("1-01ARZ3NDEKTSV4RRFFQ69G5FAV"), 1, &ids) == 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_assert(import_list(f.store, f.arena, f.project, slice_of(bad[i]), 1, &ids, &count, &next) ==
		                  RESULT_INVALID,
		          "%s", bad[i]);
}

Test(import, the_oldest_that_have_ended_are_forgotten)
{
	struct slice running = new_id(), ended = new_id(), *ids;
	cr_assert(start(running, 1) == RESULT_OK && start(ended, 2) == RESULT_OK);
	record_page(ended, 1, NOW_MS);
	import_add_errors(f.store, f.arena, f.project, ended, SLICE("x"));
	finish(ended, IMPORT_COMPLETED, NONE);
	for (int i = 0; i < IMPORTS_KEPT - 2; i++)
		cr_assert(start(new_id(), NOW_MS + i) == RESULT_OK);
	cr_assert(list(SLICE(""), 2000, &ids) == IMPORTS_KEPT && slice_equal(ids[IMPORTS_KEPT - 2], ended));
	cr_assert(exists(partition_name(partition_of(JO), "import:", ended)));
	cr_assert(start(new_id(), NOW_MS) == RESULT_OK);
	cr_assert(list(SLICE(""), 2000, &ids) == IMPORTS_KEPT + 1, "the oldest runs, and is the only one too many");
	cr_assert(start(new_id(), NOW_MS) == RESULT_OK);
	cr_assert(list(SLICE(""), 2000, &ids) == IMPORTS_KEPT + 1 && slice_equal(ids[IMPORTS_KEPT], running));
	cr_assert(!exists(job_key(ended, "")) && !exists(job_key(ended, ":errors")));
	cr_assert(!exists(partition_name(partition_of(JO), "import:", ended)));
	finish(running, IMPORT_FAILED, NONE);
	cr_assert(start(new_id(), NOW_MS) == RESULT_OK);
	cr_assert(!exists(job_key(running, "")));
}

// Asking for an undo.

static int64_t waiting(struct slice id, bool take)
{
	struct slice text = arena_format(f.arena, "%.*s %.*s", (int)f.project.length, f.project.data, (int)id.length,
	                                 id.data);
	struct slice queue = SLICE(IMPORT_UNDO_QUEUE);
	int64_t removed = reply_integer(fixture_command(&f, ARGUMENTS(SLICE("LREM"), queue, SLICE("0"), text)));
	if (!take && removed > 0)
		fixture_command(&f, ARGUMENTS(SLICE("RPUSH"), queue, text));
	return removed;
}

Test(import, an_undo_is_fenced_queued_and_shown_until_it_is_done)
{
	struct slice id = started();
	finish(id, IMPORT_COMPLETED, NONE);
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_OK);
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		cr_assert(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("HEXISTS"),
		                                                      partition_name(p, "import:", id),
		                                                      SLICE("fence")))) == 1);
	cr_assert(waiting(id, false) == 1);
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_CONFLICT);
	cr_assert(waiting(id, true) == 1);
	expect_text(id, "status", "running");
	expect_text(id, "ended_at", NULL);
	cr_assert(start(id, NOW_MS) == RESULT_CONFLICT);
	cr_assert(import_undo(f.store, f.arena, f.project, id, NOW_MS + 9000, NULL, NULL) == RESULT_OK);
	expect_text(id, "status", "undone");
	expect_text(id, "ended_at", "2024-11-22T14:30:49.123Z");
	cr_assert(number_in(json_get(shown(id), "result"), "choices_undone") == 0);
	cr_assert(finish(id, IMPORT_COMPLETED, NONE) == RESULT_OK, "its process ends late");
	expect_text(id, "status", "undone");
	cr_assert(start(id, NOW_MS) == RESULT_CONFLICT);
}

// Asked for, but the answer was lost before it was noted.
Test(import, an_undo_that_is_asked_for_again_waits_once)
{
	struct slice id = started();
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_OK);
	fixture_command(&f, ARGUMENTS(SLICE("HDEL"), job_key(id, ""), SLICE("undo")));
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_OK);
	cr_assert(waiting(id, true) == 1);
}

Test(import, one_that_is_being_undone_is_not_forgotten)
{
	struct slice id = new_id();
	cr_assert(start(id, 1) == RESULT_OK && finish(id, IMPORT_COMPLETED, NONE) == RESULT_OK);
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_OK && waiting(id, true) == 1);
	for (int i = 0; i <= IMPORTS_KEPT; i++)
		cr_assert(start(new_id(), NOW_MS + i) == RESULT_OK);
	cr_assert(exists(job_key(id, "")));
}

Test(import, nothing_is_promised_without_redis)
{
	struct store *nobody;
	const char *reason;
	struct slice id = new_id(), piece, *ids;
	size_t count;
	struct json_writer out = json_writer_on(buffer_new(f.arena, 100));
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &nobody, &reason) == RESULT_OK);
	cr_assert(import_start(nobody, f.arena, f.project, id, CSV, 1) == RESULT_UNAVAILABLE);
	cr_assert(import_progress(nobody, f.arena, f.project, id, "", 0, 0, NULL, 0) == RESULT_UNAVAILABLE);
	cr_assert(import_finish(nobody, f.arena, f.project, id, IMPORT_FAILED, NONE, 1) == RESULT_UNAVAILABLE);
	cr_assert(import_add_errors(nobody, f.arena, f.project, id, SLICE("x")) == RESULT_UNAVAILABLE);
	cr_assert(import_errors_piece(nobody, f.arena, f.project, id, 0, &piece) == RESULT_UNAVAILABLE);
	cr_assert(import_write(nobody, f.arena, f.project, id, &out) == RESULT_UNAVAILABLE);
	cr_assert(import_list(nobody, f.arena, f.project, SLICE(""), 1, &ids, &count, &next) == RESULT_UNAVAILABLE);
	cr_assert(import_ask_undo(nobody, f.arena, f.project, id) == RESULT_UNAVAILABLE);
	cr_assert(import_undo(nobody, f.arena, f.project, id, 1, NULL, NULL) == RESULT_UNAVAILABLE);
	store_free(nobody);
}

Test(import, without_memory_it_says_so)
{
	struct slice id = started();
	const struct import_counter counter = {"total_rows", 12};
	record_page(id, 1, NOW_MS);
	for (size_t limit = 0, done = 0; done < 2; limit += 64) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);
		enum result result =
			import_progress(f.store, small, f.project, id, "rows", 1, 2, &counter, 1);
		store_settle(f.store);
		cr_assert(result == RESULT_OK || result == RESULT_NO_MEMORY);
		done += result == RESULT_OK;
		cr_assert(limit < 1 << 20);
	}
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_OK && waiting(id, true) == 1);
	for (size_t limit = 0, done = 0; done < 2; limit += 64) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);
		enum result result = import_undo(f.store, small, f.project, id, NOW_MS, NULL, NULL);
		store_settle(f.store);
		cr_assert(result == RESULT_OK || result == RESULT_NO_MEMORY);
		done += result == RESULT_OK;
		cr_assert(limit < 1 << 20);
	}
	expect_text(id, "status", "undone");
}
