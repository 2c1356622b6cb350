#include "customerio/region.h"

#include "base/result.h"

#include <stddef.h>

static const struct {
	const char *own[2];
	size_t overrides[2]; // in struct config
} region_bases[] = {
	[CUSTOMERIO_TRACK] = {{"https://track.customer.io", "https://track-eu.customer.io"},
	                      {offsetof(struct config, track_url), offsetof(struct config, track_url_eu)}},
	[CUSTOMERIO_APP] = {{"https://api.customer.io", "https://api-eu.customer.io"},
	                    {offsetof(struct config, app_url), offsetof(struct config, app_url_eu)}},
	[CUSTOMERIO_PIPELINES] = {{"https://cdp.customer.io", "https://cdp-eu.customer.io"},
	                          {offsetof(struct config, pipelines_url), offsetof(struct config, pipelines_url_eu)}},
};

static const char *const region_names[] = {
	[REGION_US] = "us",
	[REGION_EU] = "eu",
	[REGION_AUTO] = "auto",
};

static struct slice region_override(const struct config *config, enum customerio_api api, enum region region)
{
	const void *place = (const char *)config + region_bases[api].overrides[region];

	return *(const struct slice *)place;
}

struct region_base region_base(const struct config *config, enum customerio_api api, enum region region)
{
	struct slice override = region_override(config, api, region);

	if (slice_is_empty(override))
		override = region_override(config, api, REGION_US);
	if (slice_is_empty(override))
		return (struct region_base){slice_of(region_bases[api].own[region]), false};
	return (struct region_base){override, true};
}

struct slice region_name(enum region region)
{
	return slice_of(region_names[region]);
}

bool region_parse(struct slice text, enum region *region)
{
	for (size_t i = 0; i < COUNT_OF(region_names); i++) {
		if (!slice_equal(text, slice_of(region_names[i])))
			continue;
		*region = (enum region)i;
		return true;
	}
	return false;
}

enum region region_other(enum region region)
{
	return region == REGION_US ? REGION_EU : REGION_US;
}
