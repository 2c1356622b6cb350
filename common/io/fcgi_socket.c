// Addresses of FastCGI servers: listening at one, and asking the server at one for a page.
#include "base/clock.h"
#include "io/fcgi.h"

#include <errno.h>
#include <fastcgi.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024 // the kernel caps it at net.core.somaxconn
#define SOCKET_MODE 0660
#define HOST_SIZE 256
#define PORT_SIZE 6
#define PROBE_SECONDS 3
#define PROBE_PATH_MAXIMUM 64
#define PROBE_REQUEST_SIZE 512
#define PROBE_HEAD_SIZE 1024 // of the answer; its status stands in the first lines

// An address of either kind, as bind and connect want it.
struct socket_address {
	struct sockaddr_storage storage;
	socklen_t length;
};

static enum result socket_unix_address(struct slice path, struct socket_address *found)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&found->storage;

	if (path.length == 0 || path.length >= sizeof(address->sun_path) || slice_contains(path, '\0'))
		return RESULT_INVALID;
	*found = (struct socket_address){.length = sizeof(*address)};
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path.data, path.length);
	return RESULT_OK;
}

// Cuts "host:port" or "[v6]:port" at its last colon.
static enum result socket_split(struct slice address, char host[static HOST_SIZE], char port[static PORT_SIZE])
{
	const char *colon = address.length > 0 ? memrchr(address.data, ':', address.length) : NULL;
	struct slice name, number;
	int64_t value;

	if (!colon)
		return RESULT_INVALID;
	name = (struct slice){address.data, (size_t)(colon - address.data)};
	number = slice_from(address, name.length + 1);
	if (name.length > 2 && name.data[0] == '[' && name.data[name.length - 1] == ']')
		name = (struct slice){name.data + 1, name.length - 2};
	else if (slice_contains(name, ':') || slice_contains(name, '['))
		return RESULT_INVALID;
	if (slice_is_empty(name) || name.length >= HOST_SIZE || slice_contains(name, '\0') ||
	    !slice_to_integer(number, 1, 65535, &value))
		return RESULT_INVALID;
	memcpy(host, name.data, name.length);
	host[name.length] = '\0';
	snprintf(port, PORT_SIZE, "%d", (int)value);
	return RESULT_OK;
}

static enum result socket_tcp_address(struct slice text, struct socket_address *found)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list;
	char host[HOST_SIZE], port[PORT_SIZE];

	TRY(socket_split(text, host, port));
	if (getaddrinfo(host, port, &hints, &list) != 0) {
		errno = EADDRNOTAVAIL;
		return RESULT_UNAVAILABLE;
	}
	found->length = list->ai_addrlen;
	memcpy(&found->storage, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return RESULT_OK;
}

static enum result socket_address_read(struct slice text, struct socket_address *found)
{
	if (slice_starts_with(text, SLICE("unix:")))
		return socket_unix_address(slice_from(text, 5), found);
	return socket_tcp_address(text, found);
}

static const struct sockaddr *socket_sockaddr(const struct socket_address *address)
{
	return (const struct sockaddr *)&address->storage;
}

