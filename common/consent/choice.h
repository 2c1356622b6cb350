// A choice: a recipient is out of, or in, a category since a point in time. choices_record is the only writer of
// choices; the rule by which they are merged is in record_choices.lua.
#ifndef CIOBRIDGE_CONSENT_CHOICE_H
#define CIOBRIDGE_CONSENT_CHOICE_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "consent/category.h"
#include "consent/recipient.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define CHOICES_A_SCRIPT 1000         // choices in one run of record_choices
#define CHOICE_FUTURE_MS (5 * 60000)  // how far ahead of Redis a clock may be
#define CHOICE_WEAKEST_MS 1           // when an import says "in": any real choice is newer

enum choice_value { CHOICE_OUT, CHOICE_IN };

struct choice {
	struct slice recipient; // from recipient_read
	const struct category *category;
	enum choice_value value;
	int64_t made_at_ms; // 1 or more; not looked at for direct acts
};

// How a choice came here.
enum act {
	ACT_DATED,  // made when it says: API import, CSV, a queued look-up
	ACT_DIRECT, // made now by a person whom we answer: page, one-click, API, console
	ACT_REPORT, // reported by Customer.io's webhook, in whole seconds; may be an echo of what was sent back
};

struct choice_origin {
	enum act act;
	struct slice source;    // "webhook", "api", "csv", "import", "page", "one_click", "console", "undo"
	struct slice reference; // request or import id
	struct slice event;     // the webhook's event id (ACT_REPORT)
	bool send_back;         // Customer.io is to be told of effective changes (never of what it said itself)
	struct slice import;    // import id: fenced imports are refused; empty: none
	int64_t page;           // page of the import, applied once a partition; 0: not paged
	bool dry_run;           // outcomes as they would be, and nothing is written
};

enum choice_outcome {
	CHOICE_UNCHANGED = '=', // older, or the same value
	CHOICE_CHANGED = '!',   // out became in, or in became out; of $all too, when opting in to one category did that
	CHOICE_REFUSED = '?',   // `in` from the future, or `in` for $complaint by somebody else than the recipient
	CHOICE_SKIPPED = '-',   // the import is fenced, or this page was applied before
};

// Milliseconds for a time in whole seconds: an `out` counts as the end of its second, an `in` as its beginning, so
// that of two choices in one second out wins.
int64_t choice_second_ms(int64_t seconds, enum choice_value value);

// Records the choices, in their order for each recipient, in any number and of any partitions; `live` holds all
// categories of the project when act is ACT_DIRECT (the pin rule needs them), otherwise it may be NULL.
// outcomes[i] tells of choices[i]. RESULT_UNAVAILABLE when any part could not be stored: recording again is safe.
enum result choices_record(struct store *store, struct arena *arena, struct slice project,
                           const struct category_list *live, const struct choice_origin *origin,
                           const struct choice *choices, size_t count, enum choice_outcome *outcomes);

// The two halves of choices_record, for callers with something else to do in between. The arguments, and what they
// point to, have to stay until the outcomes are received, and the store must not be asked anything else before.
// *recording lives in the arena.
struct recording;
enum result choices_send(struct store *store, struct arena *arena, struct slice project,
                         const struct category_list *live, const struct choice_origin *origin,
                         const struct choice *choices, size_t count, struct recording **recording);
enum result choices_receive(struct recording *recording, enum choice_outcome *outcomes);

// Is Customer.io still to be told of something that this recipient chose here? As long as it is, what it says of him
// may be older than it looks.
enum result choices_are_to_be_told(struct store *store, struct arena *arena, struct slice project,
                                   struct slice recipient, bool *are);

// Remembers, just before the choice is sent back to Customer.io, that its webhook will be an echo. Marks live 8 days.
enum result choices_mark_echo(struct store *store, struct arena *arena, struct slice project,
                              const struct choice *choice);

// What the scripts that write choices are told of a category: "o1m" and the name of its list, see record_choices.lua.
// data is NULL without memory.
struct slice choice_list_text(struct arena *arena, const struct category *category);

#endif
