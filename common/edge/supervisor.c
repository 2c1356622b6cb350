// The parent of worker processes. It sleeps in sigtimedwait, with every signal that concerns it blocked, so nothing
// can happen between looking and sleeping.
#include "edge/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUICK_DEATH_US INT64_C(1000000)
#define PAUSE_FIRST_US INT64_C(31250) // doubled with each quick death
#define PAUSE_MAXIMUM_US INT64_C(500000)
#define KILL_AGAIN_US INT64_C(100000) // what is killed may leave children of its own behind

struct slot {
	const struct child *child;
	pid_t pid; // 0: not running
	int64_t started_us, pause_us, start_at_us;
};

struct supervisor {
	struct slot *slots;
	size_t count;
	sigset_t signals, signals_before;
	bool stopping;
	int turn;           // while stopping: the last that was asked to end
	int64_t kill_at_us; // while stopping
};

static const int supervisor_stop_signals[] = {SIGTERM, SIGINT, SIGHUP};

static void supervisor_take_signals(struct supervisor *supervisor)
{
	sigemptyset(&supervisor->signals);
	sigaddset(&supervisor->signals, SIGCHLD);
	for (size_t i = 0; i < COUNT_OF(supervisor_stop_signals); i++)
		sigaddset(&supervisor->signals, supervisor_stop_signals[i]);
	// Were it ignored, the kernel would reap the children itself.
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &supervisor->signals, &supervisor->signals_before);
}

// In the new process: nothing of the parent's signal handling is left, and it does not outlive the parent.
static _Noreturn void supervisor_become(const struct child *child, pid_t parent)
{
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	if (child->own_group)
		setpgid(0, 0);
	for (size_t i = 0; i < COUNT_OF(supervisor_stop_signals); i++)
		signal(supervisor_stop_signals[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	child->start(child);
	_exit(EXIT_FAILURE);
}

static void supervisor_start(struct slot *slot)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	slot->started_us = clock_monotonic_us();
	if (pid < 0) {
		LOG(LOG_ERROR, "cannot start a process", {"child", slice_of(slot->child->name)});
		slot->start_at_us = slot->started_us + PAUSE_MAXIMUM_US;
		return;
	}
	if (pid == 0)
		supervisor_become(slot->child, parent);
	// Here too, since the group may be needed before the child has run.
	if (slot->child->own_group)
		setpgid(pid, pid);
	slot->pid = pid;
}

static void supervisor_start_due(const struct supervisor *supervisor)
{
	int64_t now_us = clock_monotonic_us();

	for (size_t i = 0; i < supervisor->count; i++)
		if (supervisor->slots[i].pid == 0 && supervisor->slots[i].start_at_us <= now_us)
			supervisor_start(&supervisor->slots[i]);
}

static struct slot *supervisor_find(const struct supervisor *supervisor, pid_t pid)
{
	for (size_t i = 0; i < supervisor->count; i++)
		if (supervisor->slots[i].pid == pid)
			return &supervisor->slots[i];
	return NULL;
}

static void supervisor_log_death(const struct slot *slot, const siginfo_t *death)
{
	bool exited = death->si_code == CLD_EXITED;
	char how[32];

	snprintf(how, sizeof(how), "%s %d", exited ? "status" : "signal", death->si_status);
	LOG(LOG_WARNING, "a process ended and is started again", {"child", slice_of(slot->child->name)},
	    {"how", slice_of(how)});
}

static void supervisor_note_death(const struct supervisor *supervisor, struct slot *slot, const siginfo_t *death)
{
	int64_t now_us = clock_monotonic_us();

	// The dead leader still holds its id, so this cannot hit another group.
	if (slot->child->own_group)
		kill(-slot->pid, SIGKILL);
	slot->pid = 0;
	if (supervisor->stopping)
		return;
	supervisor_log_death(slot, death);
	if (now_us - slot->started_us >= QUICK_DEATH_US)
		slot->pause_us = 0;
	else if (slot->pause_us == 0)
		slot->pause_us = PAUSE_FIRST_US;
	else if (slot->pause_us < PAUSE_MAXIMUM_US)
		slot->pause_us *= 2;
	slot->start_at_us = now_us + slot->pause_us;
}

// Takes leave of everybody who has died, orphans of the children included. False when nobody is left.
static bool supervisor_reap(const struct supervisor *supervisor)
{
	for (;;) {
		siginfo_t death = {.si_pid = 0};

		if (waitid(P_ALL, 0, &death, WEXITED | WNOHANG | WNOWAIT) != 0)
			return errno != ECHILD;
		if (death.si_pid == 0)
			return true;
		struct slot *slot = supervisor_find(supervisor, death.si_pid);
		if (slot)
			supervisor_note_death(supervisor, slot, &death);
		waitpid(death.si_pid, NULL, WNOHANG);
	}
}

// Orphans too: as subreaper this process is the parent of whatever its children left behind. What does not fit is
// there the next time.
static void supervisor_kill_listed(void)
{
	char bytes[4096];
	int file = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? 0 : read(file, bytes, sizeof(bytes));
	struct slice rest = {bytes, got > 0 ? (size_t)got : 0};
	int64_t pid;

	if (file >= 0)
		close(file);
	// Each id is followed by a space, so one that was cut off is not taken for another.
	while (slice_contains(rest, ' '))
		if (slice_to_integer(slice_split(&rest, ' '), 1, INT32_MAX, &pid))
			kill((pid_t)pid, SIGKILL);
}

static void supervisor_kill_all(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->count; i++) {
		const struct slot *slot = &supervisor->slots[i];

		if (slot->pid > 0 && slot->child->own_group)
			kill(-slot->pid, SIGKILL);
	}
	supervisor_kill_listed();
	supervisor->kill_at_us = clock_monotonic_us() + KILL_AGAIN_US;
}

