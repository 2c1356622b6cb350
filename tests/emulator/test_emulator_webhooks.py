"""Reporting webhooks: what is sent, how it is signed, and what happens when nobody takes it."""
import contextlib
import hashlib
import hmac
import json
import threading

import pytest

from webhook_receiver import Receiver
from stack import wait_until

KEY = "cio_test_signing_key_0123456789"
HOUR_S = 3600
DAY_S = 24 * HOUR_S


@contextlib.contextmanager
def receiving(account, *answers, **settings):
    with Receiver(*answers) as receiver:
        account.set_webhook(endpoint=receiver.url, signing_key=KEY, **settings)
        yield receiver
        account.set_webhook(disabled=True)


def wait_for(account, **wanted):
    def is_so():
        state = account.webhook()
        return all(state[name] == value for name, value in wanted.items())
    wait_until(is_so, 10, f"the webhook has {wanted}")


def test_signature(call, account):
    with receiving(account) as receiver:
        call.identify("42", email="zoë@example.com", unsubscribed=True)
        headers, body = receiver.next()
    signed = f"v0:{headers['x-cio-timestamp']}:".encode() + body
    assert headers["x-cio-signature"] == hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["content-type"] == "application/json"
    assert "Customer.io" in headers["user-agent"]


def test_changes_by_the_api_come_back(call, account):
    with receiving(account) as receiver:
        call.identify("42", email="a@example.com", plan="pro")
        call.identify("42", unsubscribed=True)
        call.identify("42", unsubscribed="1")
        call.identify("42", unsubscribed=False)
        call.identify("42", **{"cio_subscription_preferences.topics.topic_7": False})
        call.identify("42", cio_subscription_preferences={"topics": {"topic_7": False, "topic_8": True}})
        call.identify("42", cio_subscription_preferences={"topics": {"topic_7": False, "topic_8": True}})
        out, back, one, two = receiver.events(4)
        wait_for(account, pending=0)
        assert receiver.nothing_more()
    assert (out["metric"], back["metric"]) == ("unsubscribed", "subscribed")
    cio_id = account.person(id="42")["cio_id"]
    identifiers = {"id": "42", "email": "a@example.com", "cio_id": cio_id}
    assert out["object_type"] == "customer"
    assert out["data"] == {"customer_id": "42", "email_address": "a@example.com", "identifiers": identifiers}
    assert one["metric"] == two["metric"] == "cio_subscription_preferences_changed"
    assert json.loads(one["data"]["content"]) == {"topics": {"topic_7": False}}
    assert json.loads(two["data"]["content"]) == {"topics": {"topic_8": True}}
    assert len({event["event_id"] for event in (out, back, one, two)}) == 4


def test_content_is_an_option(call, account):
    with receiving(account, with_content=False, object_type_key="object_type_type") as receiver:
        call.identify("42", cio_subscription_preferences={"topics": {"topic_7": False}})
        event, = receiver.events(1)
    assert "content" not in event["data"]
    assert event["object_type_type"] == "customer" and "object_type" not in event


def test_only_chosen_events_are_sent(call, account):
    with receiving(account, events=["customer_subscription_preferences_changed"]) as receiver:
        call.identify("42", unsubscribed=True, cio_subscription_preferences={"topics": {"topic_7": False}})
        assert receiver.events(1)[0]["metric"] == "cio_subscription_preferences_changed"
        wait_for(account, pending=0)
        assert receiver.nothing_more()


def test_unsubscribing_by_a_link_belongs_to_the_message(call, account):
    account.add_people({"email": "a@example.com"})
    account.add_delivery(delivery_id="d-1", email="a@example.com")
    with receiving(account) as receiver:
        assert call("track", "POST", "/unsubscribe/d-1", {"unsubscribe": True})[0] == 200
        event, = receiver.events(1)
    assert (event["object_type"], event["metric"]) == ("email", "unsubscribed")
    assert (event["data"]["delivery_id"], event["data"]["email_address"]) == ("d-1", "a@example.com")


