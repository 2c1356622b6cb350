"""What webhooks leave open is looked up at Customer.io, and ends in what Customer.io says."""
import contextlib
import json
import os
import re
import signal
import time
import urllib.parse

import pytest

import feed
from customerio import Emulator
from feed import Feed, event
from stack import PACE, Stack, wait_until

LEASE_S = 8  # after a death nobody takes a job up sooner
REST_S = 10  # after a failure of Customer.io
LOOKED_UP_S = 15 * PACE
PREFERENCES = "cio_subscription_preferences_changed"
ATTRIBUTES = "/v1/customers/*/attributes"


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def service(emulator, tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("stack"), **emulator.variables())
    try:
        yield made.start()
        made.stop()
    finally:
        made.abandon()


@pytest.fixture
def shop(service, emulator):
    emulator.reset()
    shop = Shop(service, emulator)
    shop.connect()
    return shop


@pytest.fixture(scope="module", autouse=True)
def nothing_is_given_away(service):
    yield
    assert "@" not in service.output.read_text()


class Shop(Feed):
    """A project with two topics, and the account at Customer.io that it is the bridge to."""

    def __init__(self, stack, emulator):
        super().__init__(stack)
        self.emulator = emulator
        self.account = emulator.account(self.slug, topics=[{"id": 7, "name": "Offers"}, {"id": 8, "name": "News"}])
        for key, topic in (("offers", "topic_7"), ("news", "topic_8")):
            answer = stack.post(f"/optouts/{self.slug}/categories", {"key": key, "name": key, "topic": topic})
            assert answer.status == 201, answer

    def connect(self):
        answer = self.stack.put(f"/settings/{self.slug}/app", {"api_key": self.account.app_key, "region": "us"})
        assert answer.status == 200, answer
        self.emulator.forget_received()

    def choose(self, unsubscribed=None, offers=None, news=None, **person):
        """What somebody has chosen at Customer.io, by now."""
        topics = {name: value for name, value in (("topic_7", offers), ("topic_8", news)) if value is not None}
        if unsubscribed is not None:
            person["unsubscribed"] = unsubscribed
        self.account.add_people(person | ({"cio_subscription_preferences": {"topics": topics}} if topics else {}))

    def report(self, metric, address, at, **data):
        answer = self.post(event(metric, address, at, **data))
        assert answer.status == 200 and answer.json()["status"] != "quarantined", answer
        return answer.json()["status"]

    def score(self, recipient, category="$all"):
        return self.scores(category).get(recipient)

    def scores(self, name):
        name = {"offers": "customerio_topic_7", "news": "customerio_topic_8"}.get(name, name)
        found = {}
        with feed.Redis(self.stack) as redis:
            for partition in range(16):
                flat = redis.call("ZRANGE", f"cb:{{{self.slug}:{partition:02d}}}:optouts:{name}", 0, -1, "WITHSCORES")
                found.update((who.decode(), int(score)) for who, score in zip(flat[::2], flat[1::2]))
        return found

    def waiting(self):
        with feed.Redis(self.stack) as redis:
            return sum(redis.call("ZCARD", f"cb:{{{self.slug}:{partition:02d}}}:lookups") for partition in range(16))

    def wait(self, limit_s=LOOKED_UP_S):
        wait_until(lambda: self.waiting() == 0, limit_s, "everybody is looked up")

    def asked(self):
        """Who was looked up, in order."""
        return [item["path"] for item in self.emulator.received(api="app") if item["path"].endswith("/attributes")]

    def counted(self, kind, status):
        name = re.escape(f'ciobridge_lookups_total{{kind="{kind}",status="{status}"}}')
        found = re.search(rf"^{name} (\d+)$", self.stack.get("/metrics").body.decode(), re.MULTILINE)
        return int(found[1]) if found else 0


def a_minute_ago():
    return int(time.time()) - 60


def end_of(second):
    return second * 1000 + 999


def begin_of(second):
    return -second * 1000


def test_preferences_without_content(shop):
    at, jo, kim = a_minute_ago(), "jo@example.com", "kim@example.com"
    before = shop.counted("preferences", "done")
    shop.choose(email=jo, offers=False, news=True)
    shop.choose(email=kim, unsubscribed=True)
    assert shop.report(PREFERENCES, jo, at) == shop.report(PREFERENCES, kim, at) == "recorded"
    shop.wait()
    assert shop.score(jo, "offers") == end_of(at) and shop.score(jo, "news") == shop.score(jo) == begin_of(at)
    assert shop.score(kim) == end_of(at) and shop.score(kim, "offers") is None
    assert not shop.allowed(jo, "offers") and shop.allowed(jo, "news") and not shop.allowed(kim)
    history = shop.stack.get(f"/optouts/{shop.slug}/recipients/{jo}").json()["history"]
    assert [(entry["category"], entry["new"], entry["source"]) for entry in history] == [("offers", "out", "webhook")]
    wait_until(lambda: shop.counted("preferences", "done") == before + 2, 5 * PACE, "they are counted")


