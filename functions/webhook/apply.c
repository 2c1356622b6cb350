#include "apply.h"

#include "application.h"

const char *webhook_status_name(enum webhook_status status)
{
	switch (status) {
	case WEBHOOK_RECORDED:
		return "recorded";
	case WEBHOOK_IGNORED:
		return "ignored";
	case WEBHOOK_QUARANTINED:
		return "quarantined";
	case WEBHOOK_UNCHANGED:
	default:
		return "unchanged";
	}
}

void apply_quarantine(struct application *application, const char *reason)
{
	if (slice_is_empty(application->effect->reason))
		application->effect->reason = slice_of(reason);
}

enum result apply_lookup(struct application *application, enum lookup_kind kind)
{
	struct webhook_effect *effect = application->effect;
	TRY(lookup_queue(application->store, application->arena, application->delivery->project, kind,
	                 effect->recipient, effect->made_at_ms));
	effect->status = WEBHOOK_RECORDED;
	return RESULT_OK;
}

static enum result apply_record(struct application *application, const struct choice *choices, size_t count,
                                enum choice_outcome *outcomes)
{
	struct slice event = application->effect->event.event_id;
	// An event without an id still has to be known again when it is delivered twice.
	struct slice name = slice_is_empty(event) ? arena_format(application->arena, "t%lld",
	                                                         (long long)application->seconds)
	                                          : event;
	struct choice_origin origin = {
		.act = ACT_REPORT,
		.source = SLICE("webhook"),
		.reference = slice_is_empty(event) ? application->delivery->request_id : event,
		.event = name,
	};
	if (name.data == NULL)
		return RESULT_NO_MEMORY;
	return choices_record(application->store, application->arena, application->delivery->project, NULL, &origin,
	                      choices, count, outcomes);
}

enum result apply_choices(struct application *application, const struct choice *choices, size_t count)
{
	enum choice_outcome *outcomes = arena_array(application->arena, count + 1, sizeof(*outcomes));
	if (outcomes == NULL)
		return RESULT_NO_MEMORY;
	TRY(apply_record(application, choices, count, outcomes));
	for (size_t i = 0; i < count; i++) {
		if (outcomes[i] == CHOICE_CHANGED)
			application->effect->status = WEBHOOK_RECORDED;
		else if (outcomes[i] == CHOICE_REFUSED)
			apply_quarantine(application, "from the future");
	}
	return RESULT_OK;
}

struct choice apply_choice(const struct application *application, const struct category *category,
                           enum choice_value value)
{
	return (struct choice){
		.recipient = application->effect->recipient,
		.category = category,
		.value = value,
		.made_at_ms = choice_second_ms(application->seconds, value),
	};
}

static enum result apply_one(struct application *application, const struct category *category,
                             enum choice_value value)
{
	struct choice choice = apply_choice(application, category, value);
	return apply_choices(application, &choice, 1);
}

static enum result apply_note(struct application *application, const struct category *category)
{
	TRY(apply_one(application, category, CHOICE_OUT));
	application->effect->status = WEBHOOK_RECORDED;
	return RESULT_OK;
}

static enum result apply_metric(struct application *application)
{
	switch (application->effect->event.metric) {
	case WEBHOOK_SUBSCRIBED:
		return apply_one(application, &category_all, CHOICE_IN);
	case WEBHOOK_UNSUBSCRIBED:
		return apply_one(application, &category_all, CHOICE_OUT);
	case WEBHOOK_PREFERENCES_CHANGED:
		return apply_preferences(application);
	case WEBHOOK_SPAMMED:
		return apply_one(application, &category_complaint, CHOICE_OUT);
	case WEBHOOK_BOUNCED:
		return apply_note(application, &category_bounced);
	case WEBHOOK_DROPPED:
		return apply_note(application, &category_dropped);
	case WEBHOOK_OTHER:
	default:
		return RESULT_OK;
	}
}

// Whether the event is to be recorded at all.
static bool apply_concerns_us(struct application *application)
{
	const struct webhook_event *event = &application->effect->event;
	if (event->metric != WEBHOOK_OTHER && application->delivery->enabled)
		return true;
	application->effect->status = WEBHOOK_IGNORED;
	if (webhook_metric_is_preference(event->metric))
		apply_quarantine(application, "switched off");
	return false;
}

static bool apply_find_recipient(struct application *application)
{
	struct webhook_effect *effect = application->effect;
	application->is_by_id = slice_is_empty(effect->event.address);
	struct slice given = application->is_by_id ? effect->event.id : effect->event.address;
	if (slice_is_empty(given))
		apply_quarantine(application, "no recipient");
	else if (!recipient_read(application->arena, given, &effect->recipient))
		apply_quarantine(application, "recipient not acceptable");
	return slice_is_empty(effect->reason);
}

static enum result apply_event(struct application *application)
{
	struct webhook_effect *effect = application->effect;
	TRY(webhook_event_read(application->arena, application->delivery->body, &effect->event, &effect->reason));
	int64_t happened_at_s = effect->event.timestamp_s;
	application->seconds = happened_at_s > 0 ? happened_at_s : application->delivery->sent_at_s;
	effect->made_at_ms = application->seconds * 1000;
	if (!apply_concerns_us(application) || !apply_find_recipient(application))
		return RESULT_OK;
	TRY(apply_metric(application));
	// Afterwards, so that whoever finds the address finds the choice as well.
	return application->is_by_id ? apply_lookup(application, LOOKUP_ADDRESS) : RESULT_OK;
}

enum result webhook_apply(struct store *store, struct arena *arena, const struct webhook_delivery *delivery,
                          struct webhook_effect *effect)
{
	struct application application = {.store = store, .arena = arena, .delivery = delivery, .effect = effect};
	*effect = (struct webhook_effect){.status = WEBHOOK_UNCHANGED};
	enum result result = apply_event(&application);
	if (result == RESULT_UNAVAILABLE || result == RESULT_NO_MEMORY)
		return result;
	// What there was no room for looks like something not understood.
	if (arena_failed(arena))
		return RESULT_NO_MEMORY;
	if (result != RESULT_OK)
		apply_quarantine(&application, "not understood");
	if (!slice_is_empty(effect->reason))
		effect->status = WEBHOOK_QUARANTINED;
	return RESULT_OK;
}
