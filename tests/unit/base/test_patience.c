// Waiting in steps.
#include "base/patience.h"

#include "base/clock.h"

#include <criterion/criterion.h>

struct steps {
	int count, last;
};

static enum result step(void *context)
{
	struct steps *steps = context;
	return ++steps->count == steps->last ? RESULT_CONFLICT : RESULT_OK;
}

Test(patience, waits_as_long_as_asked)
{
	static const int64_t waits_ms[] = {0, 1, 30, 700};
	for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
		int64_t started_us = clock_monotonic_us();
		cr_assert(patience_wait(&(struct patience){0}, waits_ms[i]) == RESULT_OK);
		cr_assert(clock_monotonic_us() - started_us >= waits_ms[i] * 1000);
	}
	cr_assert(patience_wait(&(struct patience){0}, -5) == RESULT_OK);
}

Test(patience, something_happens_between)
{
	struct steps steps = {0};
	cr_assert(patience_wait(&(struct patience){step, &steps}, 1200) == RESULT_OK);
	cr_assert(steps.count >= 3, "%d", steps.count);
}

Test(patience, and_may_end_it)
{
	struct steps steps = {.last = 1};
	int64_t started_us = clock_monotonic_us();
	cr_assert(patience_wait(&(struct patience){step, &steps}, 60000) == RESULT_CONFLICT);
	cr_assert(clock_monotonic_us() - started_us < 1000000 + PATIENCE_STEP_MS * 1000);
	cr_assert(patience_between(&(struct patience){step, &(struct steps){.last = 1}}) == RESULT_CONFLICT);
	cr_assert(patience_between(&(struct patience){0}) == RESULT_OK);
}
