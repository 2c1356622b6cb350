"""Credentials of Customer.io are tried before they are stored: accepted, refused, or not known to be either."""
import concurrent.futures
import itertools
import subprocess
import time

import pytest

import feed
from customerio import Emulator
from stack import BUILD, PACE, Stack, wait_until

SLOW_S = 11 * PACE  # nobody waits longer for an answer, whatever Customer.io does; the web server would give up at 15 s
NONE = {"app": {"configured": False, "region": None, "last_import": None},
        "track": {"configured": False, "enabled": False, "region": None, "site_id": None},
        "pipelines": {"configured": False, "enabled": False, "region": None}}
SECRET = {"app": "api_key", "track": "api_key", "pipelines": "write_key"}  # the member that a refusal names
SECTIONS = pytest.mark.parametrize("section", NONE)
REGIONS = pytest.mark.parametrize("region", ["us", "eu"])
OTHER = {"us": "eu", "eu": "us"}

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


@pytest.fixture
def shop(service, emulator):
    """A project, and a Customer.io to which nothing happens yet."""
    emulator.reset()
    return Shop(service, service.project())


class Shop:
    def __init__(self, service, slug):
        self.service, self.slug = service, slug

    def put(self, section, body, method="PUT", **options):
        return self.service.request(method, f"/settings/{self.slug}/{section}", body, **options)

    def delete(self, section):
        return self.service.delete(f"/settings/{self.slug}/{section}")

    def shown(self, section):
        answer = self.service.get(f"/settings/{self.slug}")
        assert answer.status == 200, answer
        return answer.json()[section]

    def accept(self, section, account, **more):
        answer = self.put(section, credentials(section, account) | more)
        assert answer.status == 200, answer
        return answer.json()


def account_in(emulator, region, **settings):
    return emulator.account(f"account{next(numbers)}", region=region, **settings)


def credentials(section, account):
    return {"app": {"api_key": account.app_key},
            "track": {"site_id": account.site_id, "api_key": account.track_key},
            "pipelines": {"write_key": account.pipelines_key}}[section]


def wrong_credentials(section):
    return {"app": {"api_key": "a-wrong-key"}, "track": {"site_id": "a-site", "api_key": "a-wrong-key"},
            "pipelines": {"write_key": "a-wrong-key"}}[section]


def connected(section, account):
    described = {"configured": True, "region": account.region}
    return NONE[section] | described | ({"site_id": account.site_id} if section == "track" else {})


def refused(answer, field, *words):
    """The problem is this member's, and says these words."""
    assert answer.status == 422, answer
    messages = [error["message"] for error in answer.json()["errors"] if error["field"] == field]
    return len(messages) == 1 and all(word in messages[0] for word in words)


def unavailable(answer):
    assert answer.status == 503, answer
    assert answer.headers["Retry-After"] and answer.json()["detail"], answer
    return True


@SECTIONS
@REGIONS
def test_accepted_then_removed(shop, emulator, section, region):
    account = account_in(emulator, region)
    assert shop.shown(section) == NONE[section]
    assert shop.accept(section, account, region=region) == connected(section, account)
    assert shop.shown(section) == connected(section, account)
    assert {request["region"] for request in emulator.received(api=section)} == {region}
    for _ in range(2):
        assert shop.delete(section).status == 204
        assert shop.shown(section) == NONE[section]


@SECTIONS
@REGIONS
def test_region_is_found_where_none_is_named(shop, emulator, section, region):
    account = account_in(emulator, region)
    assert shop.accept(section, account) == connected(section, account)


@REGIONS
@pytest.mark.parametrize("manner", ["redirect", "refuse"])
def test_region_auto_finds_the_account(shop, emulator, region, manner):
    account = account_in(emulator, region, wrong_region=manner)
    assert shop.accept("app", account, region="auto") == connected("app", account)
    other = account_in(emulator, OTHER[region], wrong_region=manner)
    assert shop.accept("app", other, region="auto") == connected("app", other), "found anew, not where it was"


@SECTIONS
@REGIONS
@pytest.mark.parametrize("manner", ["redirect", "refuse"])
def test_wrong_region_is_named(shop, emulator, section, region, manner):
    account = account_in(emulator, region, wrong_region=manner)
    answer = shop.put(section, credentials(section, account) | {"region": OTHER[region]})
    assert refused(answer, "region", region.upper())
    assert shop.shown(section) == NONE[section]


