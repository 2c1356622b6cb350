"""Never hold up the feed: what Customer.io signed is answered 200 or 503, whatever it is, and counts as it should."""
import json
import secrets
import socket
import time

import pytest

import feed
from feed import SECRET, Client, Feed, Load, event, sign, signed_headers
from stack import PACE

UNDERSTOOD = 4 << 20
BODY_MAXIMUM = 32 << 20
PATIENCE_S = 4 * PACE  # Customer.io waits no longer
VECTOR_TIME = 1613063089
FUTURE = 4102444800  # 2100-01-01

# Signed with openssl, not by these tests: (body, signature, status)
VECTORS = [
    (b'{"metric":"unsubscribed","event_id":"01E4C4CT6YDC7Y5M7FE1GWWPQJ","object_type":"customer",'
     b'"timestamp":1613063089,"data":{"customer_id":"42","email_address":"test@example.com",'
     b'"identifiers":{"id":"42","email":"test@example.com","cio_id":"d9c106000001"}}}',
     "5306ac38ca918ca6a0a64a89c5689b2044ebd4ac2222fd6d45834b8da186c31c", "recorded"),
    (b'{"metric":"cio_subscription_preferences_changed","event_id":"01E4C4CT6YDC7Y5M7FE1GWWPQK",'
     b'"object_type":"customer","timestamp":1613063090,"data":{"customer_id":"42","email_address":"test@example.com",'
     b'"identifiers":{"id":"42","email":"test@example.com","cio_id":"d9c106000001"},'
     b'"content":"{\\"topics\\":{\\"topic_7\\":false,\\"topic_8\\":true}}"}}',
     "57ed389e06a213f7afac1b14b6d047fc55fa44c22dd3e0ef3c391ab4dd76d4a3", "recorded"),
    (b"", "8269292aa982ac1c911d37d532d90f600dc78e26b97c69d397a236cc22896b09", "quarantined"),
    (bytes.fromhex("7b226e223a225a6fc3ab20f09f9880227d0a"),
     "9ccf8d2a4f82ea468eedf5aa07d1fa79c8c2cf096a9466d53547f5328b30c7d9", "quarantined"),
]


@pytest.fixture
def project(stack):
    return Feed(stack)


def expect(answer, status):
    assert answer.status == 200, answer
    assert answer.json() == {"status": status}, answer


def unsubscribed(**more):
    """An event about WHO; members that are None are left out."""
    whole = {"event_id": secrets.token_hex(13), "object_type": "customer", "metric": "unsubscribed",
             "timestamp": VECTOR_TIME, "data": {"email_address": "WHO"}} | more
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def preferences(content):
    data = {"email_address": "WHO", "content": content}
    return unsubscribed(metric="cio_subscription_preferences_changed", data=data)


def topics(count):
    return json.dumps({"topics": {f"topic_{number}": False for number in range(count)}})


