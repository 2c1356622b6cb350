"""Track v1 and v2: what the calls mean for people and events, and what is refused."""
import json

import pytest

from caller import basic

ULID = "01E4C4CT6YDC7Y5M7FE1GWWPQJ"


def identify_item(identifier, **attributes):
    return {"type": "person", "action": "identify", "identifiers": {"id": identifier}, "attributes": attributes}


def test_every_success_looks_the_same(call):
    status, headers, text = call.whole("track", "PUT", "/api/v1/customers/1", {})
    assert (status, text, headers["status"]) == (200, b"{}\n", "200 OK")
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-store, must-revalidate, max-age=0"


@pytest.mark.parametrize("value, is_out", [(True, True), ("true", True), ("TRUE", True), (1, True), ("1", True),
                                           (False, False), ("yes", False), (2, False), ("", False), (None, False)])
def test_who_counts_as_unsubscribed(call, value, is_out):
    call.identify("1", unsubscribed=value)
    assert call("app", "GET", "/v1/customers/1/attributes")[1]["customer"]["unsubscribed"] is is_out


def test_preferences_are_replaced_by_an_object_and_changed_by_dotted_names(call, account):
    call.identify("1", cio_subscription_preferences={"topics": {"topic_1": False, "topic_2": True}})
    call.identify("1", **{"cio_subscription_preferences.topics.topic_2": False})
    assert account.person(id="1")["attributes"]["cio_subscription_preferences"] == {
        "topics": {"topic_1": False, "topic_2": False}}
    call.identify("1", cio_subscription_preferences={"topics": {"topic_3": False}})
    assert account.person(id="1")["attributes"]["cio_subscription_preferences"] == {"topics": {"topic_3": False}}


def test_an_address_is_one_whatever_its_case(call, account):
    call.identify("Jo@Example.com", plan="pro")
    call.identify("jo@example.COM", city="Ulm")
    assert account.person(email="JO@EXAMPLE.COM")["attributes"] == {"plan": "pro", "city": "Ulm"}
    assert account.describe()["people"] == 1


def test_update_never_creates(call, account):
    assert call.identify("1", _update=True)[0] == 200
    assert account.person(id="1") is None
    assert account.problems()[-1]["what"] == "Failed Attribute Change"


def test_an_empty_value_removes_an_attribute(call, account):
    call.identify("1", plan="pro", city="Ulm", street="x")
    call.identify("1", plan="", city=None)
    assert account.person(id="1")["attributes"] == {"street": "x"}


def test_an_older_update_changes_nothing(call, account):
    call.identify("1", plan="new", _timestamp=2000)
    call.identify("1", plan="old", city="Ulm", _timestamp=1000)
    assert account.person(id="1")["attributes"] == {"plan": "new", "city": "Ulm"}


def test_a_new_id_is_given_to_whoever_has_the_address(call, account):
    call.identify("a@example.com", plan="pro")
    call.identify("7", email="a@example.com")
    assert account.person(id="7")["email"] == "a@example.com"
    assert account.describe()["people"] == 1


def test_an_address_that_is_set_changes_by_cio_id_only(call, account):
    call.identify("7", email="old@example.com")
    call.identify("7", email="new@example.com")
    person = account.person(id="7")
    assert person["email"] == "old@example.com"
    assert account.problems()[-1]["what"] == "Attribute Update Failure"
    call.identify(f"cio_{person['cio_id']}", email="new@example.com")
    assert account.person(id="7")["email"] == "new@example.com"


def test_an_unknown_cio_id_is_dropped(call, account):
    assert call.identify("cio_a3ffffff", plan="pro")[0] == 200
    assert account.describe()["people"] == 0


def test_suppression_deletes_and_blocks_until_it_is_lifted(call, account):
    call.identify("1", email="a@example.com")
    call("track", "POST", "/api/v1/customers/1/suppress", {})
    assert call.identify("A@example.com", plan="pro")[0] == 200
    assert account.describe()["people"] == 0
    call.item("unsuppress", identifiers={"email": "a@example.com"})
    call.identify("a@example.com")
    assert account.person(email="a@example.com")["id"] is None