static int socket_open(const struct socket_address *address)
{
	return socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

// A socket file that nobody listens at any more. Anything else that lies at the path stays.
static bool socket_is_stale(const struct socket_address *address)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;
	struct stat status;
	int probe;
	bool refused;

	if (lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return false;
	probe = socket_open(address);
	if (probe < 0)
		return false;
	refused = connect(probe, socket_sockaddr(address), address->length) != 0 && errno == ECONNREFUSED;
	close(probe);
	return refused;
}

static bool socket_bind(int listener, const struct socket_address *address)
{
	const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;
	int on = 1;

	if (address->storage.ss_family != AF_UNIX)
		return setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		       bind(listener, socket_sockaddr(address), address->length) == 0;
	if (bind(listener, socket_sockaddr(address), address->length) != 0) {
		if (errno != EADDRINUSE)
			return false;
		if (!socket_is_stale(address)) {
			errno = EADDRINUSE;
			return false;
		}
		if (unlink(name->sun_path) != 0 || bind(listener, socket_sockaddr(address), address->length) != 0)
			return false;
	}
	// Nobody can connect before listen(), so the mode that the umask gave was never in force.
	return chmod(name->sun_path, SOCKET_MODE) == 0;
}

enum result fcgi_listen(struct slice text, int *listener)
{
	struct socket_address address;
	int opened;

	TRY(socket_address_read(text, &address));
	opened = socket_open(&address);
	if (opened < 0)
		return RESULT_UNAVAILABLE;
	if (!socket_bind(opened, &address) || listen(opened, BACKLOG) != 0) {
		int reason = errno;

		close(opened);
		errno = reason;
		return RESULT_UNAVAILABLE;
	}
	*listener = opened;
	return RESULT_OK;
}

bool fcgi_is_listener(int descriptor)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

static size_t probe_add_record(unsigned char *request, unsigned char type, const void *content, size_t length)
{
	FCGI_Header header = {
	        .version = FCGI_VERSION_1,
	        .type = type,
	        .requestIdB0 = 1,
	        .contentLengthB1 = (unsigned char)(length >> 8),
	        .contentLengthB0 = (unsigned char)length,
	};

	memcpy(request, &header, sizeof(header));
	if (length > 0)
		memcpy(request + sizeof(header), content, length);
	return sizeof(header) + length;
}

// Both shorter than 128 bytes.
static size_t probe_add_parameter(unsigned char *content, const char *name, const char *value)
{
	size_t name_length = strlen(name), value_length = strlen(value);

	content[0] = (unsigned char)name_length;
	content[1] = (unsigned char)value_length;
	memcpy(content + 2, name, name_length);
	memcpy(content + 2 + name_length, value, value_length);
	return 2 + name_length + value_length;
}

static size_t probe_build(unsigned char request[static PROBE_REQUEST_SIZE], const char *path)
{
	FCGI_BeginRequestBody begin = {.roleB0 = FCGI_RESPONDER};
	unsigned char content[PROBE_REQUEST_SIZE];
	size_t length = 0, size = 0;

	length += probe_add_parameter(content + length, "REQUEST_METHOD", "GET");
	length += probe_add_parameter(content + length, "SCRIPT_NAME", path);
	length += probe_add_parameter(content + length, "REQUEST_URI", path);
	length += probe_add_parameter(content + length, "CONTENT_LENGTH", "0");

	size += probe_add_record(request + size, FCGI_BEGIN_REQUEST, &begin, sizeof(begin));
	size += probe_add_record(request + size, FCGI_PARAMS, content, length);
	size += probe_add_record(request + size, FCGI_PARAMS, NULL, 0);
	size += probe_add_record(request + size, FCGI_STDIN, NULL, 0);
	return size;
}

// Lets the next call on the socket wait until `until_us` at most.
static bool probe_limit(int connection, int option, int64_t until_us)
{
	int64_t left_us = until_us - clock_monotonic_us();
	struct timeval limit = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};

	return left_us > 0 && setsockopt(connection, SOL_SOCKET, option, &limit, sizeof(limit)) == 0;
}

static bool probe_receive(int connection, void *bytes, size_t length, int64_t until_us)
{
	size_t received = 0;

	while (received < length) {
		if (!probe_limit(connection, SO_RCVTIMEO, until_us))
			return false;
		ssize_t got = recv(connection, (char *)bytes + received, length - received, 0);
		if (got <= 0)
			return false;
		received += (size_t)got;
	}
	return true;
}

// Collects what the server writes, up to the end of the request or a full `head`.
static struct slice probe_receive_head(int connection, char head[static PROBE_HEAD_SIZE], int64_t until_us)
{
	char content[FCGI_MAX_LENGTH + UINT8_MAX];
	size_t length = 0;
	FCGI_Header header;

	while (length < PROBE_HEAD_SIZE && probe_receive(connection, &header, sizeof(header), until_us)) {
		size_t size = (size_t)header.contentLengthB1 << 8 | header.contentLengthB0;

		if (header.type == FCGI_END_REQUEST ||
		    !probe_receive(connection, content, size + header.paddingLength, until_us))
			break;
		if (header.type != FCGI_STDOUT)
			continue;
		if (size > PROBE_HEAD_SIZE - length)
			size = PROBE_HEAD_SIZE - length;
		memcpy(head + length, content, size);
		length += size;
	}
	return (struct slice){head, length};
}

// Without a Status line the status is 200 (RFC 3875 section 6.3.3).
static bool probe_is_good(struct slice head)
{
	const struct slice status = SLICE("status:");
	bool answered = head.length > 0;

	while (head.data) {
		struct slice line = slice_trim(slice_split(&head, '\n'));

		if (slice_is_empty(line))
			break;
		if (line.length >= status.length &&
		    slice_equal_ignoring_case((struct slice){line.data, status.length}, status))
			return slice_starts_with(slice_trim(slice_from(line, status.length)), SLICE("200"));
	}
	return answered;
}

enum result fcgi_probe(struct slice text, const char *path)
{
	int64_t until_us = clock_monotonic_us() + PROBE_SECONDS * INT64_C(1000000);
	struct socket_address address;
	unsigned char request[PROBE_REQUEST_SIZE];
	char head[PROBE_HEAD_SIZE];

	if (strlen(path) > PROBE_PATH_MAXIMUM)
		return RESULT_INVALID;
	TRY(socket_address_read(text, &address));
	int connection = socket_open(&address);
	if (connection < 0)
		return RESULT_UNAVAILABLE;

	size_t size = probe_build(request, path);
	bool good = probe_limit(connection, SO_SNDTIMEO, until_us) &&
	            connect(connection, socket_sockaddr(&address), address.length) == 0 &&
	            send(connection, request, size, MSG_NOSIGNAL) == (ssize_t)size &&
	            probe_is_good(probe_receive_head(connection, head, until_us));
	close(connection);
	return good ? RESULT_OK : RESULT_UNAVAILABLE;
}
