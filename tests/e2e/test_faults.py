"""Redis and the functions fail in every way we know, under load: nobody crashes, nobody is told anything wrong, what
was answered 2xx stays, and everything is well again by itself."""
import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

import feed
from feed import Client, Feed, Load, Redis, event, family
from stack import PACE, wait_until

THREADS = 12
RECOVERY_S = 2 * PACE
CALM_S = 0.5  # watched after recovery
STANDSTILL_S = 2.2  # longer than anybody waits for Redis
REFUSED_S = 0.1
BETWEEN = 100  # answers before and after a fault
RANDOM_FAULTS = int(2 * feed.SCALE)
PEOPLE, CHOICES = 40, 12
FUNCTIONS = ("webhook", "optouts")
COMMANDS = ["time", "hget", "hgetall", "hmget", "zmscore", "zscore", "zadd", "xadd", "exists", "eval", "evalsha"]


class Traffic:
    """Webhooks, opt-outs over the API and checks, all at once; each answer is judged when it comes."""

    def __init__(self, stack):
        self.stack = stack
        self.project = Feed(stack)
        self.out = []  # whose opt-out has been answered 2xx
        self.wrong = []

    def step(self, client, chance):
        kind = chance.choice(["webhook", "opt out", "check", "check", "check a stranger"])
        if kind == "webhook":
            self.opted_out(self.project.unsubscribe(client, self.project.new_address()))
        elif kind == "opt out":
            self.opted_out(self.project.opt_out(client, self.project.new_address()))
        elif kind == "check a stranger":
            self.judge(self.project.check(client, f"nobody@{self.project.slug}.example"), True)
        elif self.out:
            self.judge(self.project.check(client, chance.choice(self.out)), False)

    def opted_out(self, record):
        if record.status == 200:
            self.out.append(record.about)

    def judge(self, record, allowed):
        if record.status == 200 and json.loads(record.body)["allowed"] != allowed:
            self.wrong.append(record)

    def load(self):
        return Load(self.stack, self.step, THREADS)

    def verify(self, load, faults):
        """`faults`: when each began and ended."""
        print(load.statuses())
        assert set(load.statuses()) <= {200, 503}, [record for record in load.records if record.error][:3]
        assert self.wrong == []
        for record in load.records:
            if record.status == 503:
                assert any(record.done > begin and record.sent < end + RECOVERY_S for begin, end in faults), record
                assert record.headers["Retry-After"], record
        assert self.project.still_allowed(self.out) == []
        assert {how for _, child, how in feed.deaths(self.stack) if child != "redis-server"} <= {"signal 9"}


def processes(stack, *but):
    return {process for name in (*FUNCTIONS, "settings", "status", "nginx", "redis-server") if name not in but
            for process in stack.named(name)}


def wait_until_well(traffic):
    """Each kind of request is answered 200 again."""
    client = Client(traffic.stack)
    address = traffic.project.new_address()
    for ask in (traffic.project.unsubscribe, traffic.project.opt_out, traffic.project.check):
        wait_until(lambda: ask(client, address).status == 200, feed.ANSWER_S, "it is well again")
    client.close()


def kill_redis(stack, number=signal.SIGKILL):
    [redis] = stack.named("redis-server")
    os.kill(redis.pid, number)
    wait_until(lambda: stack.named("redis-server") not in ([], [redis]), 5 * PACE, "another Redis runs")


def redis_is_killed(stack, chance):
    kill_redis(stack)


def redis_is_killed_with_its_hands_full(stack, chance):
    """Again and again; everybody waits for an answer that never comes."""
    for _ in range(3):
        [redis] = stack.named("redis-server")
        os.kill(redis.pid, signal.SIGSTOP)
        time.sleep(0.2)
        kill_redis(stack)


def redis_is_restarted(stack, chance):
    kill_redis(stack, signal.SIGTERM)


def redis_stands_still(stack, chance):
    [redis] = stack.named("redis-server")
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        time.sleep(STANDSTILL_S + chance.random())
    finally:
        os.kill(redis.pid, signal.SIGCONT)


def redis_is_slow(stack, chance):
    with Redis(stack) as redis:
        redis.call("CLIENT", "PAUSE", 1500, "ALL")
        # It is held back with all the others.
        redis.call("PING")


def commands_are_refused(stack, chance):
    """One after another, so that a request fails at each of its steps; scripts fail half-way."""
    with Redis(stack) as redis:
        for command in chance.sample(COMMANDS, len(COMMANDS)):
            redis.call("ACL", "SETUSER", "default", f"-{command}")
            time.sleep(REFUSED_S)
            redis.call("ACL", "SETUSER", "default", f"+{command}")


def redis_becomes_read_only(stack, chance):
    with Redis(stack) as redis:
        redis.call("REPLICAOF", "127.0.0.1", 1)
        time.sleep(REFUSED_S)
        redis.call("REPLICAOF", "NO", "ONE")


def connections_are_refused(stack, chance):
    with Redis(stack) as redis:
        redis.call("CONFIG", "SET", "maxclients", 4)
        redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(3 * REFUSED_S)
        redis.call("CONFIG", "SET", "maxclients", 10000)


def scripts_are_flushed(stack, chance):
    with Redis(stack) as redis:
        for _ in range(3):
            redis.call("SCRIPT", "FLUSH", chance.choice(["SYNC", "ASYNC"]))


def connections_are_cut(stack, chance):
    with Redis(stack) as redis:
        for _ in range(10):
            assert redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") >= 0


def workers_are_killed(stack, chance):
    before = {name: family(stack, name)[1] for name in FUNCTIONS}
    for name, workers in before.items():
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
    for name, workers in before.items():
        feed.wait_until_complete(stack, name, len(workers), workers)


