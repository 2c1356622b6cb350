"""Imports from Customer.io's App API: what they bring, what can go wrong on the way, and who is killed meanwhile."""
import contextlib
import itertools
import os
import signal
import threading
import time

import pytest

import feed
from customerio import Emulator
from feed import state
from stack import PACE, Stack, wait_until

PAGES = 100 if feed.SCALE >= 20 else max(1, int(12 * feed.SCALE))  # of 1,000 people
KILLS = 50 if feed.SCALE >= 20 else max(1, int(6 * feed.SCALE))
LIMIT_S = 120 * max(feed.SCALE, 1) * PACE
MEMORY_KB = 24 << 10  # of a worker, at any time
PEOPLE = "/v1/customers"
EXPORT = "/v1/exports/customers"

numbers = itertools.count()


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


class Shop:
    """A project that is connected with an account of its own."""

    def __init__(self, service, emulator, **settings):
        self.service, self.emulator = service, emulator
        self.slug = service.project()
        self.account = emulator.account(f"shop{next(numbers)}", **settings)
        answer = service.put(f"/settings/{self.slug}/app", {"api_key": self.account.app_key})
        assert answer.status == 200, answer

    def call(self, method, path="", body=None):
        return self.service.request(method, f"/import/{self.slug}{path}", body)

    def start(self):
        answer = self.call("POST")
        assert answer.status == 202 and answer.json()["status"] == "queued", answer
        assert answer.headers["Location"] == f"/import/{self.slug}/{answer.json()['id']}"
        return answer.json()["id"]

    def job(self, number):
        answer = self.call("GET", f"/{number}")
        assert answer.status == 200, answer
        return answer.json()

    def wait(self, number, *statuses):
        def ended():
            job = self.job(number)
            return job if job["status"] in (statuses or ("completed", "failed", "cancelled", "undone")) else None
        job, _ = wait_until(ended, LIMIT_S, "the import has ended")
        return job

    def run(self):
        return self.wait(self.start())

    def state(self):
        """{list: {address: is out}}"""
        return {name: {who.decode(): float(score) > 0 for who, score in choices.items()}
                for name, choices in state(self.service, self.slug)[0].items()}

    def out(self, name="$all"):
        return {who for who, is_out in self.state().get(name, {}).items() if is_out}

    def allowed(self, who, category=None):
        path = f"/optouts/{self.slug}/check?identifier={who}" + (f"&category={category}" if category else "")
        return self.service.get(path).json()["allowed"]

    def categories(self):
        answer = self.service.get(f"/optouts/{self.slug}/categories?limit=1000")
        return {category["key"]: category for category in answer.json()["results"]}


TOPICS = [{"id": 1, "name": "News", "description": "What is new", "subscribed_by_default": True},
          {"id": 2, "name": "Offers", "subscribed_by_default": False},
          {"id": 3, "name": "News", "subscribed_by_default": True}]
PEOPLE_OF_A_SHOP = [
    {"id": "1", "email": "Out@Example.com", "unsubscribed": True},
    {"id": "2", "email": "in@example.com"},
    {"id": "3", "unsubscribed": True},
    {"id": "4", "email": "topics@example.com",
     "cio_subscription_preferences": {"topics": {"topic_1": False, "topic_2": True, "topic_3": True}}},
    {"email": "unknown@example.com", "cio_subscription_preferences": {"topics": {"topic_77": False}}},
    {"id": "6", "cio_subscription_preferences": {"topics": {"topic_1": False}}},
]


@pytest.fixture
def shop(service, emulator):
    emulator.heal()
    emulator.forget_received()
    yield Shop(service, emulator, topics=TOPICS, people=PEOPLE_OF_A_SHOP)
    emulator.heal()


