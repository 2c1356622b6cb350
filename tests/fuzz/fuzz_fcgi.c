// The body reader, and which request comes next on a connection. The input is what a web server sends: a byte of
// switches, a line that is CONTENT_LENGTH, then records, each a byte that says what it is, two for its length, one for
// its padding, and its content. All records are well formed: libfcgi bears no others, and its port is never public. Nor
// is an empty one of another request among them: libfcgi drops the record behind it. No web server sends one, since
// libfcgi takes one request at a time.
#include "base/buffer.h"
#include "fuzz.h"
#include "io/fcgi.h"

#include <fastcgi.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SENT_MAXIMUM (64 << 10) // stays below a socket's buffer: this process is both ends
#define KEEP 1                  // the web server wants to keep the connection
#define WHOLE 2                 // it ends the body properly and sends another request
#define UNREAD 4                // the handler does not read the body
#define CAPACITY_SHIFT 3        // the rest says how much it reads at once
#define OTHER_REQUEST 16        // in the byte that says what a record is: it belongs to another request, if not empty

struct peer {
	int socket;
	struct buffer *sent;
	struct buffer *body;   // as it should arrive
	struct slice declared; // CONTENT_LENGTH
	bool ended;            // the body
	bool dead;             // in the middle of a record
};

static void peer_send(struct peer *peer, int type, int id, struct slice content, size_t length, size_t padding)
{
	static const char zeros[256];
	const unsigned char header[FCGI_HEADER_LEN] = {
		FCGI_VERSION_1, (unsigned char)type, 0, (unsigned char)id, (unsigned char)(length >> 8),
		(unsigned char)length, (unsigned char)padding};

	if (peer->dead)
		return;
	buffer_append(peer->sent, (struct slice){(const char *)header, sizeof(header)});
	buffer_append(peer->sent, content);
	if (content.length == length)
		buffer_append(peer->sent, (struct slice){zeros, padding});
	peer->dead = content.length < length || buffer_failed(peer->sent);
}

static void peer_begin(struct peer *peer, char name, bool keep, struct slice length)
{
	const char begin[8] = {0, FCGI_RESPONDER, keep ? FCGI_KEEP_CONN : 0};
	char text[256];
	int size = snprintf(text, sizeof(text), "%c%cNAME%c%c%cCONTENT_LENGTH%.*s", 4, 1, name, 14, (char)length.length,
	                    (int)length.length, length.data ? length.data : "");

	peer_send(peer, FCGI_BEGIN_REQUEST, 1, (struct slice){begin, sizeof(begin)}, sizeof(begin), 0);
	peer_send(peer, FCGI_PARAMS, 1, (struct slice){text, (size_t)size}, (size_t)size, 0);
	peer_send(peer, FCGI_PARAMS, 1, SLICE(""), 0, 0);
}

// Takes `count` bytes, or as many as there are.
static struct slice take(struct slice *rest, size_t count)
{
	struct slice taken = {rest->data, count < rest->length ? count : rest->length};

	*rest = slice_from(*rest, taken.length);
	return taken;
}

static void peer_send_record(struct peer *peer, struct slice *rest)
{
	struct slice head = take(rest, 4), content;
	unsigned char bytes[4] = {FCGI_STDIN};

	memcpy(bytes, head.data, head.length);
	size_t length = (size_t)bytes[1] << 8 | bytes[2];
	int type = bytes[0] % OTHER_REQUEST, id = bytes[0] & OTHER_REQUEST && length > 0 ? 2 : 1;
	content = take(rest, length);
	peer_send(peer, type, id, content, length, bytes[3]);
	if (type != FCGI_STDIN || id != 1)
		return;
	buffer_append(peer->body, content);
	peer->ended = length == 0 && !peer->dead;
}

// The first request.
static void peer_send_input(struct peer *peer, int switches, struct slice rest)
{
	struct slice line = slice_split(&rest, '\n');

	peer->declared = take(&line, 100);
	if (slice_contains(peer->declared, '\0'))
		peer->declared = slice_split(&peer->declared, '\0');
	peer_begin(peer, 'A', switches & KEEP, peer->declared);
	while (rest.length > 0 && !peer->ended)
		peer_send_record(peer, &rest);
	if (switches & WHOLE && !peer->ended) {
		peer_send(peer, FCGI_STDIN, 1, SLICE(""), 0, 0);
		peer->ended = !peer->dead;
	}
}

// Another one, without a body.
static void peer_send_next(struct peer *peer, char name)
{
	buffer_clear(peer->sent);
	peer_begin(peer, name, false, SLICE("0"));
	peer_send(peer, FCGI_STDIN, 1, SLICE(""), 0, 0);
}

