#include "peer.h"

#include "base/clock.h"
#include "base/result.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAXIMUM 256
#define REQUEST_MAXIMUM 65536 // bytes
#define ANSWERS_MAXIMUM 64

struct peer {
	pthread_t thread;
	pthread_mutex_t lock; // over what follows
	struct {
		char *text;
		int64_t us;
	} requests[REQUESTS_MAXIMUM];
	size_t request_count, connection_count;

	struct peer_answer answers[ANSWERS_MAXIMUM];
	size_t answer_count;
	int listener, stop;
	char url[64];
};

// False when the peer is to end. A connection of -1 is not waited for.
static bool peer_wait(const struct peer *peer, int connection, short events, int timeout_ms, bool *newcomer)
{
	struct pollfd waiting[] = {
		{.fd = peer->stop, .events = POLLIN},
		{.fd = connection, .events = events},
		{.fd = newcomer != NULL ? peer->listener : -1, .events = POLLIN},
	};

	poll(waiting, COUNT_OF(waiting), timeout_ms);
	if (newcomer != NULL)
		*newcomer = waiting[2].revents != 0 && waiting[1].revents == 0;
	return waiting[0].revents == 0;
}

static size_t peer_body_length(const char *headers)
{
	const char *line = strcasestr(headers, "\r\ncontent-length:");
	unsigned long length = 0;

	if (line != NULL)
		sscanf(line + strlen("\r\ncontent-length:"), "%lu", &length);
	return length;
}

// A whole request, in memory of its own; NULL when the client has gone, or another one has come, or the peer ends.
static char *peer_read(const struct peer *peer, int connection)
{
	char *text = calloc(1, REQUEST_MAXIMUM + 1);
	size_t length = 0;

	for (;;) {
		const char *end = strstr(text, "\r\n\r\n");
		if (end != NULL && length >= (size_t)(end + 4 - text) + peer_body_length(text))
			return text;
		bool newcomer;
		ssize_t got = 0;
		if (peer_wait(peer, connection, POLLIN, -1, &newcomer) && !newcomer)
			got = recv(connection, text + length, REQUEST_MAXIMUM - length, 0);
		if (got <= 0) {
			free(text);
			return NULL;
		}
		length += (size_t)got;
	}
}

// False when nobody takes it any more.
static bool peer_send(const struct peer *peer, int connection, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		if (!peer_wait(peer, connection, POLLOUT, -1, NULL))
			return false;
		ssize_t sent = send(connection, text, left, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return false;
		text += sent;
		left -= (size_t)sent;
	}
	return true;
}

static const struct peer_answer *peer_keep(struct peer *peer, char *request)
{
	pthread_mutex_lock(&peer->lock);
	size_t index = peer->request_count;
	if (index < REQUESTS_MAXIMUM) {
		peer->requests[index].text = request;
		peer->requests[index].us = clock_monotonic_us();
		peer->request_count++;
	} else {
		free(request);
	}
	pthread_mutex_unlock(&peer->lock);
	return &peer->answers[index < peer->answer_count ? index : peer->answer_count - 1];
}

// True when the connection is to be used again.
static bool peer_answer(const struct peer *peer, int connection, const struct peer_answer *answer)
{
	char byte;

	if (answer->pause_ms > 0 && !peer_wait(peer, -1, 0, (int)answer->pause_ms, NULL))
		return false;
	if (answer->text != NULL && !peer_send(peer, connection, answer->text))
		return false;
	while (answer->endless != NULL) {
		if (!peer_wait(peer, -1, 0, (int)answer->pause_ms, NULL) ||
		    !peer_send(peer, connection, answer->endless))
			return false;
	}
	if (answer->end == PEER_HANGS && peer_wait(peer, connection, POLLIN, -1, NULL))
		(void)!recv(connection, &byte, 1, 0);
	if (answer->end == PEER_RESETS)
		setsockopt(connection, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
	return answer->end == PEER_KEEPS;
}

static void *peer_run(void *context)
{
	struct peer *peer = context;

	while (peer_wait(peer, peer->listener, POLLIN, -1, NULL)) {
		int connection = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
		char *request;

		pthread_mutex_lock(&peer->lock);
		peer->connection_count++;
		pthread_mutex_unlock(&peer->lock);
		do
			request = peer_read(peer, connection);
		while (request != NULL && peer_answer(peer, connection, peer_keep(peer, request)));
		close(connection);
	}
	return NULL;
}

struct peer *peer_open(const struct peer_answer *answers, size_t count)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	struct peer *peer = calloc(1, sizeof(*peer));

	cr_assert(peer != NULL && count > 0 && count <= ANSWERS_MAXIMUM);
	memcpy(peer->answers, answers, count * sizeof(*answers));
	peer->answer_count = count;
	pthread_mutex_init(&peer->lock, NULL);
	peer->stop = eventfd(0, EFD_CLOEXEC);
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	cr_assert(listen(peer->listener, 16) == 0);
	cr_assert(getsockname(peer->listener, (struct sockaddr *)&address, &length) == 0);
	snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	cr_assert(pthread_create(&peer->thread, NULL, peer_run, peer) == 0);
	return peer;
}

void peer_close(struct peer **opened)
{
	struct peer *peer = *opened;

	cr_assert(eventfd_write(peer->stop, 1) == 0);
	pthread_join(peer->thread, NULL);
	close(peer->stop);
	close(peer->listener);
	for (size_t i = 0; i < peer->request_count; i++)
		free(peer->requests[i].text);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
}

struct slice peer_url(const struct peer *peer)
{
	return slice_of(peer->url);
}

size_t peer_requests(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	size_t count = peer->request_count;
	pthread_mutex_unlock(&peer->lock);
	return count;
}

size_t peer_connections(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	size_t count = peer->connection_count;
	pthread_mutex_unlock(&peer->lock);
	return count;
}

const char *peer_request(struct peer *peer, size_t index)
{
	cr_assert(index < peer_requests(peer), "there was no request %zu", index);
	return peer->requests[index].text;
}

int64_t peer_request_us(struct peer *peer, size_t index)
{
	cr_assert(index < peer_requests(peer), "there was no request %zu", index);
	return peer->requests[index].us;
}

const char *peer_json(struct arena *arena, const char *status, const char *headers, const char *body)
{
	struct slice text = arena_format(arena,
	                                 "HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\n"
	                                 "Content-Length: %zu\r\n%s\r\n%s",
	                                 status, strlen(body), headers, body);

	cr_assert(text.data != NULL);
	return text.data;
}