def test_everything_comes(shop):
    job = shop.run()
    assert job["status"] == "completed" and job["kind"] == "api" and job["error"] is None, job
    assert job["result"] == {"topics_found": 3, "categories_created": 3, "categories_updated": 0,
                             "customers_processed": 5, "globally_unsubscribed_count": 1, "people_without_email": 2,
                             "users_with_optouts": 2, "preferences_updated": 4}, job
    assert shop.state() == {"$all": {"out@example.com": True},
                            "customerio_topic_1": {"topics@example.com": True},
                            "customerio_topic_2": {"topics@example.com": False},
                            "customerio_topic_77": {"unknown@example.com": True}}
    assert not shop.allowed("out@example.com") and shop.allowed("in@example.com")
    assert not shop.allowed("in@example.com", "customerio_topic_2"), "not subscribed by default"
    assert shop.allowed("topics@example.com", "customerio_topic_2")
    assert [warning["step"] for warning in job["warnings"]] == ["people"]


def test_again_changes_nothing(shop):
    first, before = shop.run(), shop.state()
    again = shop.run()
    assert again["status"] == "completed" and again["id"] != first["id"]
    assert again["result"] == first["result"] | {"categories_created": 0, "preferences_updated": 0}
    assert shop.state() == before


def test_topics_become_categories(shop):
    shop.run()
    made = shop.categories()
    assert {key: (one["name"], one["topic"], one["subscribed_by_default"], one["type"]) for key, one in made.items()} \
        == {"customerio_topic_1": ("News", "topic_1", True, "marketing"),
            "customerio_topic_2": ("Offers", "topic_2", False, "marketing"),
            "customerio_topic_3": ("News", "topic_3", True, "marketing")}
    path = f"/optouts/{shop.slug}/categories"
    shop.service.request("PATCH", f"{path}/customerio_topic_1", {"name": "Mine"})
    shop.service.request("PATCH", f"{path}/customerio_topic_3", {"archived": True})
    shop.account.configure(topics=[{"id": 1, "name": "Theirs"}, {"id": 2, "name": "Bargains"}, {"id": 3, "name": "X"}])
    job = shop.run()
    edited = shop.categories()
    assert edited["customerio_topic_1"]["name"] == "Mine"
    assert edited["customerio_topic_2"]["name"] == "Bargains"
    assert edited["customerio_topic_3"]["name"] == "X" and edited["customerio_topic_3"]["archived"]
    assert job["result"]["categories_updated"] == 3, "the default of the first has changed"


@pytest.mark.parametrize("count", [0, 1500])
def test_number_of_topics(service, emulator, count):
    emulator.heal()
    shop = Shop(service, emulator, people=PEOPLE_OF_A_SHOP,
                topics=[{"id": number + 1, "name": "Same name"} for number in range(count)])
    job = shop.run()
    assert job["status"] == "completed" and job["result"]["topics_found"] == count, job
    assert shop.out() == {"out@example.com"}
    assert len(shop.categories()) == min(count, 1000), "a page of them"


def test_one_at_a_time(shop, emulator):
    emulator.fault(api="app", do={"latency_ms": 500})
    number = shop.start()
    refused = shop.call("POST")
    assert refused.status == 409 and number in refused.json()["detail"]
    assert shop.wait(number)["status"] == "completed"
    assert shop.run()["status"] == "completed"


def test_without_a_key(service):
    answer = service.post(f"/import/{service.project()}")
    assert answer.status == 422 and "API key" in answer.json()["detail"]


def test_cancelled_then_undone(shop, emulator):
    emulator.fault(api="app", path=EXPORT, do={"latency_ms": 60_000})
    number = shop.start()
    wait_until(lambda: shop.job(number)["step"] == "preferences", LIMIT_S, "people are there")
    assert shop.call("DELETE", f"/{number}").status == 204
    assert shop.job(number)["status"] == "cancelled"
    assert shop.call("DELETE", f"/{number}").status == 409
    assert shop.out() == {"out@example.com"}
    emulator.heal()
    assert shop.call("POST", f"/{number}/undo").status == 202
    assert shop.wait(number, "undone")["result"]["choices_undone"] == 1
    assert shop.allowed("out@example.com")
    assert shop.run()["status"] == "completed"


