// Reading the opt-out list: may I send, who is out, how many.
#ifndef CIOBRIDGE_CONSENT_OPTOUTS_H
#define CIOBRIDGE_CONSENT_OPTOUTS_H

#include "base/arena.h"
#include "base/result.h"
#include "consent/category.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTOUTS_PAGE_MAXIMUM 1000
#define OPTOUTS_SEARCH_ROWS 100000 // rows that one search request looks at

enum check_reason {
	CHECK_SUBSCRIBED,
	CHECK_TRANSACTIONAL,
	CHECK_COMPLAINT,
	CHECK_OPTED_OUT_ALL,
	CHECK_OPTED_OUT_CATEGORY,
	CHECK_NOT_OPTED_IN,
};

// As the API writes it: "subscribed" and so on.
const char *check_reason_name(enum check_reason reason);

struct check {
	bool allowed;
	enum check_reason reason;
	int64_t since_ms; // of the choice that decides; 0: none
};

// May a message of `category` be sent to these recipients (from recipient_read)? checks[i] answers recipients[i].
enum result optouts_check(struct store *store, struct arena *arena, struct slice project,
                          const struct category *category, const struct slice *recipients, size_t count,
                          struct check *checks);

// The same for one recipient and the category of this key, in one round trip: asked first (NULL without memory), and
// answered later. In between the store may be sent more, but nothing is received. RESULT_NOT_FOUND: no such category.
struct inquiry;
struct inquiry *inquiry_send(struct store *store, struct arena *arena, struct slice project, struct slice key,
                             struct slice recipient);
enum result inquiry_receive(struct inquiry *inquiry, const struct category **category, struct check *check);

struct opt_out {
	struct slice recipient;
	int64_t made_at_ms;
};

struct opt_out_page {
	struct opt_out *rows; // newest first; of one time, in reverse bytes order
	size_t count;
	int64_t total;      // recipients now out of the category, found or not
	struct slice cursor; // opaque, for the next page; data NULL: this was the last
};

// A page of the recipients now out of the category whose choices are in `list`. `search`: empty, or a part of the
// recipient, from recipient_read (a whole one is looked up). `cursor`: empty, or of the page before (RESULT_INVALID
// when it is none).
enum result optouts_list(struct store *store, struct arena *arena, struct slice project, struct slice list,
                         struct slice search, struct slice cursor, size_t limit, struct opt_out_page *page);

// A way through everybody who is out of a category, in the order of optouts_list, in constant memory and without
// looking at anything twice. A row that does not change meanwhile comes by once.
struct optouts_walk;

// Lives as long as the arena; NULL without memory. optouts_walk_begin takes it to the beginning of a list.
struct optouts_walk *optouts_walk_new(struct store *store, struct arena *arena, struct slice project);
void optouts_walk_begin(struct optouts_walk *walk, struct slice list);

// The next row, good until the next call; NULL at the end.
enum result optouts_walk_next(struct optouts_walk *walk, const struct opt_out **row);

// How many recipients are out of each category. counts[i] belongs to lists[i] (category->list).
enum result optouts_count(struct store *store, struct arena *arena, struct slice project, const struct slice *lists,
                          size_t count, int64_t *counts);

// One recipient's choice in each list: scores[i] > 0 out since, < 0 in since, 0 no choice.
enum result optouts_choices_of(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                               const struct slice *lists, size_t count, int64_t *scores);

#endif