def test_any_event_can_be_sent(account):
    account.add_people({"id": "42", "email": "a@example.com"})
    with receiving(account) as receiver:
        account.report({"object_type": "email", "metric": "bounced", "person": {"id": "42"},
                        "timestamp": 1613063089, "data": {"recipient": "a@example.com"}})
        event, = receiver.events(1)
    assert event["timestamp"] == 1613063089
    assert event["data"]["recipient"] == event["data"]["identifiers"]["email"] == "a@example.com"


def test_one_at_a_time_in_order(account):
    with receiving(account) as receiver:
        account.report(*({"metric": "sent", "data": {"n": n}} for n in range(200)))
        assert [event["data"]["n"] for event in receiver.events(200)] == list(range(200))
    assert receiver.most_at_once == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 429, 500, 502, 521])
def test_a_refusal_holds_everything_back_for_an_hour(cio, account, status):
    with receiving(account, status, status) as receiver:
        first, second = account.report({"metric": "sent"}, {"metric": "sent"})
        early = receiver.next()
        wait_for(account, state="waiting")
        assert HOUR_S - 5 <= account.webhook()["next_attempt_at"] - cio.now() <= HOUR_S + 1
        assert receiver.nothing_more()
        cio.advance(HOUR_S)
        late = receiver.next()
        assert late[1] == early[1]
        assert int(late[0]["x-cio-timestamp"]) >= int(early[0]["x-cio-timestamp"]) + HOUR_S
        wait_for(account, state="waiting")
        assert account.webhook()["next_attempt_at"] - cio.now() > 2 * HOUR_S - 5
        cio.advance(2 * HOUR_S)
        assert [event["event_id"] for event in receiver.events(2)] == [first["event_id"], second["event_id"]]
        wait_for(account, pending=0, delivered=2)


def test_another_failure_is_tried_again_soon(account):
    with receiving(account, 503, 504, 302, backoff_s=0.01) as receiver:
        account.report({"metric": "sent"})
        assert len({event["event_id"] for event in receiver.events(4)}) == 1
        wait_for(account, delivered=1)
    assert [attempt["status"] for attempt in account.webhook_attempts()] == [503, 504, 302, 200]


def test_nobody_there_is_an_hour_too(cio, account):
    with Receiver() as receiver:
        url = receiver.url
    account.set_webhook(endpoint=url)
    account.report({"metric": "sent"})
    wait_for(account, state="waiting")
    assert account.webhook_attempts()[0]["error"] == "ECONNREFUSED"
    assert account.webhook()["next_attempt_at"] - cio.now() > HOUR_S - 5
    account.set_webhook(disabled=True)


def test_a_receiver_that_hangs_up_is_an_hour_too(cio, account):
    with receiving(account, lambda handler: handler.connection.close()) as receiver:
        account.report({"metric": "sent"})
        receiver.next()
        wait_for(account, state="waiting")
        assert account.webhook()["next_attempt_at"] - cio.now() > HOUR_S - 5


def test_a_slow_answer_is_none(account):
    release = threading.Event()
    with receiving(account, lambda handler: release.wait(10), timeout_ms=100, backoff_s=0.01) as receiver:
        account.report({"metric": "sent"})
        assert len({event["event_id"] for event in receiver.events(2)}) == 1
        release.set()
        wait_for(account, delivered=1)
    assert [attempt["error"] for attempt in account.webhook_attempts()] == ["TIMEOUT", None]


def test_an_event_is_given_up_after_seven_days(cio, account):
    with receiving(account, *[500] * 50) as receiver:
        first, second = account.report({"metric": "sent"}, {"metric": "sent"})
        while not account.webhook()["given_up"]:
            assert receiver.events(1)[0]["event_id"] == first["event_id"]
            wait_until(lambda: account.webhook()["state"] == "waiting" or account.webhook()["given_up"], 10, "settled")
            if not account.webhook()["given_up"]:
                cio.advance(DAY_S)
        assert receiver.events(1)[0]["event_id"] == second["event_id"]
        assert 8 <= len(account.webhook_attempts()) <= 10