# What happens to requests, and which end of the import it brings.
PASSING = {
    "limited": {"path": PEOPLE, "count": 2, "do": {"status": 429, "headers": {"retry-after": "1"}}},
    "limited without a word": {"path": PEOPLE, "count": 2, "do": {"status": 429}},
    "failing": {"count": 1, "every": 2, "do": {"status": 500}},
    "bad gateway": {"path": "/v1/exports/*", "count": 2, "do": {"status": 502}},
    "reset": {"path": PEOPLE, "count": 2, "do": {"reset": True}},
    "answer lost": {"path": EXPORT, "count": 1, "do": {"lost": True}},
    "truncated": {"path": PEOPLE, "count": 2, "do": {"truncate": True}},
    "no JSON": {"path": "/v1/subscription_topics", "count": 1, "do": {"malformed": True}},
    "next missing": {"path": PEOPLE, "do": {"remove": ["next"]}},
    "next null": {"path": PEOPLE, "do": {"set": {"next": None}}},
    "ids as numbers": {"path": PEOPLE, "do": {"set": {"ids": [1, None, 3]}}},
    "file cut": {"api": "downloads", "count": 2, "do": {"truncate": True}},
    "an address twice, ids of all sorts": {"path": PEOPLE, "do": {"set": {"identifiers": [
        {"email": "out@example.com", "id": 1, "cio_id": 7}, {"email": " OUT@example.com", "id": "2", "cio_id": None},
        {"email": None, "id": 3}]}}},
    "silent": {"path": PEOPLE, "count": 1, "do": {"hang": True}},
}
LONG = {"silent": "a try takes 30 s"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.skipif(
    name in LONG and feed.SCALE < 20, reason=f"only in the soak: {LONG.get(name)}")) for name in PASSING])
def test_what_passes(shop, emulator, name):
    emulator.fault(**({"api": "app"} | PASSING[name]))
    job = shop.run()
    assert job["status"] == "completed", job
    assert emulator.faults()[0]["happened"] > 0
    assert job["result"]["preferences_updated"] == 4 and job["result"]["users_with_optouts"] == 2
    assert shop.out() == {"out@example.com"} and shop.out("customerio_topic_1") == {"topics@example.com"}


LASTING = {
    "key refused": ({"path": PEOPLE, "do": {"status": 401}}, "people"),
    "unknown call": ({"path": PEOPLE, "do": {"status": 404}}, "people"),
    "bad request": ({"path": EXPORT, "do": {"status": 400}}, "preferences"),
    "circle": ({"path": PEOPLE, "do": {"loop": True}}, "people"),
    "page repeats": ({"path": PEOPLE, "do": {"repeat": True}}, "people"),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_pass(shop, emulator, name):
    fault, step = LASTING[name]
    if name in ("circle", "page repeats"):
        shop.account.add_people(generate=[{"count": 2500, "unsubscribed_every": 1}])
    emulator.fault(api="app", **fault)
    job = shop.run()
    assert job["status"] == "failed" and job["step"] == step and len(job["error"]) > 20, job
    assert shop.account.app_key not in str(job)
    assert job["result"]["topics_found"] == 3, "what was applied is told"
    emulator.heal()
    assert shop.run()["status"] == "completed"


def test_export_fails(shop):
    shop.account.configure(export={"fail": True})
    job = shop.run()
    assert job["status"] == "failed" and "export" in job["error"] and shop.out() == {"out@example.com"}, job


def test_not_allowed_to_export(shop):
    shop.account.configure(export={"forbidden": True})
    job = shop.run()
    assert job["status"] == "completed" and shop.out() == {"out@example.com"}, job
    [warning] = [warning for warning in job["warnings"] if warning["step"] == "preferences"]
    assert "CSV" in warning["message"]


def test_account_in_the_eu(service, emulator):
    shop = Shop(service, emulator, region="eu", topics=TOPICS, people=PEOPLE_OF_A_SHOP)
    assert shop.run()["status"] == "completed" and shop.out() == {"out@example.com"}


def test_export_in_other_clothes(service, emulator):
    shop = Shop(service, emulator, topics=TOPICS, people=PEOPLE_OF_A_SHOP,
                csv={"line_end": "\r\n", "byte_order_mark": True, "spaced_json": True, "columns": []})
    assert shop.run()["status"] == "completed"
    assert shop.out("customerio_topic_1") == {"topics@example.com"}


def many(service, emulator, pages):
    """Everybody unsubscribed, one in fifty without an address, and twenty topics."""
    topics = {f"topic_{number}": {"every": number + 2, "subscribed": number % 5 == 0} for number in range(1, 21)}
    return Shop(service, emulator, generate={"count": pages * 1000, "unsubscribed_every": 1, "topics": topics,
                                             "without_email_every": 50},
                topics=[{"id": number, "name": f"Topic {number}", "subscribed_by_default": number % 2 == 0}
                        for number in range(1, 21)])


@contextlib.contextmanager
def watched(service, emulator):
    """The most memory that any worker has had, in kB, and the most requests in any second."""
    seen, over = {"kb": 0, "most": 0}, threading.Event()

    def watch():
        while not over.wait(0.2):
            for process in service.named("import_worker"):
                with contextlib.suppress(OSError, ProcessLookupError):
                    with open(f"/proc/{process.pid}/status") as status:
                        seen["kb"] = max([seen["kb"]] + [int(line.split()[1]) for line in status
                                                         if line.startswith("VmHWM:")])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        rates = emulator.rates()
        seen["most"], seen["per_second"] = rates["most_in_window"], rates["per_second"]


def kill_workers(service, shop, number, chance, kills):
    for killed in range(kills):
        time.sleep(chance.uniform(0.05, 1.2))  # any moment will do
        if shop.job(number)["status"] not in ("queued", "running"):
            return killed
        workers = service.named("import_worker")
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(workers).pid, signal.SIGKILL)
    return kills