def functions_are_killed(stack, chance):
    before = {name: family(stack, name) for name in FUNCTIONS}
    for master, _ in before.values():
        os.kill(master.pid, signal.SIGKILL)
    for name, (master, workers) in before.items():
        feed.wait_until_complete(stack, name, len(workers), [master, *workers])


# The fault, and what it replaces.
FAULTS = {
    redis_is_killed: ["redis-server"],
    redis_is_killed_with_its_hands_full: ["redis-server"],
    redis_is_restarted: ["redis-server"],
    redis_stands_still: [],
    redis_is_slow: [],
    redis_becomes_read_only: [],
    commands_are_refused: [],
    scripts_are_flushed: [],
    connections_are_cut: [],
    connections_are_refused: [],
    workers_are_killed: FUNCTIONS,
    functions_are_killed: FUNCTIONS,
}


def strike(traffic, load, fault, chance):
    """When the fault began and ended. Afterwards everything has recovered."""
    load.wait_for(BETWEEN)
    before = processes(traffic.stack, *FAULTS[fault])
    begin = time.monotonic()
    fault(traffic.stack, chance)
    end = time.monotonic()
    wait_until_well(traffic)
    time.sleep(max(0, end + RECOVERY_S - time.monotonic()) + CALM_S)
    load.wait_for(BETWEEN)
    assert processes(traffic.stack, *FAULTS[fault]) == before
    return begin, end


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault(own_stack, fault):
    traffic, chance = Traffic(own_stack), feed.dice(fault.__name__)
    with traffic.load() as load:
        struck = strike(traffic, load, fault, chance)
    traffic.verify(load, [struck])


@pytest.mark.skipif(feed.SCALE <= 1, reason="CIOBRIDGE_TEST_SCALE is 1")
def test_one_fault_after_another(own_stack):
    traffic, chance = Traffic(own_stack), feed.dice("random faults")
    with traffic.load() as load:
        struck = [strike(traffic, load, chance.choice(list(FAULTS)), chance) for _ in range(RANDOM_FAULTS)]
    traffic.verify(load, struck)


def test_the_newest_choice_wins_in_spite_of_all(own_stack):
    """Events come in any order and several times, are sent again after a 503, and some are done already by then."""
    project, chance = Feed(own_stack), feed.dice("newest")
    addresses = [project.new_address() for _ in range(PEOPLE)]
    now = int(time.time())
    choices = {address: [(now - chance.randrange(1000, 1010), chance.choice(["unsubscribed", "subscribed"]))
                         for _ in range(CHOICES)] for address in addresses}
    events = 2 * [(address, event(metric, address, at)) for address in addresses for at, metric in choices[address]]
    chance.shuffle(events)
    count, answered = len(events), []

    def work(client, _):
        with contextlib.suppress(IndexError):
            one = events.pop()
            (answered if project.send(client, one[1]).status == 200 else events).append(one)

    with Load(own_stack, work, THREADS) as load:
        faults = (workers_are_killed, redis_is_killed, functions_are_killed, scripts_are_flushed)
        for number, fault in enumerate(faults, 1):
            wait_until(lambda part=number * count // 8: len(answered) >= part, feed.ANSWER_S, "some are taken")
            fault(own_stack, chance)
        wait_until(lambda: len(answered) == count, feed.ANSWER_S, "every event has been taken")
    assert set(load.statuses()) <= {200, 503}
    # Of one second, "unsubscribed" is the later choice, and the later word.
    assert project.still_allowed(addresses) == \
        [address for address in addresses if max(choices[address])[1] == "subscribed"]


def test_full_memory(own_stack):
    """Choices are taken all the same, and so is what was not understood."""
    traffic = Traffic(own_stack)
    with traffic.load() as load, Redis(own_stack) as redis:
        load.wait_for(BETWEEN)
        redis.call("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(ValueError, match="OOM"):
            redis.call("SET", "a", "b")
        load.wait_for(BETWEEN)
        workers = family(own_stack, "webhook")[1]
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        feed.wait_until_complete(own_stack, "webhook", len(workers), workers)
        load.wait_for(BETWEEN)
        assert traffic.project.post(b"?").json() == {"status": "quarantined"}
        redis.call("CONFIG", "SET", "maxmemory", 0)
        load.wait_for(BETWEEN)
    traffic.verify(load, [])


@contextlib.contextmanager
def small_disk(directory):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", directory], capture_output=True,
                          text=True)
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {made.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))


def test_full_disk(new_stack, tmp_path):
    """Nothing is taken that cannot be kept; as soon as there is room all goes on."""
    with small_disk(tmp_path):
        stack = new_stack(directory=tmp_path).start()
        try:
            traffic = Traffic(stack)
            with traffic.load() as load:
                load.wait_for(BETWEEN)
                begin = time.monotonic()
                fill(stack.state / "filler")
                client = Client(stack)
                for ask in (traffic.project.unsubscribe, traffic.project.opt_out):
                    wait_until(lambda: ask(client, traffic.project.new_address()).status == 503, feed.ANSWER_S,
                               "a refusal")
                client.close()
                large = event("unsubscribed", traffic.project.new_address(), int(time.time())).ljust(1 << 20)
                assert traffic.project.post(large).status == 503
                (stack.state / "filler").unlink()
                end = time.monotonic()
                wait_until_well(traffic)
                time.sleep(RECOVERY_S + CALM_S)
                load.wait_for(BETWEEN)
            traffic.verify(load, [(begin, end)])
        finally:
            stack.abandon()
