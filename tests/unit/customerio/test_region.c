// Hosts and regions.
#include "customerio/region.h"

#include <criterion/criterion.h>

static void expect_base(const struct config *config, enum customerio_api api, enum region region, const char *url,
                        bool any_address)
{
	struct region_base base = region_base(config, api, region);
	cr_assert(slice_equal(base.url, slice_of(url)), "%.*s", (int)base.url.length, base.url.data);
	cr_assert_eq(base.any_address, any_address, "%s", url);
}

Test(region, hosts_of_their_own)
{
	struct config config = {0};
	expect_base(&config, CUSTOMERIO_TRACK, REGION_US, "https://track.customer.io", false);
	expect_base(&config, CUSTOMERIO_TRACK, REGION_EU, "https://track-eu.customer.io", false);
	expect_base(&config, CUSTOMERIO_APP, REGION_US, "https://api.customer.io", false);
	expect_base(&config, CUSTOMERIO_APP, REGION_EU, "https://api-eu.customer.io", false);
	expect_base(&config, CUSTOMERIO_PIPELINES, REGION_US, "https://cdp.customer.io", false);
	expect_base(&config, CUSTOMERIO_PIPELINES, REGION_EU, "https://cdp-eu.customer.io", false);
}

Test(region, what_the_operator_says)
{
	struct config config = {
		.track_url = SLICE("http://127.0.0.1:1"),
		.app_url = SLICE("http://127.0.0.1:2"),
		.app_url_eu = SLICE("http://127.0.0.1:3"),
		.pipelines_url_eu = SLICE("http://127.0.0.1:4"),
	};
	expect_base(&config, CUSTOMERIO_TRACK, REGION_US, "http://127.0.0.1:1", true);
	expect_base(&config, CUSTOMERIO_TRACK, REGION_EU, "http://127.0.0.1:1", true);
	expect_base(&config, CUSTOMERIO_APP, REGION_US, "http://127.0.0.1:2", true);
	expect_base(&config, CUSTOMERIO_APP, REGION_EU, "http://127.0.0.1:3", true);
	expect_base(&config, CUSTOMERIO_PIPELINES, REGION_US, "https://cdp.customer.io", false);
	expect_base(&config, CUSTOMERIO_PIPELINES, REGION_EU, "http://127.0.0.1:4", true);
}

Test(region, names)
{
	static const enum region regions[] = {REGION_US, REGION_EU, REGION_AUTO};
	for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		enum region read;
		cr_assert(region_parse(region_name(regions[i]), &read));
		cr_assert_eq(read, regions[i]);
	}
	enum region untouched = REGION_EU;
	cr_assert_not(region_parse(SLICE("EU"), &untouched));
	cr_assert_not(region_parse(SLICE(""), &untouched));
	cr_assert_eq(untouched, REGION_EU);
	cr_assert_eq(region_other(REGION_US), REGION_EU);
	cr_assert_eq(region_other(REGION_EU), REGION_US);
}
