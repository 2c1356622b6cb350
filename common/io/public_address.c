#include "io/public_address.h"

#include "base/result.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

struct address_block {
	unsigned char bytes[16];
	int bits;
};

static const struct address_block address_special_ipv4[] = {
	{{0}, 8},              // this network
	{{10}, 8},             // private
	{{100, 64}, 10},       // shared by customers of a carrier
	{{127}, 8},            // loopback
	{{169, 254}, 16},      // link-local, and where clouds answer for a machine's credentials
	{{172, 16}, 12},       // private
	{{192, 0, 0}, 24},     // protocol assignments
	{{192, 0, 2}, 24},     // documentation
	{{192, 31, 196}, 24},  // AS112
	{{192, 52, 193}, 24},  // automatic multicast tunnelling
	{{192, 88, 99}, 24},   // relays of 6to4
	{{192, 168}, 16},      // private
	{{192, 175, 48}, 24},  // AS112
	{{198, 18}, 15},       // benchmarks
	{{198, 51, 100}, 24},  // documentation
	{{203, 0, 113}, 24},   // documentation
	{{224}, 3},            // multicast, reserved, broadcast
};

// Only 2000::/3 is given out at all; these are the exceptions within it.
static const struct address_block address_global_ipv6 = {{0x20}, 3};
static const struct address_block address_special_ipv6[] = {
	{{0x20, 0x01, 0x00}, 23},                         // protocol assignments, Teredo among them
	{{0x20, 0x01, 0x0d, 0xb8}, 32},                   // documentation
	{{0x20, 0x02}, 16},                               // 6to4
	{{0x26, 0x20, 0x00, 0x4f, 0x80}, 48},             // AS112
	{{0x3f, 0xff}, 20},                               // documentation
};

static bool address_is_within(const unsigned char *bytes, const struct address_block *block)
{
	int whole = block->bits / 8, rest = block->bits % 8;
	unsigned char mask = (unsigned char)(0xff00 >> rest);

	return memcmp(bytes, block->bytes, (size_t)whole) == 0 &&
	       (rest == 0 || ((bytes[whole] ^ block->bytes[whole]) & mask) == 0);
}

static bool address_is_within_any(const unsigned char *bytes, const struct address_block *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (address_is_within(bytes, &blocks[i]))
			return true;
	}
	return false;
}

bool address_is_public(const struct sockaddr *address, size_t length)
{
	unsigned char bytes[16];

	// Copied, since nobody promises that it is aligned.
	if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
		memcpy(bytes, (const char *)address + offsetof(struct sockaddr_in, sin_addr), 4);
		return !address_is_within_any(bytes, address_special_ipv4,
		                              COUNT_OF(address_special_ipv4));
	}
	if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
		memcpy(bytes, (const char *)address + offsetof(struct sockaddr_in6, sin6_addr), 16);
		return address_is_within(bytes, &address_global_ipv6) &&
		       !address_is_within_any(bytes, address_special_ipv6,
		                              COUNT_OF(address_special_ipv6));
	}
	return false;
}
