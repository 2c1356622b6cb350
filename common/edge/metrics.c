#include "edge/metrics.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRICS_KEY SLICE("cb:metrics")
#define COUNTERS_MAXIMUM 256
#define NAME_MAXIMUM 160 // bytes, the labels included
#define FLUSH_PAUSE_US 1000000
#define DURATION "ciobridge_request_duration_seconds"

struct counter {
	char name[NAME_MAXIMUM];
	int64_t value; // not yet handed over
	bool known;    // Redis has it
};

static struct {
	struct counter counters[COUNTERS_MAXIMUM];
	size_t count;
	int64_t flushed_us;
} metrics;

// Upper ends in microseconds, and as Prometheus writes them.
static const struct {
	int64_t limit_us;
	const char *label;
} metrics_buckets[] = {
	{1000, "0.001"},   {2500, "0.0025"},  {5000, "0.005"},  {10000, "0.01"},   {25000, "0.025"}, {50000, "0.05"},
	{100000, "0.1"},   {250000, "0.25"},  {500000, "0.5"},  {1000000, "1"},    {2500000, "2.5"}, {5000000, "5"},
	{10000000, "10"},  {INT64_MAX, "+Inf"},
};

static const struct metrics_family {
	const char *name, *type, *help;
} metrics_families[] = {
	{"ciobridge_requests_total", "counter", "Requests answered, by function and status."},
	{DURATION, "histogram", "Time from accepting a request to the end of its answer."},
	{"ciobridge_csv_rows_total", "counter", "Rows of CSV files that were taken whole, by what became of them."},
	{"ciobridge_webhooks_total", "counter", "Customer.io webhooks rightly signed, by what became of them."},
	{"ciobridge_lookups_total", "counter", "People looked up at Customer.io, by what for and what became of it."},
};

static struct counter *metrics_find(const char *name)
{
	for (size_t i = 0; i < metrics.count; i++) {
		if (strcmp(metrics.counters[i].name, name) == 0)
			return &metrics.counters[i];
	}
	if (metrics.count == COUNTERS_MAXIMUM || strlen(name) >= NAME_MAXIMUM)
		return NULL;
	struct counter *counter = &metrics.counters[metrics.count++];
	memcpy(counter->name, name, strlen(name) + 1);
	return counter;
}

void metrics_add(const char *name, int64_t value)
{
	struct counter *counter = metrics_find(name);

	if (counter != NULL && __builtin_add_overflow(counter->value, value, &counter->value))
		counter->value = INT64_MAX;
}

void metrics_request(const char *function, int status, int64_t microseconds)
{
	char name[NAME_MAXIMUM];

	snprintf(name, sizeof(name), "ciobridge_requests_total{function=\"%s\",status=\"%d\"}", function, status);
	metrics_add(name, 1);
	// Every bucket is named each time, so that the first request already shows them all.
	for (size_t i = 0; i < COUNT_OF(metrics_buckets); i++) {
		snprintf(name, sizeof(name), DURATION "_bucket{function=\"%s\",le=\"%s\"}", function,
		         metrics_buckets[i].label);
		metrics_add(name, microseconds <= metrics_buckets[i].limit_us ? 1 : 0);
	}
	snprintf(name, sizeof(name), DURATION "_sum{function=\"%s\"}", function);
	metrics_add(name, microseconds);
	snprintf(name, sizeof(name), DURATION "_count{function=\"%s\"}", function);
	metrics_add(name, 1);
}

static bool metrics_is_due(const struct counter *counter)
{
	return counter->value != 0 || !counter->known;
}

static bool metrics_send(struct store *store, struct arena *arena, const struct counter *counter)
{
	struct slice value = arena_format(arena, "%" PRId64, counter->value);

	if (value.data == NULL)
		return false;
	store_send(store, ARGUMENTS(SLICE("HINCRBY"), METRICS_KEY, slice_of(counter->name), value));
	return true;
}

// What Redis did not confirm is kept and counted again: rather once too often than a fault that is not seen.
static void metrics_hand_over(struct store *store, struct arena *arena)
{
	struct counter *sent[COUNTERS_MAXIMUM];
	size_t count = 0;

	for (size_t i = 0; i < metrics.count; i++) {
		struct counter *counter = &metrics.counters[i];

		if (metrics_is_due(counter) && metrics_send(store, arena, counter))
			sent[count++] = counter;
	}
	for (size_t i = 0; i < count; i++) {
		const struct reply *reply;

		if (store_receive(store, arena, &reply) != RESULT_OK)
			continue;
		sent[i]->value = 0;
		sent[i]->known = true;
	}
}