def test_nobody_of_that_name(shop):
    shop.report(PREFERENCES, "gone@example.com", a_minute_ago())
    shop.report("unsubscribed", None, a_minute_ago(), identifiers={"id": "gone"})
    shop.wait()
    assert not shop.allowed("gone") and shop.score("gone@example.com") is None
    assert shop.asked() and all("gone" in path for path in shop.asked())


def test_an_id_only(shop):
    at, jo = a_minute_ago(), "jo@example.com"
    shop.choose(id="42", email="Jo@example.com", unsubscribed=True, offers=False)
    shop.report("unsubscribed", None, at, identifiers={"id": "42"})
    shop.wait()
    assert shop.score(jo) == shop.score("42") == end_of(at)
    assert shop.score(jo, "offers") is None, "its preferences need no look"
    # Neither address nor content.
    shop.report(PREFERENCES, None, at + 5, identifiers={"id": "42"})
    shop.wait()
    assert shop.score(jo, "offers") == shop.score("42", "offers") == end_of(at + 5)


def test_an_id_that_gets_its_address_later(shop):
    at = a_minute_ago()
    shop.choose(id="42", unsubscribed=True)
    shop.report("unsubscribed", None, at, identifiers={"id": "42"})
    shop.wait()
    shop.choose(id="42", email="jo@example.com", unsubscribed=False)
    shop.report("subscribed", None, at + 1, identifiers={"id": "42"})
    shop.report(PREFERENCES, None, at + 1, identifiers={"id": "42"}, content='{"topics":{"topic_8":false}}')
    shop.wait()
    assert shop.score("jo@example.com") == begin_of(at + 1) and shop.score("jo@example.com", "news") == end_of(at + 1)


@pytest.mark.parametrize("is_out", [True, False], ids=["ends out", "ends in"])
@pytest.mark.parametrize("out_comes_first", [True, False], ids=["out first", "in first"])
def test_two_opposite_within_a_second(shop, is_out, out_comes_first):
    at, jo = a_minute_ago(), "jo@example.com"
    shop.choose(email=jo, unsubscribed=is_out, offers=not is_out)
    for out in (out_comes_first, not out_comes_first):
        shop.report("unsubscribed" if out else "subscribed", jo, at)
        shop.report(PREFERENCES, jo, at, content=json.dumps({"topics": {"topic_7": not out}}))
    assert not shop.allowed(jo) and shop.waiting() == 1
    shop.wait()
    assert shop.allowed(jo) != is_out
    assert shop.score(jo) == shop.score(jo, "offers") == (end_of(at) if is_out else -(end_of(at) + 1))
    # Whoever leaves in the next second has left.
    shop.report("unsubscribed", jo, at + 1)
    assert shop.score(jo) == end_of(at + 1)


def test_two_opposite_within_a_second_without_content(shop):
    at, jo = a_minute_ago(), "jo@example.com"
    for subscribed in (False, True):
        shop.choose(email=jo, offers=subscribed)
        shop.report(PREFERENCES, jo, at)
        shop.wait()
        assert shop.allowed(jo, "offers") == subscribed


def test_what_happened_just_now(shop):
    """The same, while more may still happen in that second."""
    happened = {}
    for number in range(10):
        address = f"{number}@example.com"
        happened[address] = at = int(time.time())
        shop.choose(email=address, offers=True)
        for subscribed in ("false", "true"):
            shop.report(PREFERENCES, address, at, content=f'{{"topics":{{"topic_7":{subscribed}}}}}')
        time.sleep(0.3)
    shop.wait()
    for item in shop.emulator.received(api="app"):
        if item["path"].endswith("/attributes"):
            address = urllib.parse.unquote(item["path"].split("/")[3])
            assert item["at"] > (happened[address] + 1) * 1000, "the second was over"
    assert all(shop.allowed(address, "offers") for address in happened)


def test_what_customerio_was_not_told_of(shop):
    jo = "jo@example.com"
    shop.choose(email=jo, offers=True, news=False, unsubscribed=False)
    for category in ("offers", "$all"):
        assert shop.stack.post(f"/optouts/{shop.slug}", {"identifier": jo, "category": category}).status == 200
    time.sleep(1.1)
    shop.report(PREFERENCES, jo, int(time.time()))
    shop.wait()
    assert not shop.allowed(jo) and not shop.allowed(jo, "offers") and shop.score(jo, "news") > 0