def test_merging_needs_a_primary(call, account):
    call.identify("old", plan="pro", city="Ulm")
    assert call.item("merge", primary={"id": "new"}, secondary={"id": "old"})[0] == 200
    assert account.person(id="old")
    call.identify("new", plan="free")
    call("track", "POST", "/api/v1/customers/old/events", {"name": "bought"})
    call.item("merge", primary={"id": "new"}, secondary={"id": "old"})
    assert account.person(id="old") is None
    assert account.person(id="new")["attributes"] == {"plan": "free", "city": "Ulm"}
    assert [event["name"] for event in account.events(id="new")] == ["bought"]


def test_one_event_for_one_id(call, account):
    for _ in range(2):
        call.item("event", identifiers={"id": "1"}, id=ULID, name="bought", timestamp=1613063089)
    call("track", "POST", "/api/v1/customers/1/events", {"name": "bought", "id": ULID})
    assert len(account.events()) == 1


def test_anonymous_events_belong_to_who_turns_out_to_be_behind_them(call, account):
    call("track", "POST", "/api/v1/events", {"name": "looked", "anonymous_id": "anon"})
    call.identify("1", anonymous_id="anon")
    call.identify("2", anonymous_id="anon")
    assert [event["name"] for event in account.events(id="1")] == ["looked"]
    assert account.events(id="2") == []


def test_times_are_whole_seconds(call, account):
    call.item("event", identifiers={"id": "1"}, name="bought", timestamp=1613063089.9)
    assert account.events()[0]["timestamp"] == 1613063089


def test_objects_and_relationships(call, account):
    acme = {"object_type_id": "1", "object_id": "acme"}
    call.item("identify", identifiers={"id": "1"}, cio_relationships=[{"identifiers": acme}])
    call.item("identify", type="object", identifiers=acme, attributes={"n": 1},
              cio_relationships=[{"identifiers": {"id": "2"}, "relationship_attributes": {"role": "boss"}}])
    assert account.person(id="2")["relationships"][0]["relationship_attributes"] == {"role": "boss"}
    assert len(account.objects()[0]["people"]) == 2
    call.item("delete", type="object", identifiers=acme)
    assert account.person(id="1")["relationships"] == []


# identifier of the path, attributes at the limit, attributes one past, message
IDENTIFY_LIMITS = [
    ("1", {"a" * 150: 1}, {"a" * 151: 1}, "attribute name cannot be longer than 150 bytes"),
    ("1", {"a": "ö" * 500}, {"a": "ö" * 500 + "x"}, "value for attribute 'a' cannot be longer than 1000 bytes"),
    ("1", {f"a{i}": 1 for i in range(300)}, {f"a{i}": 1 for i in range(301)},
     "cannot identify more than 300 attributes in one request"),
    ("a@example.com", {"id": "x" * 150}, {"id": "x" * 151}, "id cannot be longer than 150 bytes"),
    ("a@example.com", {"id": "x"}, {"id": ["x"]}, "id attribute must be a string value"),
    ("a@example.com", {"id": "x"}, {"id": ""}, "id attribute cannot be an empty string"),
]


@pytest.mark.parametrize("identifier, good, bad, message", IDENTIFY_LIMITS, ids=[row[3] for row in IDENTIFY_LIMITS])
def test_identify_at_its_limits(call, identifier, good, bad, message):
    assert call.identify(identifier, **good) == (200, {})
    assert call.identify(identifier, **bad) == (400, {"meta": {"error": message}})


@pytest.mark.parametrize("good, bad, message", [
    ({"name": "x" * 100}, {"name": "x" * 101}, "event name cannot be longer than 100 bytes"),
    ({"name": "x"}, {"name": " "}, "name cannot be blank"),
    ({"name": "x", "data": {}}, {"name": "x", "data": []}, "event data must be a hash"),
    ({"name": "x", "data": {"a": "x" * 99_992}}, {"name": "x", "data": {"a": "x" * 99_993}},
     "event data cannot be longer than 100000 bytes"),
])
def test_events_at_their_limits(call, good, bad, message):
    path = "/api/v1/customers/1/events"
    assert call("track", "POST", path, good) == (200, {})
    assert call("track", "POST", path, bad) == (400, {"meta": {"errors": [message]}})


