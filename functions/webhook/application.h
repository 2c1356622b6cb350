// One event while it is applied, and the steps that every kind of event is made of.
#ifndef CIOBRIDGE_WEBHOOK_APPLICATION_H
#define CIOBRIDGE_WEBHOOK_APPLICATION_H

#include "apply.h"
#include "consent/category.h"
#include "consent/choice.h"
#include "customerio/lookup.h"

struct application {
	struct store *store;
	struct arena *arena;
	const struct webhook_delivery *delivery;
	struct webhook_effect *effect;
	int64_t seconds; // when it happened
	bool is_by_id;   // the recipient is an id, since the event has no address
};

// Has the event quarantined in the end; the first reason stays. Not a failure: the rest of the event still counts.
void apply_quarantine(struct application *application, const char *reason);

// Queues a look-up for the event's recipient.
enum result apply_lookup(struct application *application, enum lookup_kind kind);

// A choice of the event's recipient at the event's time.
struct choice apply_choice(const struct application *application, const struct category *category,
                           enum choice_value value);

// Records the choices and takes what became of them into the effect.
enum result apply_choices(struct application *application, const struct choice *choices, size_t count);

// cio_subscription_preferences_changed: each topic that the event names.
enum result apply_preferences(struct application *application);

#endif
