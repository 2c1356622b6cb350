"""/openapi.json against what the functions say of themselves, and against what they answer."""
import hashlib
import hmac
import json
import re
import time

import pytest

from feed import Redis
from stack import TOP, functions

DOCUMENT = json.loads((TOP / "functions/status/openapi.json").read_text())
METHODS = ("get", "put", "post", "delete", "patch")
# Every function answers this one without listing it.
EVERYWHERE = [["GET", "/healthz", "none", "none", "0", "-", "-"]]


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operations():
    return {(method.upper(), path): operation for path, methods in DOCUMENT["paths"].items()
            for method, operation in methods.items() if method in METHODS}


def endpoints():
    lines = EVERYWHERE + [line for _, lines in functions().values() for line in lines]
    return {(line[0], line[1]): line[2:] for line in lines}


def names(text):
    return set() if text == "-" else set(text.split(","))


def test_same_operations():
    assert set(operations()) == set(endpoints())


@pytest.mark.parametrize("method, path", sorted(endpoints()))
def test_operation_is_as_the_function_says(method, path):
    role, body, limit, query, fields = endpoints()[method, path]
    operation = operations()[method, path]
    parameters = [resolve(parameter) for parameter in operation.get("parameters", [])]
    assert operation["security"] == ([] if role == "none" else [{"bearer": [role]}])
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "query"} == names(query)
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "path"} == set(
        re.findall(r"\{(\w+)\}", path))
    assert operation.get("x-body-limit", 0) == int(limit)
    assert ("requestBody" in operation) == (body != "none")
    if body == "json":
        schema = resolve(operation["requestBody"]["content"]["application/json"]["schema"])
        assert set(schema["properties"]) == names(fields)
        assert schema["additionalProperties"] is False
    assert operation["summary"] and "default" in operation["responses"]