# name: (body, in which WHO stands for the address, the webhook's status, is WHO out afterwards)
BODIES = {
    "plain": (unsubscribed(), "recorded", True),
    "empty": (b"", "quarantined", False),
    "spaces": (b" \r\n\t", "quarantined", False),
    "not JSON": (b"metric=unsubscribed&email_address=WHO", "quarantined", False),
    "cut short": (unsubscribed()[:-1], "quarantined", False),
    "something behind": (unsubscribed() + b"{}", "quarantined", False),
    "byte order mark": (b"\xef\xbb\xbf" + unsubscribed(), "quarantined", False),
    "top-level list": (b"[" + unsubscribed() + b"]", "quarantined", False),
    "top-level number": (b"7", "quarantined", False),
    "top-level string": (b'"unsubscribed WHO"', "quarantined", False),
    "top-level null": (b"null", "quarantined", False),
    "empty object": (b"{}", "quarantined", False),
    "metric is a number": (unsubscribed(metric=7), "quarantined", False),
    "unknown metric": (unsubscribed(metric="person_renamed"), "ignored", False),
    "opened": (unsubscribed(metric="opened", object_type="email"), "ignored", False),
    "data null": (b'{"metric":"unsubscribed","data":null,"who":"WHO"}', "quarantined", False),
    "no data": (unsubscribed(data=None), "quarantined", False),
    "data a list": (unsubscribed(data=["WHO"]), "quarantined", False),
    "no address": (unsubscribed(data={"identifiers": {"email": None, "id": None}}), "quarantined", False),
    "address a number": (unsubscribed(data={"email_address": 7}), "quarantined", False),
    "address too long": (unsubscribed(data={"email_address": "a" * 512 + "WHO"}), "quarantined", False),
    "address with a line feed": (unsubscribed(data={"email_address": "a\nWHO"}), "quarantined", False),
    "address in capitals": (unsubscribed(data={"email_address": " WHO "}).replace(b"WHO", b"LOUD"), "recorded", True),
    "address in identifiers": (unsubscribed(data={"identifiers": {"email": "WHO"}}), "recorded", True),
    "address as recipient": (unsubscribed(object_type="email", data={"recipient": "WHO"}), "recorded", True),
    "only an id": (unsubscribed(data={"identifiers": {"id": "WHO"}}), "recorded", True),
    "NUL in the address": (unsubscribed(data={"email_address": "x\0WHO"}), "quarantined", False),
    "NUL in a name": (b'{"metric\\u0000":"unsubscribed","data":{"email_address":"WHO"}}', "quarantined", False),
    "bytes that are not UTF-8": (unsubscribed().replace(b"WHO", b"WHO\xff"), "quarantined", False),
    "lone surrogate": (unsubscribed().replace(b"WHO", b"WHO\\ud800"), "quarantined", False),
    "duplicate member": (b'{"metric":"subscribed",' + unsubscribed()[1:], "quarantined", False),
    "duplicate address": (unsubscribed().replace(b'"data": {', b'"data": {"email_address":"x@y.example",'),
                          "quarantined", False),
    "100,000 brackets": (b"[" * 100000, "quarantined", False),
    "100,000 brackets inside": (unsubscribed(data="HERE").replace(b'"HERE"', b"[" * 100000 + b"]" * 100000),
                                "quarantined", False),
    "no time": (unsubscribed(timestamp=None), "recorded", True),
    "time soon": (unsubscribed(timestamp="soon"), "recorded", True),
    "time -5": (unsubscribed(timestamp=-5), "recorded", True),
    "time 0": (unsubscribed(timestamp=0), "recorded", True),
    "time 1e300": (unsubscribed(timestamp=1e300), "recorded", True),
    "time 1e400": (unsubscribed().replace(str(VECTOR_TIME).encode(), b"1e400"), "quarantined", False),
    "time beyond 64 bits": (unsubscribed(timestamp=1 << 64), "quarantined", False),
    "time null": (unsubscribed(timestamp=None).replace(b'"metric"', b'"timestamp":null,"metric"'), "recorded", True),
    "time a fraction": (unsubscribed(timestamp=VECTOR_TIME + 0.5), "recorded", True),
    "time to come": (unsubscribed(timestamp=FUTURE), "recorded", True),
    "in at a time to come": (unsubscribed(metric="subscribed", timestamp=FUTURE), "quarantined", False),
    "complaint": (unsubscribed(metric="spammed", object_type="email"), "recorded", True),
    "complaint about a push": (unsubscribed(metric="spammed", object_type="push"), "ignored", False),
    "bounced": (unsubscribed(metric="bounced", object_type="email"), "recorded", False),
    "content missing": (unsubscribed(metric="cio_subscription_preferences_changed"), "recorded", False),
    "content null": (preferences(None), "recorded", False),
    "content empty": (preferences(""), "recorded", False),
    "content without topics": (preferences({}), "unchanged", False),
    "content not JSON": (preferences("topic_1"), "quarantined", False),
    "content a list": (preferences([{"topic_1": False}]), "quarantined", False),
    "content a number": (preferences(7), "quarantined", False),
    "topics a list": (preferences({"topics": ["topic_1"]}), "quarantined", False),
    "topic null": (preferences({"topics": {"topic_1": None}}), "quarantined", False),
    "topic with another name": (preferences({"topics": {"channel_1": False}}), "quarantined", False),
    "topic beyond nine digits": (preferences({"topics": {"topic_1234567890": False}}), "quarantined", False),
    "unknown topic": (preferences({"topics": {"topic_123": False}}), "recorded", False),
    "10,001 topics": (preferences(topics(10001)), "quarantined", False),
    "2 MB of topics": (preferences(topics(100000)), "quarantined", False),
    "4 MiB": (unsubscribed().ljust(UNDERSTOOD), "recorded", True),
    "4 MiB and a byte": (unsubscribed().ljust(UNDERSTOOD + 1), "quarantined", False),
    "32 MiB": (unsubscribed().ljust(BODY_MAXIMUM), "quarantined", False),
}
NOTED_EACH_TIME = {"bounced", "content missing", "content null", "content empty", "only an id"}


@pytest.mark.parametrize("name", BODIES)
def test_signed_body_is_answered_200(project, name):
    body, status, is_out = BODIES[name]
    address = project.new_address()
    if name in ("4 MiB", "4 MiB and a byte", "32 MiB"):
        # It is the length that is to be met.
        body = body.rstrip().replace(b"WHO", address.encode()).ljust(len(body))
    body = body.replace(b"LOUD", address.upper().encode()).replace(b"WHO", address.encode())
    sent = time.monotonic()
    expect(project.post(body), status)
    assert time.monotonic() - sent < PATIENCE_S
    assert project.allowed(address) == (not is_out)

    waiting = project.stack.get(f"/webhook/{project.slug}/quarantine").json()
    assert waiting["count"] == (status == "quarantined")
    if status == "quarantined":
        assert waiting["results"][0]["size"] == len(body)
    expect(project.post(body), "unchanged" if status == "recorded" and name not in NOTED_EACH_TIME else status)
    assert project.allowed(address) == (not is_out)