def test_killed_at_any_moment(service, emulator):
    emulator.heal()
    emulator.forget_received()
    undisturbed = many(service, emulator, PAGES)
    started = time.monotonic()
    with watched(service, emulator) as seen:
        wanted = undisturbed.run()
    took = time.monotonic() - started
    assert wanted["status"] == "completed", wanted
    assert wanted["result"]["globally_unsubscribed_count"] == PAGES * 980
    assert seen["most"] <= 10
    if PAGES >= 100:
        assert sum(sorted(seen["per_second"].values())[-8:]) >= 8 * 9, "nine tenths of what is allowed are used"
    print(f"{PAGES} pages in {took:.1f} s, {seen['kb']} kB, at most {seen['most']} requests in a second")
    if PACE == 1:
        assert seen["kb"] <= MEMORY_KB

    disturbed = many(service, emulator, PAGES)
    number = disturbed.start()
    killed = kill_workers(service, disturbed, number, feed.dice("kills"), KILLS)
    print(f"killed {killed} times")
    job = disturbed.wait(number)
    assert job["status"] == "completed" and job["result"] == wanted["result"], feed.SEED
    assert disturbed.state() == undisturbed.state(), feed.SEED
    verified = service.post(f"/optouts/{disturbed.slug}/audit/verify", timeout_s=LIMIT_S)
    assert verified.status == 200 and verified.json()["ok"], verified


def test_logs_tell_nothing(service, emulator):
    """Nobody's address, and not the key, not even where Customer.io repeats it."""
    emulator.heal()
    shop = Shop(service, emulator, topics=TOPICS, people=PEOPLE_OF_A_SHOP)
    echo = {"status": 401, "body": {"meta": {"error": f"the key {shop.account.app_key} is not known"}}}
    faults = [{"path": PEOPLE, "do": echo}, {"path": EXPORT, "do": {"status": 400}},
              {"path": "/v1/subscription_topics", "do": echo}, {"path": PEOPLE, "do": {"loop": True}},
              {"path": "/v1/exports/*", "do": echo}, {"api": "downloads", "do": echo}]
    shop.account.add_people(generate=[{"count": 1001, "unsubscribed_every": 1}])
    for fault in faults:
        emulator.fault(**({"api": "app"} | fault))
        job = shop.run()
        assert job["status"] == "failed" and shop.account.app_key not in str(job), (fault, job)
        emulator.heal()
    said = service.output.read_text()
    assert said.count('"an import failed"') >= len(faults)
    assert shop.account.app_key not in said and "@" not in said and "example.com" not in said.lower()


