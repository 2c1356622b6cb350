// Which addresses belong to the public internet. No I/O.
#ifndef CIOBRIDGE_IO_PUBLIC_ADDRESS_H
#define CIOBRIDGE_IO_PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

// False for everything that the IANA special-purpose registries (RFC 6890) keep from the public internet, such as
// loopback, private, link-local, shared (RFC 6598) and multicast addresses; for IPv6 addresses that carry an IPv4
// address (mapped, compatible, NAT64, 6to4, Teredo), whatever that is; and for families other than these two.
bool address_is_public(const struct sockaddr *address, size_t length);

#endif
