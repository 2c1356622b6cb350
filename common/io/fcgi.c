// The accept loop and the streams of one request. libfcgi never waits for a connection itself: it is handed one that
// was accepted here, through the public fields of its request.
#include "io/fcgi.h"

#include "base/clock.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// How long a silent peer may hold a worker.
#define PARAMETERS_SECONDS 5
#define BODY_SECONDS 30
#define ANSWER_SECONDS 30

// A body that trickles: waited for longer than BODY_SECONDS in all and slower than this.
#define BODY_BYTES_PER_SECOND 1024

#define DRAIN_MAXIMUM (INT64_C(64) << 20) // bytes
#define DRAIN_SECONDS 10

#define IDLE_MS 1000
#define GIVE_WAY_MS 2          // before an idle kept connection makes room for a new one
#define EXHAUSTED_MS 100       // pause when the system has no descriptor or memory for a connection
#define WRITE_CHUNK (1 << 20)  // libfcgi counts in int
#define CLOSE_POLL_MS "50"     // libfcgi's own default, 2000, holds up the next request
#define LENGTH_UNKNOWN INT64_C(-1)

struct fcgi {
	int listener; // -1: plain CGI
	int signals;  // readable once a signal asked to end
	FCGX_Request request;
	int receive_seconds; // the limit in force on the connection
	bool stopping;
	bool cgi_done;

	int64_t expected, received; // bytes of the body
	int64_t waited_us;          // for the body
	bool ended, drained;
	enum result body; // what fcgi_read keeps answering
};

bool fcgi_is_plain_cgi(void)
{
	return FCGX_GetParam("REQUEST_METHOD", environ) && !fcgi_is_listener(STDIN_FILENO);
}