@SECTIONS
@pytest.mark.parametrize("region", [{}, {"region": "us"}, {"region": "eu"}])
def test_refused_ones_are_not_stored(shop, emulator, section, region):
    answer = shop.put(section, wrong_credentials(section) | region)
    assert refused(answer, SECRET[section])
    assert shop.shown(section) == NONE[section]
    account = account_in(emulator, "eu")
    shop.accept(section, account)
    assert refused(shop.put(section, wrong_credentials(section) | region), SECRET[section])
    assert shop.shown(section) == connected(section, account)
    assert shop.put(section, {"region": "eu"}).status == 200, "the former ones still stand, and are good"


def test_credentials_of_two_accounts_are_refused(shop, emulator):
    one, other = account_in(emulator, "us"), account_in(emulator, "us")
    mixed = {"site_id": one.site_id, "api_key": other.track_key}
    assert refused(shop.put("track", mixed), "api_key")
    shop.accept("track", one)
    assert refused(shop.put("track", {"site_id": other.site_id}), "api_key")
    assert shop.shown("track") == connected("track", one)


FAILURES = [{"status": 500}, {"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}, {"reset": True},
            {"truncate": True}]
# What the Pipelines API says to a good key is not documented, but for the status.
NONSENSE = [{"malformed": True}, *({"status": 200, "body": body} for body in ("", "{}", "[1]", "<html>Hello</html>"))]


@pytest.mark.parametrize("section, what", [
    *itertools.product(NONE, FAILURES), *itertools.product(("app", "track"), NONSENSE)])
def test_what_is_no_refusal_is_not_told_as_one(shop, emulator, section, what):
    account = account_in(emulator, "us")
    emulator.fault(api=section, do=what)
    assert unavailable(shop.put(section, credentials(section, account)))
    assert unavailable(shop.put(section, credentials(section, account) | {"region": "us"}))
    assert shop.shown(section) == NONE[section]
    emulator.heal()
    # A pause that Customer.io has asked for is kept.
    wait_until(lambda: shop.put(section, credentials(section, account)).status == 200, 5 * PACE, "it is well again")


@SECTIONS
def test_permission_that_is_lacking_is_a_refusal(shop, emulator, section):
    account = account_in(emulator, "us")
    emulator.fault(api=section, do={"status": 403})
    assert refused(shop.put(section, credentials(section, account) | {"region": "us"}), SECRET[section])


def test_region_that_is_down_does_not_hide_the_other(shop, emulator):
    account, stranger = account_in(emulator, "eu", wrong_region="refuse"), account_in(emulator, "us")
    emulator.fault(api="app", region="us", do={"status": 502})
    assert shop.accept("app", account, region="auto") == connected("app", account)
    assert unavailable(shop.put("app", {"api_key": stranger.app_key, "region": "auto"})), "not known is no refusal"
    assert unavailable(shop.put("app", {"api_key": stranger.app_key, "region": "us"}))


def test_slow_customer_io_holds_up_nobody_else(shop, emulator):
    """One answers never, one late but in time; meanwhile the settings are there for others."""
    account = account_in(emulator, "us")
    emulator.fault(api="app", do={"hang": True})
    emulator.fault(api="track", do={"latency_ms": 30000})
    emulator.fault(api="pipelines", do={"latency_ms": 1500})

    def timed(section):
        begin = time.monotonic()
        answer = shop.put(section, credentials(section, account), timeout_s=60)
        return answer, time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = {section: pool.submit(timed, section) for section in NONE}
        wait_until(lambda: len(emulator.received()) >= 3, 10 * PACE, "all three were asked")
        begin = time.monotonic()
        assert shop.shown("app") == NONE["app"]
        assert time.monotonic() - begin < 2 * PACE
        answers = {section: future.result() for section, future in asked.items()}
    assert unavailable(answers["app"][0]) and unavailable(answers["track"][0])
    assert all(took < SLOW_S for _, took in answers.values()), answers
    assert answers["pipelines"][0].status == 200
    assert [shop.shown(section)["configured"] for section in NONE] == [False, False, True]


def test_silent_customer_io_does_not_keep_the_service_from_ending(new_stack, customerio):
    service = new_stack(**customerio.variables()).start()
    shop, account = Shop(service, service.project()), customerio.account()
    customerio.fault(do={"hang": True})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        trial = pool.submit(shop.put, "app", credentials("app", account), timeout_s=60)
        wait_until(customerio.received, 10 * PACE, "it is being tried")
        status, _ = service.stop()
        assert status == 0
        assert trial.exception() or trial.result().status == 503


def test_nobody_there(new_stack):
    """No Customer.io at all: refused connections, and a name that is none."""
    service = new_stack(CIOBRIDGE_APP_URL="http://127.0.0.1:1", CIOBRIDGE_TRACK_URL="http://nowhere.invalid",
                        CIOBRIDGE_PIPELINES_URL="https://127.0.0.1:1").start()
    shop = Shop(service, service.project())
    for section in NONE:
        assert unavailable(shop.put(section, wrong_credentials(section)))
        assert shop.shown(section) == NONE[section]


@SECTIONS
def test_replaced(shop, emulator, section):
    first, second, third = (account_in(emulator, region) for region in ("us", "us", "eu"))
    switch = {} if section == "app" else {"enabled": True}
    assert shop.accept(section, first, **switch) == connected(section, first) | switch
    assert shop.accept(section, second) == connected(section, second) | switch, "what is left out stays"
    assert refused(shop.put(section, credentials(section, third)), "region", "EU"), "so does the region"
    assert shop.accept(section, third, region="eu") == connected(section, third) | switch
    assert refused(shop.put(section, {"region": "us"}), "region", "EU")
    assert shop.shown(section) == connected(section, third) | switch


@pytest.mark.parametrize("section", ["track", "pipelines"])
def test_switched_without_asking(shop, emulator, section):
    account = account_in(emulator, "us")
    assert refused(shop.put(section, {"enabled": True}), "enabled")
    shop.accept(section, account)
    emulator.forget_received()
    for enabled, method in ((True, "PUT"), (False, "PATCH"), (True, "PATCH")):
        assert shop.put(section, {"enabled": enabled}, method).json()["enabled"] is enabled
        assert shop.shown(section) == connected(section, account) | {"enabled": enabled}
    assert emulator.received() == []
    assert shop.delete(section).status == 204
    assert refused(shop.put(section, {"enabled": True}), "enabled")


@SECTIONS
def test_two_at_once(shop, emulator, section):
    """Of two changes each is accepted, and one of them is what is there: never half of each."""
    accounts = [account_in(emulator, region) for region in ("us", "eu")]
    emulator.fault(api=section, do={"latency_ms": 300})

    def put(account):
        return shop.put(section, credentials(section, account) | {"region": account.region})

    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(put, accounts))
    assert [answer.status for answer in answers] == [200, 200], answers
    assert shop.shown(section) in [connected(section, account) for account in accounts]
    emulator.heal()
    assert shop.put(section, {"region": shop.shown(section)["region"]}).status == 200, "they are good together"


