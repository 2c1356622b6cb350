#include "edge/supervisor.h"

#include "base/result.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 10000
#define GRACE_MS 300

// What a supervised process says of itself, through a pipe that the test reads.
struct event {
	int what; // SAYS_…, or the signal that came
	pid_t pid;
};
enum { SAYS_STARTED = 0x100, SAYS_CHILD, SAYS_ENDING };

static int events[2];

static void say(int what, pid_t pid)
{
	struct event event = {what, pid};

	if (write(events[1], &event, sizeof(event)) != sizeof(event))
		_exit(EXIT_FAILURE);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static bool hear_within(int limit_ms, struct event *event)
{
	struct pollfd polled = {.fd = events[0], .events = POLLIN};

	return poll(&polled, 1, limit_ms) == 1 && read(events[0], event, sizeof(*event)) == sizeof(*event);
}

static pid_t hear(int what)
{
	struct event event;

	cr_assert(hear_within(LIMIT_MS, &event));
	cr_assert_eq(event.what, what, "%d instead of %d", event.what, what);
	return event.pid;
}

static int process_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

// Waits for the end of a process that is not ours.
static void expect_end(int process)
{
	struct pollfd polled = {.fd = process, .events = POLLIN};

	cr_assert_eq(poll(&polled, 1, LIMIT_MS), 1, "it still runs");
	close(process);
}

static pid_t start(const struct child *children, size_t count)
{
	pid_t supervisor = fork();

	if (supervisor != 0)
		return supervisor;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(supervise(children, count, GRACE_MS));
}

static void stop(pid_t supervisor)
{
	int status;

	cr_assert_eq(kill(supervisor, SIGTERM), 0);
	cr_assert_eq(waitpid(supervisor, &status, 0), supervisor);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

static void setup(void)
{
	cr_assert_eq(pipe(events), 0);
}

TestSuite(supervisor, .init = setup, .timeout = 30);

static _Noreturn void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void start_plain(const struct child *child)
{
	(void)child;
	say(SAYS_STARTED, getpid());
	wait_for_ever();
}

Test(supervisor, starts_each_child_and_ends_them_all)
{
	const struct child children[] = {
		{.name = "a", .start = start_plain},
		{.name = "b", .start = start_plain},
		{.name = "c", .start = start_plain, .own_group = true},
	};
	pid_t supervisor = start(children, COUNT_OF(children));
	pid_t pids[] = {hear(SAYS_STARTED), hear(SAYS_STARTED), hear(SAYS_STARTED)};

	stop(supervisor);
	for (size_t i = 0; i < COUNT_OF(pids); i++)
		cr_assert_eq(kill(pids[i], 0), -1);
}

Test(supervisor, starts_a_killed_child_again)
{
	const struct child child = {.name = "a", .start = start_plain};
	pid_t supervisor = start(&child, 1);
	pid_t first = hear(SAYS_STARTED);
	struct event second;

	kill(first, SIGKILL);
	cr_assert(hear_within(1000, &second));
	cr_assert(second.what == SAYS_STARTED && second.pid != first);
	stop(supervisor);
}

static void start_and_die(const struct child *child)
{
	(void)child;
	say(SAYS_STARTED, getpid());
	_exit(EXIT_FAILURE);
}

Test(supervisor, pauses_more_and_more_before_what_dies_at_once)
{
	const struct child child = {.name = "a", .start = start_and_die};
	pid_t supervisor = start(&child, 1);
	int64_t until_ms = now_ms() + 2000;
	struct event event;
	int starts = 0;

	// 31, 62, 125, 250 and then 500 ms.
	while (now_ms() < until_ms && hear_within((int)(until_ms - now_ms()), &event))
		starts++;
	cr_assert(starts >= 4 && starts <= 8, "%d starts", starts);
	int64_t before_ms = now_ms();
	hear(SAYS_STARTED);
	cr_assert_leq(now_ms() - before_ms, 1000);
	stop(supervisor);
}

static void start_deaf(const struct child *child)
{
	(void)child;
	signal(SIGTERM, SIG_IGN);
	say(SAYS_STARTED, getpid());
	wait_for_ever();
}

Test(supervisor, kills_what_does_not_end_in_time)
{
	const struct child children[] = {
		{.name = "alone", .start = start_deaf},
		{.name = "leader", .start = start_deaf, .own_group = true},
	};
	pid_t supervisor = start(children, COUNT_OF(children));
	pid_t pids[] = {hear(SAYS_STARTED), hear(SAYS_STARTED)};
	int64_t since_ms = now_ms();

	stop(supervisor);
	cr_assert_geq(now_ms() - since_ms, GRACE_MS - 1);
	for (size_t i = 0; i < COUNT_OF(pids); i++)
		cr_assert_eq(kill(pids[i], 0), -1);
}

static void on_signal(int number)
{
	say(number, getpid());
	_exit(EXIT_SUCCESS);
}

static void start_listening(const struct child *child)
{
	(void)child;
	signal(SIGTERM, on_signal);
	signal(SIGQUIT, on_signal);
	say(SAYS_STARTED, getpid());
	wait_for_ever();
}

Test(supervisor, asks_with_the_signal_of_the_child)
{
	const struct child children[] = {
		{.name = "quit", .start = start_listening, .stop_signal = SIGQUIT},
		{.name = "terminate", .start = start_listening, .turn = 1},
	};
	pid_t supervisor = start(children, COUNT_OF(children));

	hear(SAYS_STARTED);
	hear(SAYS_STARTED);
	stop(supervisor);
	hear(SIGQUIT);
	hear(SIGTERM);
}

static void on_signal_slowly(int number)
{
	(void)number;
	poll(NULL, 0, 100);
	say(SAYS_ENDING, getpid());
	_exit(EXIT_SUCCESS);
}

static void start_slow(const struct child *child)
{
	(void)child;
	signal(SIGTERM, on_signal_slowly);
	say(SAYS_STARTED, getpid());
	wait_for_ever();
}

Test(supervisor, ends_children_in_turns)
{
	const struct child children[] = {
		{.name = "second", .start = start_listening, .turn = 1},
		{.name = "first", .start = start_slow, .turn = 0},
	};
	pid_t supervisor = start(children, COUNT_OF(children));

	hear(SAYS_STARTED);
	hear(SAYS_STARTED);
	stop(supervisor);
	hear(SAYS_ENDING);
	hear(SIGTERM);
}

static void start_parent(const struct child *child)
{
	pid_t grandchild = fork();

	if (grandchild == 0) {
		signal(SIGTERM, SIG_IGN);
		if (!child->own_group)
			setsid();
		say(SAYS_CHILD, getpid());
		wait_for_ever();
	}
	say(SAYS_STARTED, getpid());
	wait_for_ever();
}

// Start and child may be heard in either order.
static void hear_family(pid_t *parent, pid_t *child)
{
	for (int i = 0; i < 2; i++) {
		struct event event;

		cr_assert(hear_within(LIMIT_MS, &event));
		*(event.what == SAYS_CHILD ? child : parent) = event.pid;
	}
}

Test(supervisor, kills_what_a_dead_leader_leaves_in_its_group)
{
	const struct child child = {.name = "leader", .start = start_parent, .own_group = true};
	pid_t supervisor = start(&child, 1);
	pid_t parent, orphan;

	hear_family(&parent, &orphan);
	int orphan_process = process_open(orphan);
	kill(parent, SIGKILL);
	expect_end(orphan_process);
	stop(supervisor);
}

Test(supervisor, leaves_no_orphan_behind)
{
	const struct child child = {.name = "parent", .start = start_parent};
	pid_t supervisor = start(&child, 1);
	pid_t parents[2], orphans[2];

	hear_family(&parents[0], &orphans[0]);
	kill(parents[0], SIGKILL);
	hear_family(&parents[1], &orphans[1]);
	stop(supervisor);
	for (size_t i = 0; i < COUNT_OF(orphans); i++)
		cr_assert_eq(kill(orphans[i], 0), -1);
}

Test(supervisor, children_do_not_outlive_it)
{
	const struct child child = {.name = "a", .start = start_listening};
	pid_t supervisor = start(&child, 1);

	hear(SAYS_STARTED);
	kill(supervisor, SIGKILL);
	hear(SIGTERM);
	waitpid(supervisor, NULL, 0);
}

static void start_and_show_signals(const struct child *child)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	sigset_t blocked;

	(void)child;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		struct sigaction action;

		sigaction(numbers[i], NULL, &action);
		if (sigismember(&blocked, numbers[i]) || action.sa_handler != SIG_DFL)
			say(numbers[i], getpid());
	}
	say(SAYS_STARTED, getpid());
	wait_for_ever();
}

Test(supervisor, children_start_with_fresh_signals)
{
	const struct child child = {.name = "a", .start = start_and_show_signals};
	sigset_t blocked;

	// As if this process had been started with other habits; the supervisor inherits them.
	signal(SIGCHLD, SIG_IGN);
	signal(SIGINT, on_signal);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	pid_t supervisor = start(&child, 1);
	signal(SIGCHLD, SIG_DFL);
	hear(SAYS_STARTED);
	stop(supervisor);
}
