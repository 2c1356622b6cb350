"""An upload is taken back, through nginx, while import_worker is killed and Redis is full."""
import os
import signal
import socket
import subprocess
import time

import pytest

from feed import Feed, event
from stack import BUILD, PACE, wait_until

ROWS = 20000
PARTITIONS = 16
LEASE_S = 8  # after a death nobody takes the job up sooner
KILLS = 2
KEYS = {"CIOBRIDGE_MASTER_KEY": "m" * 40}


def address(number):
    return f"{number}@many.example"


class Redis:
    """Asks faster than redis-cli, to see the worker in the middle of its work."""

    def __init__(self, stack):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(10)
        self.connection.connect(str(stack.state / "run/redis.sock"))
        self.answers = self.connection.makefile("rb")

    def call(self, *words):
        self.connection.sendall(" ".join(words).encode() + b"\r\n")
        line = self.answers.readline()
        assert line[:1] in b"$+:", line
        return self.answers.readline().strip() if line[:1] == b"$" and line != b"$-1\r\n" else line[1:].strip()

    def close(self):
        self.answers.close()
        self.connection.close()


def upload(project, numbers):
    file = "email,unsubscribed\n" + "".join(f"{address(number)},true\n" for number in numbers)
    answer = project.stack.post(f"/csv-upload/{project.slug}", file.encode(), headers={"Content-Type": "text/csv"},
                                timeout_s=60 * PACE)
    assert answer.status == 200, answer
    return answer.json()["id"]


def shown(project, number):
    answer = project.stack.get(f"/import/{project.slug}/{number}")
    assert answer.status == 200, answer
    return answer.json()


def ask_for_undo(project, number):
    answer = project.stack.post(f"/import/{project.slug}/{number}/undo", {})
    assert answer.status == 202 and answer.headers["Location"] == f"/import/{project.slug}/{number}", answer
    assert answer.json()["status"] in ("running", "undone")


def wait_for_undo(project, number, limit_s):
    wait_until(lambda: shown(project, number)["status"] == "undone", limit_s * PACE, "the import is undone")
    return shown(project, number)


def kill_in_the_middle(stack, redis, key, behind):
    """Kills every worker when more than `behind` partitions are done, but not all; how many were, or None: too late."""
    victims = stack.named("import_worker")
    while redis.call("HGET", key, "step") != b"undo" or (done := int(redis.call("HGET", key, "done"))) <= behind:
        time.sleep(0.0005)
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)
    return done if done < PARTITIONS else None


def test_undo_outlives_its_worker(own_stack):
    project, redis = Feed(own_stack), Redis(own_stack)
    before, newer, back = range(0, 50), range(50, 100), range(100, 150)
    for number in before:
        assert project.post(event("unsubscribed", address(number), int(time.time()) - 3600)).status == 200
    number = upload(project, range(ROWS))
    assert shown(project, number)["result"]["users_with_optouts"] == ROWS
    everybody = [address(row) for row in range(ROWS)]
    assert project.still_allowed(everybody) == []
    for row in newer:
        assert own_stack.post(f"/optouts/{project.slug}", {"identifier": address(row)}).status == 200
    for row in back:
        assert own_stack.delete(project.path_of(address(row))).status == 200

    ask_for_undo(project, number)
    behind, killed = 0, 0
    for _ in range(KILLS):
        done = kill_in_the_middle(own_stack, redis, f"cb:{{{project.slug}}}:job:{number}", behind)
        if done is None:
            break
        killed, behind = killed + 1, done
        assert shown(project, number)["status"] == "running"
        some = len(project.still_allowed(everybody))
        assert len(back) < some < ROWS - len(before), some
    assert killed > 0, "it was over before anybody was killed"
    result = wait_for_undo(project, number, 10 + LEASE_S)["result"]
    redis.close()

    out = {address(row) for row in [*before, *newer]}
    assert set(project.still_allowed(everybody)) == set(everybody) - out
    assert result["choices_undone"] == ROWS - len(before) - len(newer) - len(back)
    # What is undone stays so, and somebody may say it anew.
    assert own_stack.post(f"/import/{project.slug}/{number}/undo").status == 409
    upload(project, range(200, 210))
    assert project.still_allowed(everybody[200:220]) == everybody[210:220]


def test_undo_goes_on_when_redis_is_full(own_stack):
    project, redis = Feed(own_stack), Redis(own_stack)
    number = upload(project, range(100))
    redis.call("CONFIG", "SET", "maxmemory", "1")
    ask_for_undo(project, number)
    assert wait_for_undo(project, number, 10)["result"]["choices_undone"] == 100
    assert project.allowed(address(1))
    redis.close()


@pytest.mark.parametrize("arguments", [["--listen", "127.0.0.1:0"], ["--workers", "0"], ["serve"]])
def test_worker_refuses_what_it_does_not_know(arguments):
    done = subprocess.run([BUILD / "import_worker", *arguments], env=KEYS, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "--help" in done.stderr and done.stdout == ""


def test_worker_describes_itself():
    def say(option):
        return subprocess.run([BUILD / "import_worker", option], capture_output=True, text=True, check=True).stdout
    assert say("--describe") == "function import_worker once - 4 whole\n"
    assert "--listen" not in say("--help") and "--workers" in say("--help")


def test_worker_is_well_when_redis_is(new_redis):
    redis = new_redis()
    command = [BUILD / "import_worker", "--health"]
    assert subprocess.run(command, env=KEYS | {"CIOBRIDGE_REDIS_URL": redis.url}).returncode == 0
    redis.stop()
    assert subprocess.run(command, env=KEYS | {"CIOBRIDGE_REDIS_URL": redis.url}).returncode == 1
    assert subprocess.run(command, env={}, capture_output=True).returncode == 2


def test_worker_needs_no_web_server(new_redis):
    """As in a container of its own: no socket, no options."""
    redis = new_redis()
    with subprocess.Popen([BUILD / "import_worker"], env=KEYS | {"CIOBRIDGE_REDIS_URL": redis.url},
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as worker:
        try:
            redis.call("RPUSH", "cb:undo", "nothing 01ARZ3NDEKTSV4RRFFQ69G5FAV")
            wait_until(lambda: redis.call("LLEN", "cb:undo") == "0", 10 * PACE, "it works")
        finally:
            worker.terminate()
        assert worker.wait(10) == 0
