#include "base/patience.h"

#include "base/clock.h"

#include <time.h>

enum result patience_between(const struct patience *patience)
{
	return patience->between == NULL ? RESULT_OK : patience->between(patience->context);
}

enum result patience_wait(const struct patience *patience, int64_t ms)
{
	int64_t end_us = clock_monotonic_us() + ms * 1000;

	for (;;) {
		int64_t left_us = end_us - clock_monotonic_us();

		if (left_us <= 0)
			return RESULT_OK;
		if (left_us > PATIENCE_STEP_MS * 1000)
			left_us = PATIENCE_STEP_MS * 1000;
		// A signal only makes the step shorter.
		nanosleep(&(struct timespec){.tv_nsec = left_us * 1000}, NULL);
		TRY(patience_between(patience));
	}
}
