"""The App API: search, preferences, exports, the rate."""
import csv
import io
import json
import urllib.parse

import pytest

from caller import request

OUT = {"attribute": {"field": "unsubscribed", "operator": "eq", "value": True}}
PREFERRING = {"attribute": {"field": "cio_subscription_preferences", "operator": "exists"}}


def search(call, filter, query=""):
    return call("app", "POST", f"/v1/customers{query}", {"filter": filter})


def plan(value):
    return {"attribute": {"field": "plan", "operator": "eq", "value": value}}


@pytest.mark.parametrize("filter, ids", [
    (plan("pro"), ["1", "3"]),
    ({"not": plan("pro")}, ["2", ""]),
    ({"and": [plan("pro"), OUT]}, ["3"]),
    ({"or": [plan("free"), {"and": [{"not": OUT}, plan("pro")]}]}, ["1", "2"]),
    ({"attribute": {"field": "email", "operator": "exists"}}, ["1", ""]),
    ({"attribute": {"field": "email", "operator": "eq", "value": "A@example.com"}}, ["1"]),
    ({"attribute": {"field": "level", "operator": "eq", "value": "7"}}, ["2"]),
    ({"segment": {"id": 4}}, ["2"]),
])
def test_the_filter_grammar(cio, call, filter, ids):
    call.account = cio.account(name=call.account.name, app_key=call.account.app_key, segments=[{"id": 4}], people=[
        {"id": "1", "email": "a@example.com", "plan": "pro"}, {"id": "2", "plan": "free", "level": 7, "segments": [4]},
        {"id": "3", "plan": "pro", "unsubscribed": "1"}, {"email": "b@example.com"}])
    status, answer = search(call, filter)
    assert (status, answer["ids"], answer["next"]) == (200, ids, "")
    assert [person["id"] or "" for person in answer["identifiers"]] == ids


@pytest.mark.parametrize("filter", [None, {}, {"and": []}, {"not": [plan("pro")]}, {**OUT, "segment": {"id": 4}},
                                    {"segment": {"id": 99}},
                                    {"attribute": {"field": "plan", "operator": "contains", "value": "p"}},
                                    {"attribute": {"field": "plan", "operator": "eq"}}])
def test_filters_that_are_refused(call, filter):
    status, answer = search(call, filter)
    assert (status, answer["errors"][0]["status"]) == (400, "400")


def test_a_million_people_page_by_page(call, account):
    assert account.add_people(generate={"count": 1_000_000, "unsubscribed_every": 200}) == 1_000_000
    seen, start = [], ""
    while True:
        answer = search(call, OUT, f"?limit=1000&start={urllib.parse.quote(start)}")[1]
        seen += answer["ids"]
        start = answer["next"]
        if not start:
            break
    assert seen == [f"user-{n}" for n in range(200, 1_000_001, 200)]
    # One who is only computed is changed, found and deleted as any other.
    call.identify("USER-600@example.com", unsubscribed=False)
    call("track", "DELETE", "/api/v1/customers/user-800")
    assert search(call, OUT, "?limit=3")[1]["ids"] == ["user-200", "user-400", "user-1000"]
    assert account.describe()["people"] == 999_999


@pytest.mark.parametrize("query, status", [("?limit=1000", 200), ("?limit=1001", 400), ("?limit=0", 400),
                                           ("?start=nonsense", 400)])
def test_the_limits_of_a_page(call, query, status):
    assert search(call, OUT, query)[0] == status


def test_a_plus_in_a_query_is_a_space(call, account):
    account.add_people({"email": "a+b@example.com"})
    assert call("app", "GET", "/v1/customers?email=a+b@example.com") == (200, {"results": []})
    assert call("app", "GET", "/v1/customers?email=a%2Bb@example.com")[1]["results"][0]["email"] == "a+b@example.com"