static void supervisor_stop(struct supervisor *supervisor, int grace_ms)
{
	supervisor->stopping = true;
	supervisor->turn = INT_MIN;
	supervisor->kill_at_us = clock_monotonic_us() + grace_ms * INT64_C(1000);
}

// The lowest turn of those who still run.
static int supervisor_lowest_turn(const struct supervisor *supervisor)
{
	int lowest = INT_MAX;

	for (size_t i = 0; i < supervisor->count; i++) {
		const struct slot *slot = &supervisor->slots[i];

		if (slot->pid > 0 && slot->child->turn < lowest)
			lowest = slot->child->turn;
	}
	return lowest;
}

static void supervisor_end_turn(const struct supervisor *supervisor, int turn)
{
	for (size_t i = 0; i < supervisor->count; i++) {
		const struct slot *slot = &supervisor->slots[i];

		if (slot->pid > 0 && slot->child->turn == turn)
			kill(slot->pid, slot->child->stop_signal ? slot->child->stop_signal : SIGTERM);
	}
}

static void supervisor_go_on_stopping(struct supervisor *supervisor)
{
	int lowest = supervisor_lowest_turn(supervisor);

	if (clock_monotonic_us() >= supervisor->kill_at_us) {
		supervisor_kill_all(supervisor);
	} else if (lowest > supervisor->turn) {
		supervisor->turn = lowest;
		supervisor_end_turn(supervisor, lowest);
	}
}

// When something is to be done without a signal; INT64_MAX: nothing.
static int64_t supervisor_next_us(const struct supervisor *supervisor)
{
	int64_t next_us = INT64_MAX;

	if (supervisor->stopping)
		return supervisor->kill_at_us;
	for (size_t i = 0; i < supervisor->count; i++)
		if (supervisor->slots[i].pid == 0 && supervisor->slots[i].start_at_us < next_us)
			next_us = supervisor->slots[i].start_at_us;
	return next_us;
}

// Returns the signal that came, or -1 when `until_us` did first.
static int supervisor_sleep(const struct supervisor *supervisor, int64_t until_us)
{
	int64_t left_us = until_us - clock_monotonic_us();

	if (until_us == INT64_MAX)
		return sigwaitinfo(&supervisor->signals, NULL);
	if (left_us < 0)
		left_us = 0;
	struct timespec limit = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
	return sigtimedwait(&supervisor->signals, NULL, &limit);
}

static void supervisor_run(struct supervisor *supervisor, int grace_ms)
{
	while (supervisor_reap(supervisor) || !supervisor->stopping) {
		if (supervisor->stopping)
			supervisor_go_on_stopping(supervisor);
		else
			supervisor_start_due(supervisor);

		int signal = supervisor_sleep(supervisor, supervisor_next_us(supervisor));
		if (signal > 0 && signal != SIGCHLD && !supervisor->stopping)
			supervisor_stop(supervisor, grace_ms);
	}
}

int supervise(const struct child *children, size_t count, int grace_ms)
{
	struct supervisor supervisor = {.slots = calloc(count, sizeof(struct slot)), .count = count};

	if (!supervisor.slots || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
		free(supervisor.slots);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < count; i++)
		supervisor.slots[i].child = &children[i];
	supervisor_take_signals(&supervisor);
	supervisor_run(&supervisor, grace_ms);
	sigprocmask(SIG_SETMASK, &supervisor.signals_before, NULL);
	free(supervisor.slots);
	return EXIT_SUCCESS;
}
