// Says when everything answers. Afterwards it passes on to `run` what make keeps to itself: a SIGINT that is sent to
// make alone makes it wait for its child, which never hears of it.
#include "run.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HERALD_PAUSE_US 20000 // grows with each try
#define HERALD_PATIENCE 30 // tries, which take about ten seconds
#define HERALD_WATCH_US 250000
#define STATUS_SIZE 4096
#define MAKE "Name:\tmake\n"

static bool herald_ask(int door)
{
	static const char request[] = "GET /readyz HTTP/1.0\r\n\r\n";
	char answer[13] = "";

	if (write(door, request, sizeof(request) - 1) != (ssize_t)sizeof(request) - 1)
		return false;
	return recv(door, answer, sizeof(answer) - 1, MSG_WAITALL) == (ssize_t)sizeof(answer) - 1 &&
	       strcmp(answer + strlen("HTTP/1.1 "), "200") == 0;
}

static bool herald_is_ready(const struct run *run)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)run->port)};
	struct timeval limit = {.tv_sec = 2};
	int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ready;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(door, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ready = connect(door, (struct sockaddr *)&address, sizeof(address)) == 0 && herald_ask(door);
	close(door);
	return ready;
}

static unsigned long long herald_signals(const char *status, const char *field)
{
	const char *line = strstr(status, field);
	unsigned long long mask = 0;

	for (line = line == NULL ? "" : line + strlen(field); *line != '\0' && *line != '\n'; line++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, *line);

		if (digit != NULL)
			mask = mask << 4 | (unsigned long long)(digit - digits);
	}
	return mask;
}

// What /proc knows of a process; false when it is gone.
static bool herald_look(pid_t process, char status[static STATUS_SIZE])
{
	char path[32];
	int file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	ssize_t length = read(file, status, STATUS_SIZE - 1);
	close(file);
	status[length > 0 ? length : 0] = '\0';
	return length > 0;
}

pid_t herald_find_make(void)
{
	pid_t parent = getppid();
	char status[STATUS_SIZE];

	return herald_look(parent, status) && strncmp(status, MAKE, strlen(MAKE)) == 0 ? parent : 0;
}

// make catches (or ignores) SIGINT until one comes.
static bool herald_make_ended(const struct run *run)
{
	char status[STATUS_SIZE];

	if (run->make == 0)
		return false;
	return !herald_look(run->make, status) ||
	       !((herald_signals(status, "SigCgt:") | herald_signals(status, "SigIgn:")) >> (SIGINT - 1) & 1);
}

static void herald_wait(const struct run *run)
{
	for (int tries = 1; !herald_is_ready(run) && !herald_make_ended(run); tries++) {
		if (tries == HERALD_PATIENCE)
			complain("not ready yet; http://127.0.0.1:%d/readyz says why", (int)run->port);
		usleep(HERALD_PAUSE_US * (useconds_t)(tries < HERALD_PATIENCE ? tries : HERALD_PATIENCE));
	}
	if (herald_make_ended(run))
		return;
	printf("ciobridge is ready: http://127.0.0.1:%d/console/\n", (int)run->port);
	if (run->has_root_key)
		printf("The root key is in %s/admin_token\n", run->state);
	fflush(stdout);
}

void herald_start(const struct child *child)
{
	const struct run *run = child->context;

	herald_wait(run);
	while (run->make != 0 && !herald_make_ended(run))
		usleep(HERALD_WATCH_US);
	if (run->make != 0)
		kill(getppid(), SIGINT);
	for (;;)
		pause();
}
