"""Pipelines: strict and permissive, sizes, compression."""
import gzip
import json

import pytest

from caller import basic

CALL = {"userId": "1", "traits": {"plan": "pro"}}


@pytest.mark.parametrize("call_type, body", [("identify", {}), ("track", {"userId": "1"}), ("group", {"userId": "1"}),
                                             ("alias", {"userId": "1"}), ("page", {"name": "x"}),
                                             ("identify", {"userId": "1", "traits": []}),
                                             ("track", {"userId": "1", "event": "e", "timestamp": "soon"})])
def test_what_is_wrong_is_refused_in_strict_mode_only(call, account, call_type, body):
    assert call.strict(call_type, body)[0] == 400
    assert call("pipelines", "POST", f"/v1/{call_type}", body) == (200, {})
    assert account.problems()
    assert account.describe()["people"] == 0


def test_a_wrong_key_is_refused_in_strict_mode_only(call):
    wrong = {"Authorization": basic("wrong", "")}
    assert call.strict("identify", CALL, **wrong)[0] == 401
    assert call("pipelines", "POST", "/v1/identify", CALL, headers=wrong) == (200, {})


def test_the_size_of_a_call(call, account):
    body = CALL | {"padding": ""}
    body["padding"] = "x" * (32 * 1024 - len(json.dumps(body)))
    assert call.strict("identify", body)[0] == 200
    body["padding"] += "x"
    assert call.strict("identify", body)[0] == 400


def test_the_good_calls_of_a_batch_are_taken(call, account):
    good = {"type": "track", "userId": "1", "event": "e"}
    batch = [{"type": "identify", **CALL}, {"type": "track", "userId": "1"}, good]
    assert call.strict("batch", {"batch": batch})[0] == 400
    assert account.person(id="1")["attributes"] == {"plan": "pro"}
    assert len(account.events()) == 1


def test_a_compressed_batch(call, account):
    body = gzip.compress(json.dumps({"batch": [{"type": "identify", **CALL}]}).encode())
    assert call.strict("batch", body, **{"Content-Encoding": "gzip"})[0] == 200
    assert account.person(id="1")


def test_who_is_meant(call, account):
    call.strict("identify", {"traits": {"email": "a@example.com", "createdAt": 7}})
    assert account.person(email="a@example.com")["attributes"] == {"created_at": 7}
    call.strict("track", {"anonymousId": "anon", "event": "looked"})
    assert account.events(anonymous_id="anon")[0]["person"] is None
    call.strict("track", {"userId": "a@example.com", "event": "User Deleted"})
    assert account.person(email="a@example.com") is None
