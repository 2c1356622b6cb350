"""Processes die and are asked to end under load: nobody is answered anything but 200 and 503, and no 200 was a lie."""
import os
import signal
import time

import feed
from feed import Feed, Load, family
from stack import PACE

THREADS = 12
ROUNDS = int(3 * feed.SCALE)
NGINX_S = 2 * PACE  # while nginx is started again, connections to it may break
BETWEEN = 60  # answers between two faults

FAULTS = [
    ("webhook", "worker", signal.SIGKILL),
    ("webhook", "worker", signal.SIGTERM),
    ("webhook", "master", signal.SIGKILL),
    ("webhook", "master", signal.SIGTERM),
    ("nginx", "worker", signal.SIGKILL),
]


def strike(stack, chance, name, role, number):
    master, workers = family(stack, name)
    victim = master if role == "master" else chance.choice(workers)
    begin = time.monotonic()
    os.kill(victim.pid, number)
    gone = [victim, *workers] if role == "master" else [victim]
    feed.wait_until_complete(stack, name, len(workers), gone)
    return begin


def test_nothing_is_lost_while_processes_die(own_stack):
    project = Feed(own_stack)
    chance = feed.dice("restart")
    nginx_faults = []

    def work(client, _):
        project.unsubscribe(client, project.new_address())

    with Load(own_stack, work, THREADS) as load:
        load.wait_for(BETWEEN)
        for fault in chance.sample(FAULTS * ROUNDS, len(FAULTS) * ROUNDS):
            begin = strike(own_stack, chance, *fault)
            if fault[0] == "nginx":
                nginx_faults.append(begin)
            load.wait_for(BETWEEN)

    print(load.statuses())
    for record in load.records:
        if record.error:
            assert any(begin < record.done and record.sent < begin + NGINX_S for begin in nginx_faults), record
        else:
            assert record.status in (200, 503), record
    assert {how for _, _, how in feed.deaths(own_stack)} <= {"signal 9", "signal 15", "status 0"}
    recorded = [record.about for record in load.records if record.status == 200]
    assert project.still_allowed(recorded) == []
