#include "base/clock.h"

#include <string.h>
#include <time.h>

int64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void clock_write_digits(char *text, int width, int number)
{
	while (width-- > 0) {
		text[width] = (char)('0' + number % 10);
		number /= 10;
	}
}

struct slice clock_write(int64_t ms, char text[static CLOCK_TEXT_SIZE])
{
	ms = ms < 0 ? 0 : ms > CLOCK_MAXIMUM_MS ? CLOCK_MAXIMUM_MS : ms;
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	memcpy(text, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_SIZE);
	clock_write_digits(text, 4, parts.tm_year + 1900);
	clock_write_digits(text + 5, 2, parts.tm_mon + 1);
	clock_write_digits(text + 8, 2, parts.tm_mday);
	clock_write_digits(text + 11, 2, parts.tm_hour);
	clock_write_digits(text + 14, 2, parts.tm_min);
	clock_write_digits(text + 17, 2, parts.tm_sec);
	clock_write_digits(text + 20, 3, (int)(ms % 1000));
	return (struct slice){text, CLOCK_TEXT_SIZE - 1};
}

// Takes exactly `width` digits from the start of *text.
static bool clock_take_number(struct slice *text, size_t width, int minimum, int maximum, int *number)
{
	int sum = 0;

	if (text->length < width)
		return false;
	for (size_t i = 0; i < width; i++) {
		if (text->data[i] < '0' || text->data[i] > '9')
			return false;
		sum = sum * 10 + (text->data[i] - '0');
	}
	*text = slice_from(*text, width);
	*number = sum;
	return sum >= minimum && sum <= maximum;
}

static bool clock_take_one_of(struct slice *text, const char *bytes, char *taken)
{
	if (text->length == 0 || !slice_contains(slice_of(bytes), text->data[0]))
		return false;
	*taken = text->data[0];
	*text = slice_from(*text, 1);
	return true;
}

static bool clock_take_date(struct slice *text, struct tm *parts)
{
	char dash;
	bool taken = clock_take_number(text, 4, 0, 9999, &parts->tm_year) && clock_take_one_of(text, "-", &dash) &&
	             clock_take_number(text, 2, 1, 12, &parts->tm_mon) && clock_take_one_of(text, "-", &dash) &&
	             clock_take_number(text, 2, 1, 31, &parts->tm_mday);

	parts->tm_year -= 1900;
	parts->tm_mon -= 1;
	return taken;
}

static bool clock_take_time(struct slice *text, struct tm *parts)
{
	char colon;

	return clock_take_number(text, 2, 0, 23, &parts->tm_hour) && clock_take_one_of(text, ":", &colon) &&
	       clock_take_number(text, 2, 0, 59, &parts->tm_min) && clock_take_one_of(text, ":", &colon) &&
	       clock_take_number(text, 2, 0, 59, &parts->tm_sec);
}

// What is finer than a millisecond is cut off, not rounded: a time never moves into the future.
static bool clock_take_fraction(struct slice *text, int *ms)
{
	char point;
	int weight = 100, digit;

	*ms = 0;
	if (!clock_take_one_of(text, ".", &point))
		return true;
	if (!clock_take_number(text, 1, 0, 9, &digit))
		return false;
	do {
		*ms += digit * weight;
		weight /= 10;
	} while (clock_take_number(text, 1, 0, 9, &digit));
	return true;
}

static bool clock_take_offset(struct slice *text, int *minutes)
{
	char sign, colon;
	int hours, rest;

	*minutes = 0;
	if (clock_take_one_of(text, "Zz", &sign))
		return true;
	if (!clock_take_one_of(text, "+-", &sign) || !clock_take_number(text, 2, 0, 23, &hours) ||
	    !clock_take_one_of(text, ":", &colon) || !clock_take_number(text, 2, 0, 59, &rest))
		return false;
	*minutes = (sign == '-' ? -1 : 1) * (hours * 60 + rest);
	return true;
}

bool clock_parse(struct slice text, int64_t *ms)
{
	struct tm parts = {0};
	int fraction, offset;
	char separator;

	if (!clock_take_date(&text, &parts) || !clock_take_one_of(&text, "Tt ", &separator) ||
	    !clock_take_time(&text, &parts) || !clock_take_fraction(&text, &fraction) ||
	    !clock_take_offset(&text, &offset) || text.length > 0)
		return false;
	int day = parts.tm_mday;
	int64_t time = ((int64_t)timegm(&parts) - (int64_t)offset * 60) * 1000 + fraction;
	// timegm turns 30 February into 2 March instead of refusing it.
	if (parts.tm_mday != day || time < 0 || time > CLOCK_MAXIMUM_MS)
		return false;
	*ms = time;
	return true;
}