static int fuzz_listener(struct sockaddr_un *address, socklen_t *length)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	// Bound to no name, it gets one that is no file.
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	REQUIRE(bind(listener, (struct sockaddr *)address, sizeof(address->sun_family)) == 0);
	*length = sizeof(*address);
	REQUIRE(getsockname(listener, (struct sockaddr *)address, length) == 0 && listen(listener, 16) == 0);
	return listener;
}

static struct sockaddr_un address;
static socklen_t address_length;

static struct fcgi *fuzz_server(void)
{
	static struct fcgi *fcgi;
	sigset_t none;

	if (fcgi)
		return fcgi;
	// libfcgi is not to wait for a peer that cannot close at the same time.
	REQUIRE(setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "1", 1) == 0);
	fcgi = fcgi_new(fuzz_listener(&address, &address_length));
	REQUIRE(fcgi);
	// The fuzzer itself is to be ended by them.
	sigemptyset(&none);
	REQUIRE(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
	return fcgi;
}

static struct peer peer_new(struct arena *arena)
{
	struct peer peer = {.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	                    .sent = buffer_new(arena, SENT_MAXIMUM), .body = buffer_new(arena, SENT_MAXIMUM)};

	REQUIRE(peer.sent && peer.body);
	REQUIRE(connect(peer.socket, (struct sockaddr *)&address, address_length) == 0);
	return peer;
}

// False when the other side has closed already.
static bool peer_flush(const struct peer *peer)
{
	struct slice sent = buffer_slice(peer->sent);

	return send(peer->socket, sent.data, sent.length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sent.length;
}

static void peer_stop(const struct peer *peer)
{
	REQUIRE(shutdown(peer->socket, SHUT_WR) == 0);
}

static void fuzz_read(struct fcgi *fcgi, const struct peer *peer, size_t capacity)
{
	char bytes[256 >> CAPACITY_SHIFT];
	size_t length, total = 0;
	int64_t declared;
	enum result result;

	while ((result = fcgi_read(fcgi, bytes, capacity, &length)) == RESULT_OK && length > 0) {
		REQUIRE(length <= capacity && total + length <= peer->body->length);
		REQUIRE(memcmp(bytes, peer->body->data + total, length) == 0);
		total += length;
	}
	REQUIRE(fcgi_read(fcgi, bytes, capacity, &length) == result);
	if (result != RESULT_OK)
		return;
	REQUIRE(peer->ended && total == peer->body->length);
	if (slice_to_integer(peer->declared, 0, INT64_MAX, &declared))
		REQUIRE((uint64_t)declared == total);
}

// Whose request comes next.
static char fuzz_accept(struct fcgi *fcgi)
{
	REQUIRE(fcgi_accept(fcgi, NULL, NULL) == RESULT_OK);
	const char *name = fcgi_parameter(fcgi, "NAME");
	REQUIRE(name && name[0] != '\0' && name[1] == '\0');
	return name[0];
}

static void fuzz_answer(struct fcgi *fcgi)
{
	(void)fcgi_write(fcgi, SLICE("Status: 200 OK\r\n\r\n"));
	fcgi_finish(fcgi);
}

// The first request, in which the peer may die.
static void fuzz_first(struct fcgi *fcgi, struct peer *peer, int switches, struct slice input)
{
	peer_send_input(peer, switches, input);
	REQUIRE(peer_flush(peer));
	if (!peer->ended)
		peer_stop(peer);
	REQUIRE(fuzz_accept(fcgi) == 'A');
	if (!(switches & UNREAD))
		fuzz_read(fcgi, peer, 1 + (size_t)(switches >> CAPACITY_SHIFT));
	fuzz_answer(fcgi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct fcgi *fcgi = fuzz_server();
	int switches = size > 0 ? data[0] : 0;
	struct peer first = peer_new(arena);

	fuzz_first(fcgi, &first, switches, slice_from(fuzz_slice(data, size), 1));
	if (first.ended && switches & WHOLE) {
		peer_send_next(&first, 'B');
		(void)peer_flush(&first);
	}
	if (first.ended)
		peer_stop(&first);
	// Not earlier: while somebody waits no connection is kept.
	struct peer last = peer_new(arena);
	peer_send_next(&last, 'C');
	REQUIRE(peer_flush(&last));
	peer_stop(&last);
	char name = fuzz_accept(fcgi);
	if (name == 'B') {
		REQUIRE(switches & KEEP && first.ended);
		fuzz_answer(fcgi);
		name = fuzz_accept(fcgi);
	}
	REQUIRE(name == 'C');
	fuzz_answer(fcgi);
	close(first.socket);
	close(last.socket);
	return 0;
}
