// Listening sockets: which addresses are good, what may be replaced, and asking after a server's health.
#include "io/fcgi.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAXIMUM 108 // of a unix socket, with its NUL
#define X100                                                                                                       \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                                                       \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static char directory[] = "/tmp/ciobridge-socket-XXXXXX", path[64], address[80];

static void set_up(void)
{
	cr_assert(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/socket", directory);
	snprintf(address, sizeof(address), "unix:%s", path);
}

static void tear_down(void)
{
	unlink(path);
	rmdir(directory);
}
TestSuite(fcgi_socket, .init = set_up, .fini = tear_down, .timeout = 60);

Test(fcgi_socket, addresses_that_are_none)
{
	static const struct slice cases[] = {
		SLICE(""), SLICE("localhost"), SLICE(":80"), SLICE("localhost:"), SLICE("localhost:0"),
		SLICE("localhost:65536"), SLICE("localhost:http"), SLICE("::1:80"), SLICE("[::1:80"), SLICE("[]:80"),
		SLICE("local\0host:80"), SLICE(X100 X100 X100 ":80"), SLICE("unix:"), SLICE("unix:/a\0b"),
		SLICE("unix:/" X100 "1234567"),
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int listener = -7;
		cr_assert_eq(fcgi_listen(cases[i], &listener), RESULT_INVALID, "%zu", i);
		cr_assert_eq(fcgi_probe(cases[i], "/healthz"), RESULT_INVALID, "%zu", i);
		cr_assert_eq(listener, -7, "%zu", i);
	}
}

Test(fcgi_socket, a_path_as_long_as_it_may_be)
{
	char longest[5 + PATH_MAXIMUM];
	int listener, length = snprintf(longest, sizeof(longest), "unix:%s/", directory);
	memset(longest + length, 'x', sizeof(longest) - 1 - (size_t)length);
	longest[sizeof(longest) - 1] = '\0';
	cr_assert_eq(fcgi_listen(slice_of(longest), &listener), RESULT_OK);
	close(listener);
	unlink(longest + 5);
}

Test(fcgi_socket, a_listener_is_for_its_group_and_nobody_else)
{
	struct stat status;
	int listener = -1;
	cr_assert_eq(fcgi_listen(slice_of(address), &listener), RESULT_OK);
	cr_assert(fcgi_is_listener(listener));
	cr_assert(stat(path, &status) == 0 && (status.st_mode & 0777) == 0660);
	close(listener);
	cr_assert(!fcgi_is_listener(listener), "it is closed");
	cr_assert(!fcgi_is_listener(STDERR_FILENO));
}

Test(fcgi_socket, a_stale_socket_is_replaced_and_a_live_one_is_not)
{
	int first = -1, second = -1;
	cr_assert_eq(fcgi_listen(slice_of(address), &first), RESULT_OK);
	cr_assert_eq(fcgi_listen(slice_of(address), &second), RESULT_UNAVAILABLE);
	cr_assert_eq(errno, EADDRINUSE);
	close(first);
	cr_assert_eq(fcgi_listen(slice_of(address), &second), RESULT_OK, "nobody listens there any more");
	close(second);
}

Test(fcgi_socket, a_file_that_is_no_socket_stays)
{
	int listener = -1, file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	cr_assert(file >= 0 && write(file, "mine", 4) == 4);
	close(file);
	cr_assert_eq(fcgi_listen(slice_of(address), &listener), RESULT_UNAVAILABLE);
	cr_assert_eq(errno, EADDRINUSE);
	struct stat status;
	cr_assert(stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 4);
}

Test(fcgi_socket, a_folder_that_is_not_there_is_no_place_to_listen)
{
	char elsewhere[128];
	int listener = -1;
	snprintf(elsewhere, sizeof(elsewhere), "unix:%s/none/socket", directory);
	cr_assert_eq(fcgi_listen(slice_of(elsewhere), &listener), RESULT_UNAVAILABLE);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(fcgi_probe(slice_of(elsewhere), "/healthz"), RESULT_UNAVAILABLE, "nobody is there");
}

// What a server that is none may answer. The kernel keeps it until the probe reads.
static void expect_probe(struct slice answer, enum result wanted)
{
	int listener = -1;
	cr_assert_eq(fcgi_listen(slice_of(address), &listener), RESULT_OK);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		char request[512];
		int connection = accept(listener, NULL, NULL);
		bool asked = read(connection, request, sizeof(request)) > 0;
		_exit(asked && write(connection, answer.data, answer.length) == (ssize_t)answer.length ? 0 : 1);
	}
	close(listener);
	cr_assert_eq(fcgi_probe(slice_of(address), "/healthz"), wanted, "\"%.*s\"", (int)answer.length, answer.data);
	unlink(path);
}

#define RECORD(type, length) "\1" type "\0\1\0" length "\0\0"

Test(fcgi_socket, only_a_whole_head_with_200_is_health)
{
	expect_probe(SLICE(RECORD("\6", "\x12") "Status: 200 OK\r\n\r\n"), RESULT_OK);
	expect_probe(SLICE(RECORD("\6", "\x12") "status:  200 OK\n\nx"), RESULT_OK);
	expect_probe(SLICE(RECORD("\7", "\4") "oops" RECORD("\6", "\x12") "Status: 200 OK\r\n\r\n"), RESULT_OK);
	expect_probe(SLICE(RECORD("\6", "\x13") "Status: 503 Bad\r\n\r\n"), RESULT_UNAVAILABLE);
	expect_probe(SLICE(RECORD("\6", "\x20") "Status: 200 OK\r\n\r\n"), RESULT_UNAVAILABLE);
	expect_probe(SLICE("HTTP/1.1 200 OK\r\n\r\n"), RESULT_UNAVAILABLE);
	expect_probe(SLICE(""), RESULT_UNAVAILABLE);
}

Test(fcgi_socket, the_path_asked_for_has_a_limit)
{
	cr_assert_eq(fcgi_probe(slice_of(address), "/" X100), RESULT_INVALID);
}

Test(fcgi_socket, by_tcp)
{
	int listener = -1;
	socklen_t length = sizeof(struct sockaddr_storage);
	struct sockaddr_storage storage;
	for (int port = 20000; listener < 0 && port < 30000; port++) {
		snprintf(address, sizeof(address), "127.0.0.1:%d", port);
		if (fcgi_listen(slice_of(address), &listener) != RESULT_OK)
			cr_assert_eq(errno, EADDRINUSE);
	}
	cr_assert(fcgi_is_listener(listener));
	cr_assert(getsockname(listener, (struct sockaddr *)&storage, &length) == 0 && storage.ss_family == AF_INET);
	close(listener);
	cr_assert_eq(fcgi_probe(slice_of(address), "/healthz"), RESULT_UNAVAILABLE);
}