def people_done(shop, number):
    """How many unsubscribed people it has taken; None when it is at another step, or when nobody can say now."""
    answer = shop.call("GET", f"/{number}")
    job = answer.json() if answer.status == 200 else {"step": None}
    return job["progress"]["done"] if job["step"] == "people" else None


def wait_midway(shop, number):
    wait_until(lambda: (people_done(shop, number) or 0) >= 3000, LIMIT_S, "some pages are taken")


def test_progress_moves(service, emulator):
    emulator.heal()
    shop = many(service, emulator, 12)
    number, seen = shop.start(), []

    def ended():
        done = people_done(shop, number)
        if done is not None and (not seen or done != seen[-1][1]):
            seen.append((time.monotonic(), done))
        return shop.job(number)["status"] == "completed"
    wait_until(ended, LIMIT_S, "the import has ended")
    steps = [done for _, done in seen]
    assert steps == sorted(steps) and len(steps) >= 8 and steps[-1] >= 11_000, steps
    gaps = [later - earlier for (earlier, _), (later, _) in zip(seen, seen[1:])]
    assert max(gaps) < PACE, gaps
    job = shop.job(number)
    rows = job["progress"]["total"]
    assert 0 < rows == job["progress"]["done"] == job["result"]["customers_processed"] - 12_000, job


def most_in_a_second(times):
    return max(sum(begin <= at < begin + 1000 for at in times) for begin in times)


def test_each_project_has_its_pace(service, emulator):
    emulator.heal()
    emulator.forget_received()
    shops = [many(service, emulator, 12) for _ in range(2)]
    numbers = [shop.start() for shop in shops]
    for shop, number in zip(shops, numbers):
        assert shop.wait(number)["status"] == "completed"
    times = [[request["at"] for request in emulator.received(api="app", account=shop.account.name, path=PEOPLE)]
             for shop in shops]
    assert [len(each) >= 12 for each in times] == [True, True], times
    assert max(most_in_a_second(each) for each in times) <= 10
    assert max(min(each) for each in times) < min(max(each) for each in times), "at the same time"
    assert emulator.rates()["most_in_window"] > 10, "neither waits for the other's turns"


def stop_workers(service):
    _, workers = feed.family(service, "import_worker")
    for worker in workers:
        os.kill(worker.pid, signal.SIGTERM)
    feed.wait_until_complete(service, "import_worker", len(workers), workers)


def restart_redis(service):
    [redis] = service.named("redis-server")
    os.kill(redis.pid, signal.SIGKILL)
    wait_until(lambda: redis not in service.processes(), LIMIT_S, "Redis has ended")
    wait_until(lambda: service.is_well("/readyz"), LIMIT_S, "Redis is back")


@pytest.fixture(scope="module")
def undisturbed(service, emulator):
    """What an import of twelve pages brings: its result, and the list."""
    emulator.heal()
    shop = many(service, emulator, 12)
    job = shop.run()
    assert job["status"] == "completed" and job["result"]["globally_unsubscribed_count"] == 12 * 980, job
    return job["result"], shop.state()


@pytest.mark.parametrize("strike", [stop_workers, restart_redis])
def test_goes_on(service, emulator, undisturbed, strike):
    emulator.heal()
    shop = many(service, emulator, 12)
    number = shop.start()
    wait_midway(shop, number)
    strike(service)
    job = shop.wait(number)
    assert job["status"] == "completed" and (job["result"], shop.state()) == undisturbed, job
    verified = service.post(f"/optouts/{shop.slug}/audit/verify", timeout_s=LIMIT_S)
    assert verified.status == 200 and verified.json()["ok"], verified