def test_the_shape_of_refusals_can_be_chosen(call, account):
    account.configure(error_style="errors")
    assert call.identify("1", a="x" * 1001)[1]["meta"]["errors"]
    account.configure(error_style="error")
    assert call("track", "POST", "/api/v1/events", {})[1] == {"meta": {"error": "name cannot be blank"}}


def padded(item, size):
    """The item's JSON with exactly so many bytes."""
    item = item | {"padding": ""}
    return json.dumps(item | {"padding": "x" * (size - len(json.dumps(item)))}).encode()


def test_the_size_of_an_item(call):
    headers = {"headers": {"Content-Type": "application/json"}}
    assert call("track", "POST", "/api/v2/entity", padded(identify_item("1"), 32 * 1024), **headers)[0] == 200
    status, answer = call("track", "POST", "/api/v2/entity", padded(identify_item("1"), 32 * 1024 + 1), **headers)
    assert (status, answer["errors"][0]["reason"]) == (400, "invalid")


def test_the_size_of_a_batch(call):
    item = identify_item("1", **{f"a{i}": "x" * 1000 for i in range(30)})
    batch = {"batch": [item] * 16}
    assert call("track", "POST", "/api/v2/batch", padded(batch, 500 * 1024))[0] == 200
    assert call("track", "POST", "/api/v2/batch", padded(batch, 500 * 1024 + 1))[0] == 400


def test_a_batch_takes_the_good_and_names_the_bad(call, account):
    items = [identify_item("1"), {"type": "person", "action": "identify"}, identify_item("2"), 7,
             {"type": "person", "action": "fly"}, identify_item("3", a="x" * 33_000)]
    status, answer = call("track", "POST", "/api/v2/batch", {"batch": items})
    assert status == 207
    assert [(error["batch_index"], error["reason"]) for error in answer["errors"]] == [
        (1, "required"), (3, "required"), (4, "invalid"), (5, "invalid")]
    assert [person["id"] for person in account.people()] == ["1", "2"]


@pytest.mark.parametrize("item", [{}, {"type": "person"}, {"type": "planet", "action": "identify"},
                                  {"type": "person", "action": "identify_anonymous", "identifiers": {"id": "1"}},
                                  {"type": "person", "action": "identify", "identifiers": {"id": "1", "email": "a@b"}},
                                  {"type": "person", "action": "event", "identifiers": {"id": "1"}},
                                  {"type": "person", "action": "merge", "primary": {"phone": "1"},
                                   "secondary": {"id": "1"}},
                                  {"type": "object", "action": "identify", "identifiers": {"object_id": "1"}}])
def test_items_that_are_refused(call, item):
    status, answer = call("track", "POST", "/api/v2/entity", item)
    assert status == 400
    assert answer["errors"][0]["reason"] in ("invalid", "required")


def test_credentials(cio, call, account):
    # With these the two alphabets of base64 differ.
    account.configure(site_id="a?>b", track_key="~~?>")
    encoded = basic("a?>b", "~~?>")
    assert "/" in encoded or "+" in encoded
    for header in (encoded, encoded.replace("+", "-").replace("/", "_")):
        assert call("track", "GET", "/api/v1/accounts/region", headers={"Authorization": header})[0] == 200
    for header in (basic("a?>b", "wrong"), "Bearer x", ""):
        assert call("track", "GET", "/api/v1/accounts/region", headers={"Authorization": header})[0] == 401


def test_each_region_has_its_own_host(cio, call, account):
    assert call("track", "PUT", "/api/v1/customers/1", {}, region="eu")[0] == 401
    assert call("track", "GET", "/api/v1/accounts/region", region="eu")[1]["region"] == "us"
    account.configure(region="eu")
    status, headers, _ = call.whole("track", "PUT", "/api/v1/customers/1?x=y", {})
    assert (status, headers["location"]) == (301, f"{cio.eu['track']}/api/v1/customers/1?x=y")
    assert call("track", "PUT", "/api/v1/customers/1", {}, region="eu")[0] == 200
    assert call("track", "GET", "/api/v1/accounts/region")[1] == {
        "url": "https://track-eu.customer.io", "region": "eu", "environment_id": 1}
    account.configure(wrong_region="refuse")
    assert call("track", "PUT", "/api/v1/customers/1", {})[0] == 401