def test_topics_of_a_long_list_are_recorded(project):
    """As many as a project may have; each shows once a category is made for it."""
    address = project.new_address()
    body = preferences(topics(10000)).replace(b"WHO", address.encode())
    expect(project.post(body), "recorded")
    expect(project.post(body), "unchanged")
    for number in (0, 4999, 9999):
        answer = project.stack.post(f"/optouts/{project.slug}/categories",
                                    {"key": f"list-{number}", "topic": f"topic_{number}"})
        assert answer.status == 201 and answer.json()["opted_out_count"] == 1, answer
        assert project.state(address, f"list-{number}")["reason"] == "opted_out_category"
    one_more = preferences({"topics": {"topic_99999": False}}).replace(b"WHO", address.encode())
    expect(project.post(one_more), "quarantined")


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_vectors(project, number):
    body, signature, status = VECTORS[number]
    assert len(body) == [253, 339, 0, 18][number]
    headers = {"X-CIO-Timestamp": str(VECTOR_TIME), "X-CIO-Signature": signature}
    for wrong in (signature[:-1] + ("0" if signature[-1] != "0" else "1"), signature[:-2], ""):
        assert project.post(body, headers=headers | {"X-CIO-Signature": wrong}).status == 401
    assert project.post(body, headers=headers | {"X-CIO-Timestamp": str(VECTOR_TIME + 1)}).status == 401
    assert project.post(body + b" ", headers=headers).status == 401
    assert project.allowed("test@example.com")
    expect(project.post(body, headers=headers), status)
    expect(project.post(body, headers=headers | {"X-CIO-Signature": signature.upper()}),
           "unchanged" if status == "recorded" else status)
    assert project.allowed("test@example.com") == (number != 0)


def test_refusals_are_the_same(project):
    """Nothing tells a project without a webhook from one with another secret, or from none."""
    bare = project.stack.project()
    body = event("unsubscribed", "a@b.example", VECTOR_TIME)
    refused = [project.stack.post(f"/webhook/{slug}", body, key=None, headers=headers) for slug, headers in [
        (project.slug, signed_headers(body, secret="another secret")),
        (project.slug, {}),
        (project.slug, {"X-CIO-Timestamp": "soon", "X-CIO-Signature": sign(body, "soon")}),
        (project.slug, {"X-CIO-Timestamp": str(VECTOR_TIME)}),
        (bare, signed_headers(body)),
        ("nobody", signed_headers(body)),
        ("No%20Body", signed_headers(body)),
    ]]
    seen = set()
    for answer in refused:
        problem = answer.json()
        del problem["request_id"]
        seen.add((answer.status, json.dumps(problem), answer.headers["WWW-Authenticate"]))
    assert len(seen) == 1 and seen.pop()[0] == 401
    assert project.allowed("a@b.example")


def test_two_secrets_live_at_once(project):
    project.add_secret("the new secret")
    for secret, address in ((SECRET, project.new_address()), ("the new secret", project.new_address())):
        expect(project.post(event("unsubscribed", address, VECTOR_TIME), secret=secret), "recorded")
        assert not project.allowed(address)
    body = event("unsubscribed", project.new_address(), VECTOR_TIME)
    assert project.post(body, secret="a third one").status == 401
    project.add_secret("the newest secret", keep_old_for_s=0)
    assert project.post(body).status == 401
    expect(project.post(body, secret="the newest secret"), "recorded")


def test_switched_off(project):
    answer = project.stack.put(f"/settings/{project.slug}/webhook", {"enabled": False})
    assert answer.status == 200, answer
    address = project.new_address()
    body = event("unsubscribed", address, VECTOR_TIME)
    expect(project.post(body), "quarantined")
    expect(project.post(event("opened", address, VECTOR_TIME)), "ignored")
    assert project.allowed(address)
    project.add_secret(SECRET)
    retried = project.stack.post(f"/webhook/{project.slug}/quarantine/retry").json()
    assert (retried["retried"], retried["recorded"], retried["kept"]) == (1, 1, 0)
    assert not project.allowed(address)


def test_too_large_is_named(project):
    body = event("unsubscribed", project.new_address(), VECTOR_TIME).ljust(BODY_MAXIMUM + 1)
    answer = project.post(body)
    assert answer.status == 413, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert str(BODY_MAXIMUM) in answer.json()["detail"]


