// FastCGI (and plain CGI) over libfcgi: the accept loop and one request's streams. The only door to the web server.
//
// What libfcgi does badly is done here instead: waiting with signals, accepting, time limits, draining unread bodies
// before a connection is used again. One process serves one request at a time.
//
// A FastCGI port is never public: libfcgi answers FCGI_GET_VALUES with repeated names out of a 64-byte buffer, so
// whoever reaches the port can end a worker, and whoever reaches it names the remote user. FCGI_WEB_SERVER_ADDRS is
// not looked at. Use a Unix socket, or TCP within one machine or pod.
#ifndef CIOBRIDGE_IO_FCGI_H
#define CIOBRIDGE_IO_FCGI_H

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct fcgi;

// True when the web server runs this process as plain CGI (RFC 3875): REQUEST_METHOD is set and descriptor 0 is no
// listening socket.
bool fcgi_is_plain_cgi(void);

// Serves on `listener`, a listening socket (made non-blocking here), or plain CGI on standard input and output when
// `listener` is -1. With a listener, SIGTERM, SIGINT, SIGHUP and SIGUSR1 are blocked from here on and end the loop
// after the present request. SIGPIPE is ignored. NULL without memory or descriptors.
struct fcgi *fcgi_new(int listener);
void fcgi_free(struct fcgi *fcgi); // NULL is allowed

// Waits for the next request and reads its parameters. RESULT_OK: there is one, to be ended by fcgi_finish.
// RESULT_STOP: a signal asked to end, or the one CGI request is done. RESULT_UNAVAILABLE: the listener fails (errno
// says how). `idle`, called about once a second while waiting, may be NULL.
enum result fcgi_accept(struct fcgi *fcgi, void (*idle)(void *context), void *context);

// A CGI meta-variable of the present request (RFC 3875 section 4.1); NULL when it is absent.
const char *fcgi_parameter(void *fcgi, const char *name);

// Reads up to `capacity` (at least 1) bytes of the body. *length 0 is its end. RESULT_MALFORMED when the body ends
// early, is longer or shorter than a numeric CONTENT_LENGTH says, comes too slowly, or the connection failed; that
// result then stays.
enum result fcgi_read(void *fcgi, char *bytes, size_t capacity, size_t *length);

// Writes a part of the answer; reads what is left of the body first, as fcgi_finish says. RESULT_UNAVAILABLE when the
// web server has gone.
enum result fcgi_write(struct fcgi *fcgi, struct slice bytes);

// Breaks the connection in the middle of an answer, so that the web server and its client see that it is not whole.
void fcgi_abort(struct fcgi *fcgi);

// Ends the present request, unless it was broken off. Reads an unread body to its end, within limits, so that its bytes
// can never be taken for the next request; where that fails the connection is closed.
void fcgi_finish(struct fcgi *fcgi);

// Opens a listening socket: "unix:/path" (mode 0660, a stale one is replaced) or "host:port" (an address or a name,
// of which the first address counts; IPv6 in brackets). RESULT_INVALID when it is neither, RESULT_UNAVAILABLE (errno
// says why) when it cannot be opened.
enum result fcgi_listen(struct slice address, int *listener);

// True for a listening socket, such as descriptor 0 is when spawn-fcgi, systemd or multiwatch
// started this process.
bool fcgi_is_listener(int descriptor);

// Asks the FastCGI server at `address` for GET `path`, within 3 s. RESULT_OK when its status is 200.
enum result fcgi_probe(struct slice address, const char *path);

#endif