def late_answer(**topics):
    """What Customer.io answers when its answer is two seconds old."""
    attributes = {"cio_subscription_preferences": json.dumps({"topics": topics})}
    return {"status": 200, "latency_ms": 2000, "body": {"customer": {"identifiers": {}, "attributes": attributes}}}


@pytest.mark.parametrize("later_s", [0, 1], ids=["same second", "later"])
def test_an_event_while_the_look_up_is_under_way(shop, later_s):
    at, jo = a_minute_ago(), "jo@example.com"
    fault = shop.emulator.fault(api="app", path=ATTRIBUTES, count=1, do=late_answer(topic_7=True))
    shop.choose(email=jo, offers=False)
    shop.report(PREFERENCES, jo, at)
    wait_until(lambda: shop.emulator.faults()[0]["happened"], LOOKED_UP_S, "it is asked for")
    shop.report(PREFERENCES, jo, at + later_s)
    wait_until(lambda: shop.score(jo, "offers") == begin_of(at), LOOKED_UP_S, "the late answer is recorded")
    assert shop.waiting() == 1
    shop.wait()
    assert shop.score(jo, "offers") == end_of(at + later_s) and len(shop.asked()) == 2
    shop.emulator.heal(fault)


def test_a_worker_that_is_killed(shop):
    at, addresses = a_minute_ago(), [f"{number}@example.com" for number in range(30)]
    for address in addresses:
        shop.choose(email=address, unsubscribed=True)
        shop.report(PREFERENCES, address, at)
    wait_until(lambda: len(shop.asked()) >= 5, LOOKED_UP_S, "some are looked up")
    for worker in shop.stack.named("import_worker"):
        with contextlib.suppress(ProcessLookupError):  # workers leave with their master
            os.kill(worker.pid, signal.SIGKILL)
    assert 0 < len(shop.scores("$all")) < 30 and shop.waiting() > 0
    shop.wait(LEASE_S + LOOKED_UP_S)
    assert shop.scores("$all") == dict.fromkeys(addresses, end_of(at))


def test_customerio_fails_for_a_while(shop):
    at, addresses = a_minute_ago(), [f"{number}@example.com" for number in range(8)]
    failed = shop.counted("preferences", "failed")
    shop.emulator.fault(api="app", path=ATTRIBUTES, do={"status": 500})
    for address in addresses:
        shop.choose(email=address, unsubscribed=True)
        shop.report(PREFERENCES, address, at)
    wait_until(lambda: shop.counted("preferences", "failed") == failed + 3, 4 * LOOKED_UP_S, "three have failed")
    time.sleep(3)
    assert shop.counted("preferences", "failed") == failed + 3, "then it rests"
    assert shop.waiting() == 8 and shop.scores("$all") == {}
    shop.emulator.heal()
    shop.wait(REST_S + LOOKED_UP_S)
    assert shop.scores("$all") == dict.fromkeys(addresses, end_of(at))


def test_one_who_cannot_be_looked_up_stands_in_nobodys_way(shop):
    at, addresses = a_minute_ago(), [f"{number}@example.com" for number in range(8)]
    shop.emulator.fault(api="app", path="/v1/customers/3*/attributes", do={"status": 400})
    for address in addresses:
        shop.choose(email=address, unsubscribed=True)
        shop.report(PREFERENCES, address, at)
    wait_until(lambda: shop.waiting() == 1, LOOKED_UP_S, "the others are looked up")
    assert shop.scores("$all") == dict.fromkeys([*addresses[:3], *addresses[4:]], end_of(at))
    shop.emulator.heal()
    shop.wait(REST_S + LOOKED_UP_S)


def test_a_key_that_is_refused(shop):
    at, jo = a_minute_ago(), "jo@example.com"
    shop.account.configure(app_key="another-key")
    shop.choose(email=jo, unsubscribed=True)
    shop.report(PREFERENCES, jo, at)
    wait_until(lambda: len(shop.asked()) == 1, LOOKED_UP_S, "it is tried")
    time.sleep(5)
    assert len(shop.asked()) == 1 and shop.waiting() == 1, "not again within a minute"
    said = [line for line in shop.stack.output.read_text().splitlines() if "look-ups" in line and shop.slug in line]
    assert len(said) == 1 and "another-key" not in said[0], said
    # With a key that is good at once.
    shop.connect()
    shop.wait()
    assert shop.score(jo) == end_of(at)


def test_without_a_connection_they_wait(service, emulator):
    emulator.reset()
    shop, at, jo = Shop(service, emulator), a_minute_ago(), "jo@example.com"
    shop.choose(email=jo, unsubscribed=True)
    shop.report(PREFERENCES, jo, at)
    time.sleep(4)
    assert shop.waiting() == 1 and shop.asked() == []
    shop.connect()
    shop.wait()
    assert shop.score(jo) == end_of(at)
