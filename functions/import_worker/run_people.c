// Everybody whom Customer.io has as unsubscribed from all marketing is out of it here, as of when Customer.io said so.
#include "run.h"

#define STEP "people"
#define CURSOR_MAXIMUM 1024 // bytes

struct cursor {
	char text[CURSOR_MAXIMUM];
	size_t length;
};

// A way through the pages. Customer.io decides where the next one is, so it could lead us in a circle: every place is
// compared with one that was passed earlier, and that one is moved up at each power of two (Brent's way).
struct pages {
	struct cursor here, mark;
	int64_t passed, mark_moves_at;
};

static struct slice cursor_slice(const struct cursor *cursor)
{
	return (struct slice){cursor->text, cursor->length};
}

static bool cursor_set(struct cursor *cursor, struct slice text)
{
	if (text.length > sizeof(cursor->text))
		return false;
	for (size_t i = 0; i < text.length; i++)
		cursor->text[i] = text.data[i];
	cursor->length = text.length;
	return true;
}

static enum result pages_go(struct run *run, struct pages *pages, struct slice next)
{
	bool seen = pages->passed > 0 && slice_equal(next, cursor_slice(&pages->mark));
	if (!slice_is_empty(next) && (seen || slice_equal(next, cursor_slice(&pages->here))))
		return run_refuse(run, RESULT_INVALID,
		                  SLICE("Customer.io's pages of unsubscribed people lead in a circle."));
	if (!cursor_set(&pages->here, next))
		return run_refuse(run, RESULT_INVALID, SLICE("Customer.io's place of the next page is too long."));
	if (pages->passed++ == pages->mark_moves_at) {
		pages->mark = pages->here;
		pages->mark_moves_at = 2 * pages->mark_moves_at + 1;
	}
	return RESULT_OK;
}

static enum result people_record(struct run *run, const struct app_page *page, int64_t as_of_ms)
{
	struct choice *choices = arena_array(run->page, page->count + 1, sizeof(*choices));
	size_t count = 0;
	if (choices == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < page->count; i++) {
		struct slice recipient;
		if (recipient_read(run->page, page->people[i].email, &recipient))
			choices[count++] = (struct choice){recipient, &category_all, CHOICE_OUT, as_of_ms};
	}
	TRY(run_record(run, choices, count));
	run->counters[CUSTOMERS_PROCESSED] += (int64_t)page->count;
	run->counters[GLOBALLY_UNSUBSCRIBED] += (int64_t)count;
	run->counters[PEOPLE_WITHOUT_EMAIL] += (int64_t)(page->count - count);
	return RESULT_OK;
}

static enum result people_take_page(struct run *run, struct pages *pages)
{
	struct app_page page;
	int64_t as_of_ms;
	arena_reset(run->page);
	TRY(store_time_ms(run->store, run->page, &as_of_ms));
	TRY(app_api_unsubscribed(&run->api, run->page, cursor_slice(&pages->here), &page));
	TRY(people_record(run, &page, as_of_ms));
	TRY(pages_go(run, pages, page.next));
	// An empty place is the first one too: the step tells which is meant.
	if (slice_is_empty(page.next))
		return RESULT_OK;
	struct import_note note = {"cursor", page.next};
	return run_save(run, STEP, run->counters[CUSTOMERS_PROCESSED], 0, &note, 1);
}

static enum result people_warn(struct run *run)
{
	int64_t count = run->counters[PEOPLE_WITHOUT_EMAIL];
	if (count == 0)
		return RESULT_OK;
	struct slice message = arena_format(run->page,
	                                    "%lld unsubscribed people have no e-mail address, and were left out.",
	                                    (long long)count);
	return message.data != NULL ? run_warn(run, STEP, message) : RESULT_NO_MEMORY;
}

enum result run_people(struct run *run)
{
	struct pages pages = {.passed = 0};
	bool goes_on = slice_equal(import_job_text(&run->saved, "step"), SLICE(STEP));
	struct import_note start = {"cursor", SLICE("")};
	if (!goes_on)
		TRY(run_save(run, STEP, run->counters[CUSTOMERS_PROCESSED], 0, &start, 1));
	else if (!cursor_set(&pages.here, import_job_note(&run->saved, "cursor")))
		return RESULT_MALFORMED;
	do
		TRY(people_take_page(run, &pages));
	while (pages.here.length > 0);
	return people_warn(run);
}
