"""Faults on demand, the clock, what can be read back, and the process itself."""
import http.client
import json
import os
import signal
import subprocess
import time
import urllib.parse

import pytest

from caller import Caller
from customerio import EMULATOR, Emulator, Refused, request
from stack import wait_until

TOPICS = "/v1/subscription_topics"
SEARCH = {"filter": {"attribute": {"field": "email", "operator": "exists"}}}


def topics(call):
    return call.whole("app", "GET", TOPICS)


def page(call, start=""):
    status, answer = call("app", "POST", f"/v1/customers?limit=2&start={urllib.parse.quote(start)}", SEARCH)
    assert status == 200
    return answer


def test_a_fault_meets_the_requests_that_it_names(cio, call):
    cio.fault(api="app", region="us", method="GET", path="/v1/sub*", skip=1, count=2, every=2, do={"status": 503})
    call("app", "GET", "/v1/exports")
    assert [topics(call)[0] for _ in range(7)] == [200, 200, 503, 200, 503, 200, 200]
    assert cio.faults()[0]["happened"] == 2


def test_a_fault_can_go_by_the_body(cio, call):
    cio.fault(api="track", body="unlucky", do={"status": 500})
    assert call.identify("1", name="lucky")[0] == 200
    assert call.identify("2", name="unlucky")[0] == 500


def test_a_fault_is_healed(cio, call):
    number = cio.fault(do={"status": 418, "body": {"a": 1}, "headers": {"retry-after": "7"}})
    status, headers, text = topics(call)
    assert (status, headers["retry-after"], json.loads(text)) == (418, "7", {"a": 1})
    cio.heal(number)
    assert topics(call)[0] == 200


@pytest.mark.parametrize("effects, error", [({"reset": True}, ConnectionResetError),
                                            ({"truncate": True}, http.client.IncompleteRead),
                                            ({"cut_after": 3}, http.client.IncompleteRead)])
def test_broken_answers(cio, call, effects, error):
    cio.fault(count=1, do=effects)
    with pytest.raises(error):
        topics(call)
    assert topics(call)[0] == 200


def test_an_answer_that_is_lost_after_all_was_done(cio, call, account):
    cio.fault(api="track", count=1, do={"lost": True})
    with pytest.raises(ConnectionResetError):
        call.identify("1")
    assert account.person(id="1")
    cio.fault(api="track", count=1, do={"status": 500, "accepted": True})
    assert call.identify("2")[0] == 500
    assert account.person(id="2")
    cio.fault(api="track", count=1, do={"status": 500})
    call.identify("3")
    assert account.person(id="3") is None


def test_malformed_json(cio, call):
    cio.fault(do={"malformed": True})
    status, _, text = topics(call)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)


def test_latency(cio, call):
    cio.fault(count=1, do={"latency_ms": 100})
    begin = time.monotonic()
    assert topics(call)[0] == 200
    assert time.monotonic() - begin >= 0.099


def test_a_hidden_rate_limit(cio, call):
    cio.fault(api="track", do={"rate_limit": {"limit": 3, "window_ms": 60_000, "retry_after": 9}})
    answers = [call.whole("track", "PUT", "/api/v1/customers/1", {}) for _ in range(4)]
    assert [answer[0] for answer in answers] == [200, 200, 200, 429]
    assert answers[3][1]["retry-after"] == "9"


def test_pages_that_lie(cio, call, account):
    account.add_people(*({"email": f"{n}@example.com"} for n in range(6)))
    pages = [page(call)]
    while pages[-1]["next"]:
        pages.append(page(call, pages[-1]["next"]))
    first, second, third = pages

    cio.fault(path="/v1/customers", skip=1, count=1, do={"repeat": True})
    assert [page(call), page(call, first["next"]), page(call, first["next"])] == [first, first, second]
    cio.heal()
    cio.fault(path="/v1/customers", do={"loop": True})
    assert page(call)["next"] == first["next"]
    assert page(call, first["next"]) == second | {"next": first["next"]}
    cio.heal()
    cio.fault(path="/v1/customers", do={"remove": ["next"]})
    assert "next" not in page(call)
    cio.heal()
    cio.fault(path="/v1/exports", do={"set": {"exports": None, "more": 1}})
    assert call("app", "GET", "/v1/exports")[1] == {"exports": None, "more": 1}


@pytest.mark.parametrize("rule", [{}, {"do": {"explode": True}}])
def test_faults_that_cannot_be(cio, rule):
    with pytest.raises(Refused):
        cio.fault(**rule)


def test_everything_received_can_be_read(cio, call, account):
    call.identify("a%2Fb", name="zoë")
    cio.fault(path="/v1/*", count=1, do={"lost": True})
    with pytest.raises(ConnectionResetError):
        topics(call)
    put, get = cio.received(account=account.name)
    assert (put["method"], put["path"], put["status"], put["fault"]) == ("PUT", "/api/v1/customers/a%2Fb", 200, None)
    assert json.loads(put["body"]) == {"name": "zoë"}
    assert put["headers"]["authorization"] == call.headers["track"]["Authorization"]
    assert (get["api"], get["status"], get["fault"] is not None) == ("app", 200, True)
    assert cio.received(account=account.name, api="track") == [put]


def test_the_clock_goes_forward(cio):
    before = cio.now()
    cio.advance(1000)
    assert cio.now() - before >= 1000
    with pytest.raises(Refused):
        cio.advance(-1)


def test_reset_forgets_everything():
    with Emulator() as cio:
        account = cio.account()
        caller = Caller(cio, account)
        caller.identify("1")
        cio.fault(do={"status": 500})
        cio.advance(1000)
        cio.reset()
        assert caller.identify("1")[0] == 401
        assert cio.now() - time.time() < 100
        assert len(cio.received()) == 1 and cio.faults() == []


def test_it_ends_when_it_is_asked_to():
    assert Emulator().start().stop() == 0


def test_it_ends_with_whoever_started_it():
    command = f"node {EMULATOR} & echo $!; wait"
    shell = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True)
    pid, line = int(shell.stdout.readline()), shell.stdout.readline()
    assert json.loads(line)["control"]
    shell.kill()
    shell.wait()

    def is_gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"

    try:
        wait_until(is_gone, 10, "the emulator has ended")
    finally:
        if not is_gone():
            os.kill(pid, signal.SIGKILL)
        shell.stdout.close()


def test_it_starts_with_a_seed(tmp_path):
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps([{"name": "shop", "app_key": "key", "topics": [{"id": 7}]}]))
    process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "node", EMULATOR, "--seed", seed],
                               stdout=subprocess.PIPE, text=True)
    with process:
        urls = json.loads(process.stdout.readline())
        status, _, text = request(urls["us"]["app"], "GET", TOPICS, headers={"Authorization": "Bearer key"})
        process.terminate()
    assert (status, json.loads(text)["topics"][0]["identifier"]) == (200, "topic_7")


@pytest.mark.parametrize("options", [["--listen", "nowhere"], ["--seed", "/does/not/exist"], ["--unknown"]])
def test_it_says_why_it_cannot_start(options):
    done = subprocess.run(["node", EMULATOR, *options], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and done.stdout == "" and done.stderr