def test_preferences_follow_the_topics_defaults(call, account):
    account.configure(topics=[{"id": 1, "name": "A"}, {"id": 2, "name": "B", "subscribed_by_default": False}])
    call.identify("1", cio_subscription_preferences={"topics": {"topic_2": True}})
    topics = call("app", "GET", "/v1/customers/1/subscription_preferences")[1]["customer"]["topics"]
    assert [(topic["id"], topic["subscribed"]) for topic in topics] == [(1, True), (2, True)]
    attributes = call("app", "GET", "/v1/customers/1/attributes")[1]["customer"]["attributes"]
    assert json.loads(attributes["cio_subscription_preferences"]) == {"topics": {"topic_2": True}}
    assert call("app", "GET", "/v1/customers/2/attributes")[0] == 404


def export(call, **settings):
    """(link, rows) of an export of those who have preferences."""
    body = {"filters": PREFERRING, "attributes": ["cio_subscription_preferences"], **settings}
    made = call("app", "POST", "/v1/exports/customers", body)[1]["export"]
    path = f"/v1/exports/{made['id']}"
    assert call("app", "GET", f"{path}/download")[0] == 404
    while call("app", "GET", path)[1]["export"]["status"] == "pending":
        pass
    return call("app", "GET", f"{path}/download")[1]["url"]


def fetch(link):
    place = urllib.parse.urlsplit(link)
    return request(f"{place.scheme}://{place.netloc}", "GET", f"{place.path}?{place.query}")


def test_an_export_is_as_of_its_creation(call, account):
    account.add_people(generate={"count": 5000, "topics": {"topic_7": {"every": 2}}})
    made = call("app", "POST", "/v1/exports/customers", {"filters": PREFERRING})[1]["export"]
    call.identify("user-2", cio_subscription_preferences=None)
    for _ in range(2):
        done = call("app", "GET", f"/v1/exports/{made['id']}")[1]["export"]
    assert (done["status"], done["total"]) == ("done", 2500)
    link = call("app", "GET", f"/v1/exports/{made['id']}/download")[1]["url"]
    assert fetch(link)[2].decode().splitlines()[1] == "user-2,user-2@example.com"


def test_the_file_of_an_export(call, account):
    topics = {"topics": {"topic_7": False}}
    account.add_people({"id": 'a"b,c', "email": "a@example.com", "cio_subscription_preferences": topics}, {"id": "2"})
    status, headers, text = fetch(export(call))
    assert (status, headers["content-type"]) == (200, "text/csv")
    assert list(csv.DictReader(io.StringIO(text.decode()))) == [
        {"id": 'a"b,c', "email": "a@example.com", "cio_subscription_preferences": '{"topics":{"topic_7":false}}'}]
    account.configure(csv={"columns": ["cio_id"], "line_end": "\r\n", "byte_order_mark": True, "spaced_json": True})
    text = fetch(export(call))[2].decode()
    assert text.startswith("\ufeffcio_id,cio_subscription_preferences\r\n")
    assert '""topics"": {""topic_7"": false}' in text


def test_a_link_is_signed_and_expires(cio, call, account):
    link = export(call)
    assert fetch(link)[0] == 200
    assert fetch(link[:-1] + ("0" if link[-1] != "0" else "1"))[0] == 403
    cio.advance(899)
    assert fetch(link)[0] == 200
    cio.advance(1)
    assert fetch(link)[0] == 403


def test_ten_requests_in_a_second(cio, call, account):
    account.configure(app_rate={"limit": 10})
    count, status = 0, 200
    while status == 200:
        status, headers, text = call.whole("app", "GET", "/v1/subscription_topics")
        count += 1
    assert count > 10
    error = json.loads(text)["errors"][0]
    assert (status, headers["retry-after"], error["status"]) == (429, "1", "429")
    assert error["detail"].startswith("rate limited to 10 requests per 1s (reference ")
    assert cio.rates("app", 60_000, accepted=True)["most_in_window"] < cio.rates("app", 60_000)["most_in_window"]


def test_a_wrong_key(call):
    status, answer = call("app", "GET", "/v1/exports", headers={"Authorization": "Bearer wrong"})
    assert (status, answer["errors"][0]["code"]) == (401, "invalid_credentials")
