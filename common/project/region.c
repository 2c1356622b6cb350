// The two regions by name.
#include "project/region.h"

const char *region_name(enum region region)
{
	return region == REGION_EU ? "eu" : "us";
}

bool region_from_name(struct slice name, enum region *region)
{
	for (enum region known = REGION_US; known <= REGION_EU; known++) {
		if (slice_equal(name, slice_of(region_name(known)))) {
			*region = known;
			return true;
		}
	}
	return false;
}

enum region region_other(enum region region)
{
	return region == REGION_US ? REGION_EU : REGION_US;
}
