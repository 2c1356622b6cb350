#include "base/clock.h"

#include "base/result.h"

#include <criterion/criterion.h>

static const struct {
	const char *text;
	int64_t ms;
} clock_good[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"2026-11-22T14:30:40.123Z", 1795357840123},
	{"2026-11-22t14:30:40.123z", 1795357840123},
	{"2026-11-22 14:30:40.123Z", 1795357840123},
	{"2026-11-22T14:30:40Z", 1795357840000},
	{"2026-11-22T14:30:40.1Z", 1795357840100},
	{"2026-11-22T14:30:40.12Z", 1795357840120},
	{"2026-11-22T14:30:40.1239999999999999999999Z", 1795357840123},
	{"2026-11-22T16:00:40.123+01:30", 1795357840123},
	{"2026-11-22T09:30:40.123-05:00", 1795357840123},
	{"2026-11-23T14:29:40.123+23:59", 1795357840123},
	{"2026-11-21T14:31:40.123-23:59", 1795357840123},
	{"2026-11-22T14:30:40.123-00:00", 1795357840123},
	{"1970-01-01T01:00:00+01:00", 0},
	{"1969-12-31T23:00:00-01:00", 0},
	{"2024-02-29T00:00:00Z", 1709164800000},
	{"2000-02-29T12:00:00Z", 951825600000},
	{"9999-12-31T23:59:59.999Z", CLOCK_MAXIMUM_MS},
	{"9999-12-31T23:59:59.9999Z", CLOCK_MAXIMUM_MS},
};

static const char *const clock_bad[] = {
	"",
	"2026-11-22",
	"2026-11-22T14:30:40",
	"2026-11-22T14:30Z",
	"2026-11-22T14:30:40.Z",
	"2026-11-22T14:30:40,5Z",
	"2026-11-22T14:30:40ZZ",
	"2026-11-22T14:30:40Z ",
	" 2026-11-22T14:30:40Z",
	"2026-11-22_14:30:40Z",
	"2026-11-22  14:30:40Z",
	"2026-11-22T14:30:60Z",
	"2016-12-31T23:59:60Z",
	"2026-11-22T14:60:40Z",
	"2026-11-22T24:00:00Z",
	"2026-13-22T14:30:40Z",
	"2026-00-22T14:30:40Z",
	"2026-11-00T14:30:40Z",
	"2026-11-31T14:30:40Z",
	"2026-12-32T14:30:40Z",
	"2023-02-29T00:00:00Z",
	"2024-02-30T00:00:00Z",
	"2100-02-29T00:00:00Z",
	"2026-11-22T14:30:40+24:00",
	"2026-11-22T14:30:40+01:60",
	"2026-11-22T14:30:40+0100",
	"2026-11-22T14:30:40+01",
	"2026-11-22T14:30:40*01:00",
	"2026-1-22T14:30:40Z",
	"02026-11-22T14:30:40Z",
	"2026-11-22T+4:30:40Z",
	"2026-11-22T1 :30:40Z",
	"-026-11-22T14:30:40Z",
	"1969-12-31T23:59:59.999Z",
	"1970-01-01T00:00:00+00:01",
	"0000-01-01T00:00:00Z",
	"9999-12-31T23:59:59-00:01",
	"1795357840",
};

Test(clock, parses_every_form_of_rfc_3339)
{
	for (size_t i = 0; i < COUNT_OF(clock_good); i++) {
		int64_t ms = -1;

		cr_assert(clock_parse(slice_of(clock_good[i].text), &ms), "%s", clock_good[i].text);
		cr_assert_eq(ms, clock_good[i].ms, "%s is not %lld", clock_good[i].text, (long long)ms);
	}
}

Test(clock, refuses_everything_else)
{
	for (size_t i = 0; i < COUNT_OF(clock_bad); i++) {
		int64_t ms = -1;

		cr_assert_not(clock_parse(slice_of(clock_bad[i]), &ms), "%s", clock_bad[i]);
		cr_assert_eq(ms, -1, "%s", clock_bad[i]);
	}
}

Test(clock, refuses_every_beginning_and_a_nul)
{
	static const char text[] = "2026-11-22T14:30:40.123+01:00";
	int64_t ms;

	for (size_t length = 0; length < sizeof(text) - 1; length++)
		cr_assert_not(clock_parse((struct slice){text, length}, &ms), "%zu", length);
	cr_assert(clock_parse((struct slice){text, sizeof(text) - 1}, &ms));
	cr_assert_not(clock_parse((struct slice){text, sizeof(text)}, &ms));
}

Test(clock, writes_and_clamps)
{
	char text[CLOCK_TEXT_SIZE];

	cr_assert(slice_equal(clock_write(1795357840123, text), SLICE("2026-11-22T14:30:40.123Z")));
	cr_assert_eq(text[CLOCK_TEXT_SIZE - 1], '\0');
	cr_assert(slice_equal(clock_write(0, text), SLICE("1970-01-01T00:00:00.000Z")));
	cr_assert(slice_equal(clock_write(-1, text), SLICE("1970-01-01T00:00:00.000Z")));
	cr_assert(slice_equal(clock_write(INT64_MIN, text), SLICE("1970-01-01T00:00:00.000Z")));
	cr_assert(slice_equal(clock_write(CLOCK_MAXIMUM_MS, text), SLICE("9999-12-31T23:59:59.999Z")));
	cr_assert(slice_equal(clock_write(INT64_MAX, text), SLICE("9999-12-31T23:59:59.999Z")));
}

Test(clock, reads_what_it_wrote)
{
	// A prime step, so that every day of the month and every part of the day comes along.
	for (int64_t ms = 0; ms < CLOCK_MAXIMUM_MS; ms += INT64_C(8388880547)) {
		char text[CLOCK_TEXT_SIZE];
		int64_t again = -1;

		cr_assert(clock_parse(clock_write(ms, text), &again));
		cr_assert_eq(again, ms, "%s", text);
	}
}

Test(clock, tells_the_time)
{
	int64_t before = clock_monotonic_us();

	cr_assert_gt(clock_now_ms(), 1700000000000);
	cr_assert_lt(clock_now_ms(), CLOCK_MAXIMUM_MS);
	cr_assert_geq(clock_monotonic_us(), before);
}