@pytest.mark.parametrize("section", ["track", "pipelines"])
def test_switched_while_others_are_tried(shop, emulator, section):
    first, second = account_in(emulator, "us"), account_in(emulator, "us")
    shop.accept(section, first)
    emulator.forget_received()
    emulator.fault(api=section, do={"latency_ms": 1000})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        trial = pool.submit(shop.put, section, credentials(section, second))
        wait_until(lambda: emulator.received(api=section), 10 * PACE, "it is being tried")
        assert shop.put(section, {"enabled": True}).status == 200
        assert trial.result().json() == connected(section, second) | {"enabled": True}
    assert len(emulator.received(api=section)) == 1, "what was accepted is not tried again"


@SECTIONS
def test_project_removed_while_they_are_tried(shop, emulator, section):
    account = account_in(emulator, "us")
    emulator.fault(api=section, do={"latency_ms": 1000})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        trial = pool.submit(shop.put, section, credentials(section, account))
        wait_until(lambda: emulator.received(api=section), 10 * PACE, "it is being tried")
        assert shop.service.delete(f"/settings/{shop.slug}?confirm={shop.slug}").status == 204
        assert trial.result().status == 404
    with feed.Redis(shop.service) as redis:
        assert redis.call("EXISTS", f"cb:{{{shop.slug}}}:settings") == 0


def test_a_trial_touches_nobody(shop, emulator):
    account = account_in(emulator, "us", people=[{"email": "ann@example.com"}])
    for section in NONE:
        shop.accept(section, account)
    assert len(account.people()) == 1
    assert not [event for event in account.events() if event["person"]]


@pytest.mark.parametrize("name", ["webhook", "optouts", "csv_upload"])
def test_functions_that_call_nobody_do_without_libcurl(name):
    """It would cost them memory and time to start."""
    def libraries(executable):
        return subprocess.run(["ldd", BUILD / executable], check=True, capture_output=True, text=True).stdout

    assert "libcurl" in libraries("settings") and "libcurl" not in libraries(name)