// The signals stay blocked for good and are waited for beside the sockets: no read is ever interrupted (libfcgi takes
// EINTR for the end of the body), and a busy worker still sees them, which ppoll would not deliver.
static int fcgi_take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool fcgi_prepare_listener(int listener)
{
	int flags = fcntl(listener, F_GETFL);
	int on = 1;

	// Connections inherit it; it fails on a Unix socket, which does not need it.
	(void)setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return flags >= 0 && fcntl(listener, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool fcgi_prepare_library(void)
{
	if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", CLOSE_POLL_MS, 0) != 0)
		return false;
	return FCGX_Init() == 0;
}

struct fcgi *fcgi_new(int listener)
{
	struct fcgi *fcgi = calloc(1, sizeof(*fcgi));
	bool ready = fcgi && (listener < 0 || (fcgi_prepare_library() && fcgi_prepare_listener(listener)));

	if (!ready) {
		free(fcgi);
		return NULL;
	}
	// After FCGX_Init, which puts a handler of its own in the place of SIG_IGN.
	signal(SIGPIPE, SIG_IGN);

	// -1: should FCGX_Accept_r ever try to accept by itself, it fails instead of waiting.
	FCGX_InitRequest(&fcgi->request, -1, 0);
	fcgi->listener = listener;
	fcgi->signals = listener < 0 ? -1 : fcgi_take_signals();
	if (listener >= 0 && fcgi->signals < 0) {
		fcgi_free(fcgi);
		return NULL;
	}
	return fcgi;
}

void fcgi_free(struct fcgi *fcgi)
{
	if (!fcgi)
		return;
	FCGX_Free(&fcgi->request, 1);
	if (fcgi->signals >= 0)
		close(fcgi->signals);
	free(fcgi);
}

static void fcgi_limit_receive(struct fcgi *fcgi, int seconds)
{
	struct timeval limit = {.tv_sec = seconds};

	if (fcgi->receive_seconds == seconds)
		return;
	fcgi->receive_seconds = seconds;
	(void)setsockopt(fcgi->request.ipcFd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static bool errno_is_exhaustion(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
}

// Takes a connection from the listener, if there is one left: other workers wait for the same. An idle kept connection
// gives way only then, so it never pins this worker and is never dropped for nothing.
static enum result fcgi_take_connection(struct fcgi *fcgi)
{
	struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	int connection = accept4(fcgi->listener, NULL, NULL, SOCK_CLOEXEC);

	if (connection < 0 && errno_is_exhaustion()) {
		poll(NULL, 0, EXHAUSTED_MS);
		return RESULT_OK;
	}
	if (connection < 0)
		return errno == EBADF || errno == EINVAL || errno == ENOTSOCK ? RESULT_UNAVAILABLE : RESULT_OK;

	FCGX_Free(&fcgi->request, 1);
	fcgi->request.ipcFd = connection;
	fcgi->receive_seconds = 0;
	(void)setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return RESULT_OK;
}

// A kept connection that is about to give way may just be getting its next request. A web server takes the one that it
// used last, so after a moment of silence it is an unlikely choice.
static bool fcgi_is_used_again(int kept)
{
	struct pollfd polled = {.fd = kept, .events = POLLIN};

	return kept >= 0 && poll(&polled, 1, GIVE_WAY_MS) > 0;
}

// Returns RESULT_OK when request.ipcFd is a connection to read a request from.
static enum result fcgi_wait(struct fcgi *fcgi, void (*idle)(void *context), void *context)
{
	for (;;) {
		int kept = fcgi->request.ipcFd;
		struct pollfd polled[] = {
			{.fd = fcgi->signals, .events = POLLIN},
			{.fd = fcgi->listener, .events = POLLIN},
			{.fd = kept, .events = POLLIN},
		};
		int ready = poll(polled, COUNT_OF(polled), idle ? IDLE_MS : -1);

		if (ready < 0 && errno != EINTR)
			return RESULT_UNAVAILABLE;
		if (ready < 0)
			continue;
		if (ready == 0) {
			idle(context);
			continue;
		}
		// A request that came on a kept connection is served even now: the web server may not send it again.
		fcgi->stopping = polled[0].revents != 0;
		if (polled[2].revents)
			return RESULT_OK;
		if (fcgi->stopping)
			return RESULT_STOP;
		if (fcgi_is_used_again(kept))
			return RESULT_OK;
		TRY(fcgi_take_connection(fcgi));
		if (fcgi->request.ipcFd != kept)
			return RESULT_OK;
	}
}

static void fcgi_expect_body(struct fcgi *fcgi)
{
	struct slice length = slice_of(fcgi_parameter(fcgi, "CONTENT_LENGTH"));

	// Not a number: web servers send "" or "-1" with chunked bodies.
	if (!slice_to_integer(length, 0, INT64_MAX, &fcgi->expected))
		fcgi->expected = LENGTH_UNKNOWN;
	fcgi->received = 0;
	fcgi->waited_us = 0;
	fcgi->ended = false;
	fcgi->drained = false;
	fcgi->body = RESULT_OK;
}

// False when the peer sent no request after all; the connection is then closed.
static bool fcgi_begin(struct fcgi *fcgi)
{
	fcgi_limit_receive(fcgi, PARAMETERS_SECONDS);
	// FCGX_Accept_r finishes "the last request" first and would close our connection without it. FCGI_BEGIN_REQUEST
	// then says what holds.
	fcgi->request.keepConnection = 1;
	if (FCGX_Accept_r(&fcgi->request) < 0)
		return false;
	// It takes parameters that were cut off for whole ones; the error of the stream alone tells.
	if (fcgi->request.role != FCGI_RESPONDER || FCGX_GetError(fcgi->request.in) != 0) {
		FCGX_Free(&fcgi->request, 1);
		return false;
	}
	fcgi_expect_body(fcgi);
	return true;
}

static enum result cgi_accept(struct fcgi *fcgi)
{
	if (fcgi->cgi_done)
		return RESULT_STOP;
	fcgi->cgi_done = true;
	fcgi_expect_body(fcgi);
	// Only a CONTENT_LENGTH announces a body (RFC 3875 section 4.1.2); without one standard input may never end.
	if (fcgi->expected == LENGTH_UNKNOWN)
		fcgi->expected = 0;
	return RESULT_OK;
}

enum result fcgi_accept(struct fcgi *fcgi, void (*idle)(void *context), void *context)
{
	if (fcgi->listener < 0)
		return cgi_accept(fcgi);
	do
		TRY(fcgi_wait(fcgi, idle, context));
	while (!fcgi_begin(fcgi));
	return RESULT_OK;
}

const char *fcgi_parameter(void *source, const char *name)
{
	struct fcgi *fcgi = source;

	return FCGX_GetParam(name, fcgi->listener < 0 ? environ : fcgi->request.envp);
}

// What one read of the connection brings, at most. FCGX_GetStr would wait until `capacity` is full.
static size_t fcgi_read_some(struct fcgi *fcgi, char *bytes, size_t capacity)
{
	FCGX_Stream *in = fcgi->request.in;
	int64_t since_us = clock_monotonic_us();
	int first = FCGX_GetChar(in);
	size_t ready = (size_t)(in->stop - in->rdNext);

	fcgi->waited_us += clock_monotonic_us() - since_us;
	if (first < 0)
		return 0;
	bytes[0] = (char)first;
	if (ready > capacity - 1)
		ready = capacity - 1;
	return 1 + (size_t)FCGX_GetStr(bytes + 1, (int)ready, in);
}

static size_t cgi_read_some(struct fcgi *fcgi, char *bytes, size_t capacity)
{
	int64_t left = fcgi->expected - fcgi->received;
	ssize_t got;

	if (left < (int64_t)capacity)
		capacity = (size_t)left;
	do
		got = read(STDIN_FILENO, bytes, capacity);
	while (got < 0 && errno == EINTR);
	return got > 0 ? (size_t)got : 0;
}

static bool fcgi_body_trickles(const struct fcgi *fcgi)
{
	int64_t seconds = fcgi->waited_us / 1000000;

	return seconds > BODY_SECONDS && fcgi->received / seconds < BODY_BYTES_PER_SECOND;
}

static bool fcgi_body_is_sound(const struct fcgi *fcgi)
{
	if (fcgi->listener >= 0 && FCGX_GetError(fcgi->request.in) != 0)
		return false;
	if (fcgi->expected != LENGTH_UNKNOWN &&
	    (fcgi->ended ? fcgi->received != fcgi->expected : fcgi->received > fcgi->expected))
		return false;
	return !fcgi_body_trickles(fcgi);
}

enum result fcgi_read(void *source, char *bytes, size_t capacity, size_t *length)
{
	struct fcgi *fcgi = source;
	bool plain = fcgi->listener < 0;
	size_t got = 0;

	if (fcgi->body != RESULT_OK)
		return fcgi->body;
	if (!plain)
		fcgi_limit_receive(fcgi, BODY_SECONDS);
	if (!fcgi->ended)
		got = plain ? cgi_read_some(fcgi, bytes, capacity) : fcgi_read_some(fcgi, bytes, capacity);
	fcgi->received += (int64_t)got;
	if (got == 0)
		fcgi->ended = true;
	if (!fcgi_body_is_sound(fcgi))
		fcgi->body = RESULT_MALFORMED;
	else
		*length = got;
	return fcgi->body;
}

// Only a body that was read to its end makes what comes next on the connection the next request.
static void fcgi_drain(struct fcgi *fcgi)
{
	FCGX_Stream *in = fcgi->request.in;
	int64_t until_us = clock_monotonic_us() + DRAIN_SECONDS * INT64_C(1000000);
	int64_t drained = 0;
	char bytes[8192];

	if (fcgi->drained)
		return;
	fcgi->drained = true;
	if (!FCGX_HasSeenEOF(in))
		fcgi_limit_receive(fcgi, PARAMETERS_SECONDS);
	while (!FCGX_HasSeenEOF(in) && drained <= DRAIN_MAXIMUM && clock_monotonic_us() < until_us)
		drained += (int64_t)fcgi_read_some(fcgi, bytes, sizeof(bytes));
	if (!FCGX_HasSeenEOF(in) || FCGX_GetError(in) != 0)
		fcgi->request.keepConnection = 0;
}

static enum result cgi_write(struct slice bytes)
{
	while (bytes.length > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes.data, bytes.length);

		if (written < 0 && errno != EINTR)
			return RESULT_UNAVAILABLE;
		if (written > 0)
			bytes = slice_from(bytes, (size_t)written);
	}
	return RESULT_OK;
}

enum result fcgi_write(struct fcgi *fcgi, struct slice bytes)
{
	FCGX_Stream *out = fcgi->request.out;

	if (fcgi->listener < 0)
		return cgi_write(bytes);

	// A web server that is still sending the body may not read the answer yet: each would wait for the other.
	fcgi_drain(fcgi);
	while (bytes.length > 0) {
		size_t chunk = bytes.length < WRITE_CHUNK ? bytes.length : WRITE_CHUNK;

		if (FCGX_PutStr(bytes.data, (int)chunk, out) < 0 || FCGX_GetError(out) != 0)
			return RESULT_UNAVAILABLE;
		bytes = slice_from(bytes, chunk);
	}
	return RESULT_OK;
}

// Closing together with the answer tells the web server at once. Closing later, when the connection lies idle in its
// hands, would now and then take away one that it is just sending a request on.
static bool fcgi_somebody_waits(const struct fcgi *fcgi)
{
	struct pollfd polled = {.fd = fcgi->listener, .events = POLLIN};

	return poll(&polled, 1, 0) > 0;
}

void fcgi_abort(struct fcgi *fcgi)
{
	if (fcgi->listener >= 0)
		FCGX_Free(&fcgi->request, 1);
}

void fcgi_finish(struct fcgi *fcgi)
{
	if (fcgi->listener < 0 || fcgi->request.ipcFd < 0)
		return;
	fcgi_drain(fcgi);
	if (fcgi->request.keepConnection && (fcgi->stopping || fcgi_somebody_waits(fcgi)))
		fcgi->request.keepConnection = 0;
	FCGX_Finish_r(&fcgi->request);
}
