#include "customerio/trial.h"

struct trial {
	const char *what;
	trial_attempt *attempt;
	void *context;
	struct slice sentence;
};

static const char *trial_region(enum region region)
{
	return region == REGION_EU ? "EU" : "US";
}

// RESULT_OK, RESULT_INVALID (refused), RESULT_UNAVAILABLE, or what has nothing to do with Customer.io.
static enum result trial_try(struct trial *trial, enum region *region)
{
	trial->sentence = SLICE("");
	enum result result = trial->attempt(trial->context, region, &trial->sentence);

	if (slice_is_empty(trial->sentence))
		return result;
	switch (result) {
	case RESULT_UNAUTHENTICATED:
	case RESULT_FORBIDDEN:
	case RESULT_NOT_FOUND:
	case RESULT_CONFLICT:
	case RESULT_INVALID:
		return RESULT_INVALID;
	default:
		return RESULT_UNAVAILABLE;
	}
}

// They are good, but only where they were not asked for.
static enum result trial_refuse_region(struct arena *arena, struct trial *trial, enum region found)
{
	trial->sentence = arena_format(arena, "This %s belongs to the region %s, not %s.", trial->what,
	                               trial_region(found), trial_region(region_other(found)));
	return trial->sentence.data == NULL ? RESULT_NO_MEMORY : RESULT_INVALID;
}

// The other region is asked too: it may be theirs, which is worth knowing even where it is not wanted.
static enum result trial_try_both(struct trial *trial, enum region wanted, enum region *region)
{
	enum region first = wanted == REGION_EU ? REGION_EU : REGION_US;

	*region = first;
	enum result result = trial_try(trial, region);
	struct slice sentence = trial->sentence;
	if (result == RESULT_OK || slice_is_empty(sentence) || (wanted != REGION_AUTO && result != RESULT_INVALID))
		return result;
	*region = region_other(first);
	enum result other = trial_try(trial, region);
	if (other == RESULT_OK || slice_is_empty(trial->sentence))
		return other;
	// Where either would do, one that is not known outweighs one that refused.
	if (wanted == REGION_AUTO && result == RESULT_INVALID && other != RESULT_INVALID)
		return other;
	trial->sentence = sentence;
	return result;
}

enum result trial_run(struct arena *arena, const char *what, trial_attempt *attempt, void *context, enum region wanted,
                      enum region *found, struct slice *sentence)
{
	struct trial trial = {.what = what, .attempt = attempt, .context = context};
	enum region region;
	enum result result = trial_try_both(&trial, wanted, &region);

	if (result == RESULT_OK)
		*found = region;
	if (result == RESULT_OK && wanted != REGION_AUTO && region != wanted)
		result = trial_refuse_region(arena, &trial, region);
	*sentence = trial.sentence;
	return result;
}