def in_chunks(body, size):
    return (body[at:at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("length, size", [(300, 1), (300, 299), (UNDERSTOOD, 65536), (BODY_MAXIMUM, 1 << 20)])
def test_chunked_body(project, length, size):
    address = project.new_address()
    body = event("unsubscribed", address, VECTOR_TIME).ljust(length)
    client = Client(project.stack)
    record = client.ask("POST", f"/webhook/{project.slug}", None, {}, "warm")
    client.connection.request("POST", f"/webhook/{project.slug}", in_chunks(body, size), signed_headers(body),
                              encode_chunked=True)
    answer = client.connection.getresponse()
    content = answer.read()
    client.close()
    assert record.status == 401 and answer.status == 200, content
    assert json.loads(content) == {"status": "recorded" if length <= UNDERSTOOD else "quarantined"}
    assert project.allowed(address) == (length > UNDERSTOOD)


def test_chunked_body_that_is_too_large(project):
    body = b" " * (BODY_MAXIMUM + 1)
    client = Client(project.stack)
    try:
        client.connection.request("POST", f"/webhook/{project.slug}", in_chunks(body, 1 << 20), signed_headers(body),
                                  encode_chunked=True)
    except OSError:
        pass  # refused before the end
    answer = client.connection.getresponse()
    assert answer.status == 413 and str(BODY_MAXIMUM) in json.loads(answer.read())["detail"]
    client.close()


def test_expect_100_continue(project):
    address = project.new_address()
    body = event("unsubscribed", address, VECTOR_TIME)
    head = f"POST /webhook/{project.slug} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n" \
           f"Content-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in signed_headers(body).items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", project.stack.port), feed.ANSWER_S) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"recorded"}'), answer
    assert not project.allowed(address)


def test_order_of_arrival_does_not_matter(project):
    """The newest choice is in force, and what was answered to somebody who acts here is newer than all before."""
    now, address = int(time.time()), project.new_address()
    client = Client(project.stack)

    def webhook(metric, at, status):
        expect(project.post(event(metric, address, at)), status)

    def act(record, changed):
        assert record.status == 200 and json.loads(record.body) == {"changed": changed}, record

    webhook("unsubscribed", now - 1000, "recorded")
    assert not project.allowed(address)
    webhook("subscribed", now - 2000, "unchanged")
    assert not project.allowed(address)
    act(project.opt_in(client, address), True)
    assert project.allowed(address)
    webhook("unsubscribed", now - 500, "unchanged")
    assert project.allowed(address)
    act(project.opt_in(client, address), False)
    act(project.opt_out(client, address), True)
    assert not project.allowed(address)
    webhook("subscribed", now - 1, "unchanged")
    assert not project.allowed(address)
    act(project.opt_out(client, address), False)
    # A clock that runs ahead: it counts as now, so who acts afterwards still has the last word.
    webhook("unsubscribed", now + 3600, "unchanged")
    act(project.opt_in(client, address), True)
    webhook("unsubscribed", now + 100000, "recorded")
    assert not project.allowed(address)
    act(project.opt_in(client, address), True)
    assert project.allowed(address)
    client.close()

    shown = project.stack.get(f"/optouts/{project.slug}/recipients/{address}").json()
    assert [entry["new"] for entry in shown["history"]] == ["in", "out", "in", "out", "in", "out"]
    assert [entry["source"] for entry in shown["history"]] == ["api", "webhook", "api", "api", "api", "webhook"]
    assert [entry["old"] for entry in shown["history"]] == ["out", "in", "out", "in", "out", None]


def test_two_choices_of_one_second(project):
    """Customer.io tells no more than the second: out stays, whichever comes first."""
    for metrics in (("subscribed", "unsubscribed"), ("unsubscribed", "subscribed")):
        address = project.new_address()
        for metric in metrics:
            project.post(event(metric, address, VECTOR_TIME))
        assert not project.allowed(address)
        expect(project.post(event("subscribed", address, VECTOR_TIME + 1)), "recorded")
        assert project.allowed(address)


@pytest.mark.parametrize("threads", [4, 16, 64])
@pytest.mark.parametrize("kind", ["webhook", "opt out", "check"])
def test_nobody_is_told_to_come_again(project, kind, threads):
    """Without any fault there is no 503, not even with more connections than workers."""
    work = {
        "webhook": lambda client, chance: project.unsubscribe(client, project.new_address()),
        "opt out": lambda client, chance: project.opt_out(client, project.new_address()),
        "check": lambda client, chance: project.check(client, "nobody@x.example"),
    }[kind]
    with Load(project.stack, work, threads) as load:
        load.wait_for(int(800 * feed.SCALE))
    assert set(load.statuses()) == {200}, load.statuses()
    if kind != "check":
        assert project.still_allowed(record.about for record in load.records) == []