def fits(value, schema, where="answer"):
    """The part of JSON Schema that the document uses; faults as a list."""
    schema = resolve(schema)
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    checks = {"object": lambda v: isinstance(v, dict), "array": lambda v: isinstance(v, list),
              "string": lambda v: isinstance(v, str), "boolean": lambda v: isinstance(v, bool),
              "integer": lambda v: isinstance(v, int) and not isinstance(v, bool), "null": lambda v: v is None}
    if kinds and not any(checks[kind](value) for kind in kinds):
        return [f"{where}: {value!r} is not {kinds}"]
    faults = []
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{where}: {value!r} is none of {schema['enum']}")
    if schema.get("format") == "date-time" and value is not None:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
            faults.append(f"{where}: {value!r} is no time")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        faults.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, dict) and "properties" in schema:
        members = schema["properties"]
        faults += [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
        faults += [f"{where}.{name} is not described" for name in value if name not in members]
        for name in set(value) & set(members):
            faults += fits(value[name], members[name], f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            faults += fits(item, schema["items"], f"{where}[{number}]")
    return faults


def test_validator_notices():
    """The checks below are worth what this can tell apart."""
    good = {"status": "ready", "promise": "disk", "replicas": 0, "reasons": ["x"]}
    schema = {"$ref": "#/components/schemas/Readiness"}
    assert fits(good, schema) == []
    for change in ({"promise": "never"}, {"replicas": "0"}, {"replicas": True}, {"reasons": [1]}, {"more": 1},
                   {"status": None}):
        assert fits(good | change, schema), change
    assert fits({name: good[name] for name in ("status", "promise", "replicas")}, schema)
    assert fits({"identifier": "a", "category": "b", "opted_out_at": "2026"},
                DOCUMENT["components"]["schemas"]["OptOuts"]["properties"]["results"]["items"])


class Walk:
    """Calls operations and holds each answer against the document."""

    def __init__(self, service):
        self.service, self.seen = service, set()
        self.slug = service.project()

    def call(self, method, template, body=None, *, status, query="", token="root", headers=None, **parts):
        path = template.format(project=self.slug, **parts)
        operation = operations()[method, template]
        if isinstance(body, dict) and "application/json" in operation["requestBody"]["content"]:
            assert fits(body, operation["requestBody"]["content"]["application/json"]["schema"], "request") == []
        answer = self.service.request(method, path + query, body, headers, token)
        assert answer.status == status, answer
        described = operation["responses"].get(str(status)) or resolve(operation["responses"]["default"])
        media = answer.headers.get_content_type() if answer.body else None
        assert media in described.get("content", {None: None})
        if media and "json" in media:
            for value in answer.body.splitlines() if media.endswith("jsonl") else [answer.body]:
                faults = fits(json.loads(value), described["content"][media]["schema"])
                assert faults == [], (method, template, answer)
        self.seen.add((method, template))
        return answer.json() if media and media.endswith("json") else None


def signed(secret, body):
    timestamp = str(int(time.time()))
    signature = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-CIO-Timestamp": timestamp, "X-CIO-Signature": signature}


def walk_settings(walk):
    project = "/settings/{project}"
    walk.call("PUT", project, {"name": "A shop"}, status=200)
    walk.call("PATCH", project, {"name": "The shop"}, status=200)
    walk.call("GET", "/settings", status=200)
    key = walk.call("POST", project + "/keys", {"role": "read", "label": "a test"}, status=201)
    walk.call("GET", project + "/keys", status=200)
    walk.call("DELETE", project + "/keys/{id}", status=204, id=key["id"])
    walk.call("DELETE", project + "/keys/{id}", status=404, id=key["id"])
    walk.call("PUT", project + "/webhook", {"signing_secret": "s" * 32, "enabled": True}, status=200)
    walk.call("PATCH", project + "/webhook", {"enabled": True}, status=200)
    walk.call("GET", project, status=200)


def walk_connections(walk, account):
    project = "/settings/{project}"
    credentials = {"app": {"api_key": account.app_key, "region": "auto"},
                   "track": {"site_id": account.site_id, "api_key": account.track_key, "region": account.region},
                   "pipelines": {"write_key": account.pipelines_key}}
    for section, body in credentials.items():
        walk.call("PUT", f"{project}/{section}", body, status=200)
        walk.call("PATCH", f"{project}/{section}", {} if section == "app" else {"enabled": True}, status=200)
        walk.call("PATCH", f"{project}/{section}", {"region": "us"}, status=422)
    walk.call("GET", project, status=200)
    for section in credentials:
        walk.call("DELETE", f"{project}/{section}", status=204)


def walk_webhook(walk):
    webhook = "/webhook/{project}"
    person = {"email_address": "jo@example.com", "identifiers": {"id": "1", "email": "jo@example.com"}}
    for metric, number in (("unsubscribed", 1), ("sent", 2), ("something else", 3)):
        event = {"metric": metric, "event_id": f"e{number}", "timestamp": int(time.time()), "object_type": "customer",
                 "data": person}
        body = json.dumps(event).encode()
        walk.call("POST", webhook, body, status=200, token=None, headers=signed("s" * 32, body))
    walk.call("POST", webhook, b"{", status=200, token=None, headers=signed("s" * 32, b"{"))
    walk.call("POST", webhook, b"{", status=401, token=None, headers=signed("x" * 32, b"{"))
    walk.call("GET", webhook + "/recent", status=200, query="?limit=10")
    page = walk.call("GET", webhook + "/quarantine", status=200)
    assert page["count"] == 1
    walk.call("POST", webhook + "/quarantine/retry", {"ids": [page["results"][0]["id"]]}, status=200)
    walk.call("POST", webhook + "/quarantine/retry", {}, status=200)


def walk_optouts(walk):
    optouts = "/optouts/{project}"
    walk.call("POST", optouts + "/categories", {"key": "offers", "name": "Offers", "topic": "topic_4"}, status=201)
    walk.call("POST", optouts + "/categories", {"key": "news", "subscribed_by_default": False}, status=201)
    walk.call("POST", optouts + "/categories", {"key": "offers"}, status=409)
    walk.call("GET", optouts + "/categories", status=200, query="?limit=1")
    walk.call("GET", optouts + "/categories/{key}", status=200, key="news")
    walk.call("PATCH", optouts + "/categories/{key}", {"archived": True}, status=200, key="news")
    walk.call("POST", optouts, {"identifier": "ann@example.com", "category": "offers"}, status=200)
    entries = [{"identifier": "b@example.com"}, {"identifier": ""}]
    walk.call("POST", optouts + "/bulk", {"opt_outs": entries}, status=200)
    walk.call("GET", optouts + "/check", status=200, query="?identifier=ann@example.com&category=offers")
    walk.call("GET", optouts + "/check", status=422)
    walk.call("POST", optouts + "/check", {"identifiers": ["ann@example.com", "x@example.com"]}, status=200)
    walk.call("GET", optouts, status=200, query="?category=offers&limit=1")
    walk.call("DELETE", optouts, status=200, query="?identifier=ann@example.com&category=offers")
    recipient = walk.call("GET", optouts + "/recipients/{identifier}", status=200, identifier="ann%40example.com")
    assert len(recipient["history"]) == 2


def walk_reports(walk):
    optouts = "/optouts/{project}"
    walk.call("GET", optouts + "/export", status=200)
    walk.call("GET", optouts + "/export", status=200, query="?format=jsonl&category=$all")
    walk.call("GET", optouts + "/export", status=404, query="?category=none")
    page = walk.call("GET", optouts + "/audit", status=200, query="?category=offers&source=api&limit=1")
    query = f"?category=offers&identifier=ann@example.com&cursor={page['next_cursor']}"
    assert walk.call("GET", optouts + "/audit", status=200, query=query)["results"]
    walk.call("GET", optouts + "/audit/export", status=200)
    walk.call("GET", optouts + "/audit/export", status=200, query="?format=jsonl")
    assert walk.call("POST", optouts + "/audit/verify", {}, status=200)["ok"]
    with Redis(walk.service) as redis:
        news = f"cb:{{{walk.slug}:05}}:optouts:news"
        redis.call("ZADD", news, 5, "nobody")
        problems = walk.call("POST", optouts + "/audit/verify", status=200)["problems"]
        assert {problem["identifier"] for problem in problems} == {"nobody", None}
        redis.call("DEL", news)
    assert walk.call("GET", optouts + "/stats", status=200, query="?days=2")["days"]


def walk_imports(walk):
    """Of an import that is written as if it had been made."""
    imports, number = "/import/{project}", "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    job = f"cb:{{{walk.slug}}}:job:{number}"
    with Redis(walk.service) as redis:
        redis.call("HSET", job, "kind", "csv", "status", "completed", "step", "rows", "result:total_rows", 1,
                   "started_at", 1, "ended_at", 2, "warning:1", '{"step":"rows","message":"a warning"}')
        redis.call("ZADD", f"cb:{{{walk.slug}}}:jobs", 1, number)
        redis.call("RPUSH", f"{job}:errors", "line,error\n")
    assert walk.call("GET", imports, status=200, query="?limit=10")["results"]
    walk.call("GET", imports + "/{id}", status=200, id=number)
    walk.call("GET", imports + "/{id}", status=404, id="none")
    walk.call("GET", imports + "/{id}/errors.csv", status=200, id=number)
    walk.call("POST", imports + "/{id}/undo", {}, status=202, id=number)
    walk.call("POST", imports + "/{id}/undo", status=409, id=number)


def walk_app_imports(walk, emulator, account):
    imports = "/import/{project}"
    walk.call("POST", imports, {}, status=422)
    walk.call("PUT", "/settings/{project}/app", {"api_key": account.app_key}, status=200)
    waiting = emulator.fault(api="app", do={"hang": True})
    queued = walk.call("POST", imports, {}, status=202)
    walk.call("POST", imports, status=409)
    walk.call("GET", imports + "/{id}", status=200, id=queued["id"])
    walk.call("DELETE", imports + "/{id}", status=204, id=queued["id"])
    walk.call("DELETE", imports + "/{id}", status=409, id=queued["id"])
    walk.call("DELETE", imports + "/{id}", status=404, id="none")
    emulator.heal(waiting)
    walk.call("GET", "/settings/{project}", status=200)


def walk_csv_upload(walk):
    upload = "/csv-upload/{project}"
    file = b"email,unsubscribed\nann@example.com,true\n,true\n"
    for query, body in (("", file), ("?dry_run=1&mode=mirror&as_of=2026-01-31T12:00:00Z", file),
                        ("?source=generic&id=01BX5ZZKBKACTAV9WEVGEMMVRZ", b"email\nbob@example.com\n")):
        walk.call("POST", upload, body, status=200, query=query, headers={"Content-Type": "text/csv"})
    walk.call("POST", upload, b"name\nAnn\n", status=422, headers={"Content-Type": "text/csv"})


def test_answers_are_as_described(new_stack, customerio):
    walk = Walk(new_stack(**customerio.variables()).start())
    walk_settings(walk)
    account = customerio.account(region="eu")
    walk_connections(walk, account)
    walk_webhook(walk)
    walk_optouts(walk)
    walk_reports(walk)
    walk_csv_upload(walk)
    walk_imports(walk)
    walk_app_imports(walk, customerio, account)
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        walk.call("GET", path, status=200, token=None)
    walk.call("DELETE", "/settings/{project}/webhook", status=204)
    walk.call("DELETE", "/settings/{project}", status=204, query=f"?confirm={walk.slug}")
    assert walk.seen == set(operations())


def test_document_is_what_is_served(stack):
    answer = stack.get("/openapi.json", key=None)
    assert answer.json() == DOCUMENT
    assert answer.headers["Content-Type"] == "application/json"
