// Which TLS peers are believed. OpenSSL's test server plays them.
#include "base/slice.h"
#include "io/http_client.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct arena *arena;
static char directory[] = "/tmp/ciobridge-tls-XXXXXX";
static int server_input = -1; // what is written there, a server without -HTTP sends

static pid_t run(const char *const *command, int input, int output)
{
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child > 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(directory) == 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
	    freopen("/dev/null", "w", stderr) != NULL)
		execvp(command[0], (char *const *)command);
	_exit(127);
}

static void make_certificate(const char *name, const char *alternative)
{
	const char *const command[] = {
		"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-days", "2", "-keyout", "key", "-out", "certificate", "-subj", name, "-addext", alternative, NULL,
	};
	int status;
	cr_assert(waitpid(run(command, STDIN_FILENO, STDERR_FILENO), &status, 0) > 0 && status == 0);
}

static void set_up(void)
{
	char path[64];
	arena = arena_new((size_t)1 << 20);
	cr_assert(arena != NULL && mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/answer", directory);
	FILE *file = fopen(path, "w");
	cr_assert(file != NULL && fputs(ANSWER, file) >= 0 && fclose(file) == 0);
}

static void tear_down(void)
{
	static const char *const names[] = {"answer", "key", "certificate"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(arena_format(arena, "%s/%s", directory, names[i]).data);
	rmdir(directory);
	arena_free(arena);
}
TestSuite(http_tls, .init = set_up, .fini = tear_down, .timeout = 60);

// Starts the server with one version of TLS, and says on which port. At its usual level of security it would refuse
// the old ones itself.
static pid_t serve(const char *version, const char *mode, int *port)
{
	const char *const command[] = {
		"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "certificate", "-key", "key", "-cipher",
		"DEFAULT@SECLEVEL=0", version, mode, NULL,
	};
	int pipes[2], inputs[2];
	char line[256];
	cr_assert(pipe2(pipes, O_CLOEXEC) == 0 && pipe2(inputs, O_CLOEXEC) == 0);
	pid_t child = run(command, inputs[0], pipes[1]);
	server_input = inputs[1];
	close(inputs[0]);
	close(pipes[1]);
	FILE *output = fdopen(pipes[0], "r");
	*port = 0;
	while (*port == 0 && fgets(line, sizeof(line), output) != NULL)
		sscanf(line, "ACCEPT 127.0.0.1:%d", port);
	cr_assert(*port > 0);
	fclose(output);
	return child;
}

static enum result ask(const char *host, int port, bool trusting, struct http_answer *answer)
{
	struct slice file = arena_format(arena, "%s/certificate", directory);
	struct http_options options = {.authorities = trusting ? file.data : NULL};
	struct http_client *client = http_client_new(&options);
	struct http_request request = {
		.url = arena_format(arena, "https://%s:%d/answer", host, port),
		.any_address = true,
		.answer_limit = 100,
	};
	enum result result = http_call(client, arena, &request, answer);
	http_client_free(client);
	return result;
}

static void end(pid_t child)
{
	close(server_input);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

#define BY_ADDRESS "subjectAltName=IP:127.0.0.1"

Test(http_tls, a_good_certificate)
{
	struct http_answer answer;
	int port;
	make_certificate("/CN=test", BY_ADDRESS);
	pid_t server = serve("-tls1_2", "-HTTP", &port);
	cr_assert_eq(ask("127.0.0.1", port, true, &answer), RESULT_OK, "%s", answer.fault.data);
	cr_assert(slice_equal(answer.body, SLICE("ok")));
	end(server);
}

Test(http_tls, nobody_vouches_for_it)
{
	struct http_answer answer;
	int port;
	make_certificate("/CN=test", BY_ADDRESS);
	pid_t server = serve("-tls1_3", "-HTTP", &port);
	cr_assert_eq(ask("127.0.0.1", port, false, &answer), RESULT_UNAVAILABLE);
	cr_assert(strcasestr(answer.fault.data, "certificate") != NULL, "%s", answer.fault.data);
	end(server);
}

Test(http_tls, a_certificate_for_somebody_else)
{
	struct http_answer answer;
	int port;
	make_certificate("/CN=127.0.0.1", "subjectAltName=DNS:customer.io");
	pid_t server = serve("-tls1_3", "-HTTP", &port);
	cr_assert_eq(ask("127.0.0.1", port, true, &answer), RESULT_UNAVAILABLE);
	end(server);
}

Test(http_tls, an_old_version)
{
	struct http_answer answer;
	int port;
	make_certificate("/CN=test", BY_ADDRESS);
	pid_t server = serve("-tls1_1", "-HTTP", &port);
	cr_assert_eq(ask("127.0.0.1", port, true, &answer), RESULT_UNAVAILABLE);
	end(server);
}

// By the time that the client calls this the request is out.
static enum result answer_once(void *context)
{
	bool *answered = context;
	if (!*answered)
		cr_assert(write(server_input, ANSWER, strlen(ANSWER)) == (ssize_t)strlen(ANSWER));
	*answered = true;
	return RESULT_OK;
}

// Such a connection must not serve a request that wants a public address.
Test(http_tls, a_connection_to_any_address_stays_apart)
{
	struct http_answer answer;
	bool answered = false;
	int port;
	make_certificate("/CN=test", BY_ADDRESS);
	pid_t server = serve("-tls1_3", NULL, &port);
	struct slice file = arena_format(arena, "%s/certificate", directory);
	struct http_options options = {.patience = {answer_once, &answered}, .authorities = file.data};
	struct http_client *client = http_client_new(&options);
	struct http_request request = {
		.url = arena_format(arena, "https://127.0.0.1:%d/", port),
		.any_address = true,
		.timeout_ms = 5000,
		.answer_limit = 100,
	};
	for (int i = 0; i < 2; i++) {
		answered = false;
		cr_assert_eq(http_call(client, arena, &request, &answer), RESULT_OK, "%s", answer.fault.data);
	}
	request.any_address = false;
	cr_assert_eq(http_call(client, arena, &request, &answer), RESULT_FORBIDDEN);
	http_client_free(client);
	end(server);
}