void metrics_flush(struct store *store, struct arena *arena, bool now)
{
	int64_t now_us = clock_monotonic_us();

	if (!now && now_us - metrics.flushed_us < FLUSH_PAUSE_US)
		return;
	metrics.flushed_us = now_us;
	store_settle(store);
	metrics_hand_over(store, arena);
}

struct sample {
	struct slice name; // with its labels
	int64_t value;
	struct slice family;
	size_t bucket; // of a histogram
};

// The name before the labels; the three series of the histogram are one family.
static struct slice metrics_family_name(struct slice name)
{
	struct slice base = slice_split(&name, '{');

	return slice_starts_with(base, SLICE(DURATION "_")) ? SLICE(DURATION) : base;
}

// Where it stands among the buckets: as text, "10" would come before "2.5".
static size_t metrics_bucket_of(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(metrics_buckets); i++) {
		char ending[32];
		int length = snprintf(ending, sizeof(ending), ",le=\"%s\"}", metrics_buckets[i].label);

		if (name.length > (size_t)length &&
		    slice_equal(slice_from(name, name.length - (size_t)length), slice_of(ending)))
			return i + 1;
	}
	return 0;
}

static struct slice metrics_without_bucket(const struct sample *sample)
{
	size_t ending = 0;

	if (sample->bucket > 0)
		ending = strlen(metrics_buckets[sample->bucket - 1].label) + strlen(",le=\"\"}");
	return (struct slice){sample->name.data, sample->name.length - ending};
}

static int metrics_compare(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;
	int order = slice_compare(left->family, right->family);

	if (order == 0)
		order = slice_compare(metrics_without_bucket(left), metrics_without_bucket(right));
	if (order == 0)
		order = (left->bucket > right->bucket) - (left->bucket < right->bucket);
	return order;
}

static void metrics_write_family(struct slice name, struct buffer *out)
{
	struct metrics_family family = {NULL, "counter", "Counted by ciobridge."};

	for (size_t i = 0; i < COUNT_OF(metrics_families); i++) {
		if (slice_equal(name, slice_of(metrics_families[i].name)))
			family = metrics_families[i];
	}
	buffer_append_text(out, "# HELP ");
	buffer_append(out, name);
	buffer_append_byte(out, ' ');
	buffer_append_text(out, family.help);
	buffer_append_text(out, "\n# TYPE ");
	buffer_append(out, name);
	buffer_append_byte(out, ' ');
	buffer_append_text(out, family.type);
	buffer_append_byte(out, '\n');
}

// Times are summed in microseconds, since Redis adds whole numbers without error, and shown in seconds.
static void metrics_write_sample(const struct sample *sample, struct buffer *out)
{
	char text[48];

	buffer_append(out, sample->name);
	buffer_append_byte(out, ' ');
	if (slice_starts_with(sample->name, SLICE(DURATION "_sum"))) {
		snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64, sample->value / 1000000,
		         sample->value % 1000000);
		buffer_append_text(out, text);
	} else {
		buffer_append_integer(out, sample->value);
	}
	buffer_append_byte(out, '\n');
}

enum result metrics_write(struct store *store, struct arena *arena, struct buffer *out)
{
	const struct reply *reply;
	struct slice family = {NULL, 0};

	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGETALL"), METRICS_KEY)));
	size_t count = reply_count(reply) / 2;
	struct sample *samples = arena_array(arena, count + 1, sizeof(*samples));
	if (samples == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct slice name = reply_text(reply_at(reply, 2 * i));

		samples[i] = (struct sample){name, reply_integer(reply_at(reply, 2 * i + 1)), metrics_family_name(name),
		                             metrics_bucket_of(name)};
	}
	qsort(samples, count, sizeof(*samples), metrics_compare);
	for (size_t i = 0; i < count; i++) {
		if (!slice_equal(family, samples[i].family))
			metrics_write_family(samples[i].family, out);
		family = samples[i].family;
		metrics_write_sample(&samples[i], out);
	}
	return buffer_failed(out) ? RESULT_NO_MEMORY : RESULT_OK;
}
