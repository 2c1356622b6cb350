// What people chose topic by topic: Customer.io's own export of people, ordered, waited for and read.
#include "run.h"

#include "base/clock.h"

#define STEP "preferences"
#define WAIT_FIRST_MS 1000
#define WAIT_MOST_MS 15000
#define EXPORT_TIME_MS INT64_C(21600000) // Customer.io has so long to finish it
#define DOWNLOADS 5                      // tries

#define NOT_ALLOWED                                                                                                \
	SLICE("The App API key may not export people, so what they chose topic by topic was not imported. Export "   \
	      "them in Customer.io (People, with email and cio_subscription_preferences), and upload the CSV file.")

struct order {
	int64_t id, as_of_ms;
};

static enum result order_note(struct run *run, const struct order *order)
{
	struct import_note notes[] = {
		{"export", arena_format(run->page, "%lld", (long long)order->id)},
		{"export_as_of", arena_format(run->page, "%lld", (long long)order->as_of_ms)},
		{"processed_before", arena_format(run->page, "%lld", (long long)run->processed_before)},
		{"without_email_before", arena_format(run->page, "%lld", (long long)run->without_email_before)},
	};
	return run_save(run, STEP, 0, 0, notes, COUNT_OF(notes));
}

// False when nothing was ordered yet.
static bool order_find(struct run *run, struct order *order)
{
	struct {
		const char *name;
		int64_t *number;
	} notes[] = {
		{"export", &order->id},
		{"export_as_of", &order->as_of_ms},
		{"processed_before", &run->processed_before},
		{"without_email_before", &run->without_email_before},
	};
	for (size_t i = 0; i < COUNT_OF(notes); i++) {
		if (!slice_to_integer(import_job_note(&run->saved, notes[i].name), 0, INT64_MAX, notes[i].number))
			return false;
	}
	return true;
}

static enum result order_place(struct run *run, struct order *order)
{
	struct app_export made;
	int64_t now_ms;
	// What is ordered twice, by a worker that died before it could note it, harms nobody.
	run->processed_before = run->counters[CUSTOMERS_PROCESSED];
	run->without_email_before = run->counters[PEOPLE_WITHOUT_EMAIL];
	TRY(run_save(run, STEP, 0, 0, NULL, 0));
	TRY(store_time_ms(run->store, run->page, &now_ms));
	TRY(app_api_export_create(&run->api, run->page, &made));
	// Whichever clock is behind: a choice made since then must not be taken for older.
	bool is_said = made.created_at_ms > 0 && made.created_at_ms < now_ms;
	*order = (struct order){made.id, is_said ? made.created_at_ms : now_ms};
	return order_note(run, order);
}

static int64_t wait_next_ms(int64_t wait_ms)
{
	return wait_ms < WAIT_MOST_MS / 2 ? 2 * wait_ms : WAIT_MOST_MS;
}

static enum result order_wait(struct run *run, const struct order *order, int64_t *total)
{
	int64_t since_us = clock_monotonic_us();
	for (int64_t wait_ms = WAIT_FIRST_MS;; wait_ms = wait_next_ms(wait_ms)) {
		struct app_export read;
		arena_reset(run->page);
		TRY(app_api_export_read(&run->api, run->page, order->id, &read));
		*total = read.total;
		if (read.status == APP_EXPORT_DONE)
			return RESULT_OK;
		if (read.status == APP_EXPORT_FAILED)
			return run_refuse(run, RESULT_INVALID, SLICE("Customer.io could not export the people."));
		if (clock_monotonic_us() - since_us > EXPORT_TIME_MS * 1000)
			return run_refuse(run, RESULT_INVALID, SLICE("The export was not finished in 6 hours."));
		TRY(run_save(run, STEP, 0, 0, NULL, 0));
		TRY(patience_wait(http_client_patience(run->api.http), wait_ms));
	}
}

// A file that was cut is read again from its beginning, by a new link.
static enum result order_take(struct run *run, const struct order *order, int64_t total)
{
	for (int tries = 1;; tries++) {
		struct slice link;
		arena_reset(run->page);
		TRY(app_api_export_link(&run->api, run->page, order->id, &link));
		link = arena_copy(run->job->arena, link);
		if (link.data == NULL)
			return RESULT_NO_MEMORY;
		enum result result = export_file_take(run, link, order->as_of_ms, total);
		bool was_cut = result == RESULT_UNAVAILABLE && !slice_is_empty(run->api.fault);
		if (!was_cut || tries == DOWNLOADS)
			return result;
		TRY(patience_wait(http_client_patience(run->api.http), WAIT_FIRST_MS << tries));
	}
}

enum result run_preferences(struct run *run)
{
	struct order order;
	int64_t total;
	if (!order_find(run, &order)) {
		enum result result = order_place(run, &order);
		if (result == RESULT_FORBIDDEN) {
			run->api.fault = SLICE("");
			return run_warn(run, STEP, NOT_ALLOWED);
		}
		TRY(result);
	}
	TRY(order_wait(run, &order, &total));
	return order_take(run, &order, total);
}
