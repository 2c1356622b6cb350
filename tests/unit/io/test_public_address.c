// Which addresses may be connected to: the first and last of each special block, and their neighbours.
#include "io/public_address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

static bool is_public(const char *text)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		return address_is_public((const struct sockaddr *)&ipv4, sizeof(ipv4));
	cr_assert(inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1, "%s", text);
	return address_is_public((const struct sockaddr *)&ipv6, sizeof(ipv6));
}

Test(public_address, special_ones)
{
	static const char *const special[] = {
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
		"127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255",
		"172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.1", "192.31.196.1",
		"192.52.193.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0",
		"198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.0", "239.255.255.255", "240.0.0.0",
		"255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
		"64:ff9b::a00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:1ff:ffff::1",
		"2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1",
		"3fff:fff:ffff::1", "4000::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1",
		"1fff:ffff::1",
	};
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		cr_expect_not(is_public(special[i]), "%s", special[i]);
}

Test(public_address, public_ones)
{
	static const char *const public[] = {
		"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "2000::1", "2001:200::1",
		"2001:db7:ffff::1", "2001:db9::1", "2003::1", "2606:4700::1", "2a00:1450::1", "3ffe:ffff::1",
	};
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
		cr_expect(is_public(public[i]), "%s", public[i]);
}

Test(public_address, other_families_and_cut_ones)
{
	struct sockaddr_in cut = {.sin_family = AF_INET};
	struct sockaddr other = {.sa_family = AF_UNIX};
	inet_pton(AF_INET, "8.8.8.8", &cut.sin_addr);
	cr_assert_not(address_is_public((const struct sockaddr *)&cut, sizeof(cut) - 1));
	cr_assert_not(address_is_public(&other, sizeof(other)));
}
