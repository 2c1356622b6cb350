"""/healthz, /readyz and /metrics, with a Redis that is well and with others."""
import re

import pytest

from stack import PACE, wait_until


def ready(service):
    return service.get("/readyz", key=None)


def refused(service, words):
    answer = ready(service)
    assert answer.status == 503, answer
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "application/problem+json"
    messages = [error["message"] for error in answer.json()["errors"]]
    assert [message for message in messages if words in message], messages


def test_own_redis_keeps_everything(stack):
    assert ready(stack).json() == {"status": "ready", "promise": "disk", "replicas": 0, "reasons": []}


@pytest.mark.parametrize("options, promise, reason", [
    ({"appendonly": "yes", "appendfsync": "always"}, "disk", None),
    ({"appendonly": "yes", "appendfsync": "everysec"}, "second", None),
    ({"appendonly": "yes", "appendfsync": "no"}, "memory", "appendfsync"),
    ({"appendonly": "no"}, "memory", "appendonly"),
    ({"appendonly": "yes", "rename_command": "CONFIG ''"}, "unknown", None),
    ({"appendonly": "no", "rename_command": "CONFIG ''"}, "memory", "appendonly"),
    ({"appendonly": "yes", "maxmemory_policy": "allkeys-lru"}, "second", "maxmemory-policy"),
])
def test_promise_is_what_redis_keeps(new_stack, new_redis, options, promise, reason):
    service = new_stack(CIOBRIDGE_REDIS_URL=new_redis(**options).url).start()
    body = ready(service).json()
    assert body["status"] == "ready" and body["promise"] == promise
    assert len(body["reasons"]) == (reason is not None)
    assert reason is None or reason in body["reasons"][0]


def test_redis_that_is_gone_and_comes_back(new_stack, new_redis):
    redis = new_redis()
    service = new_stack(CIOBRIDGE_REDIS_URL=redis.url).start()
    redis.stop()
    refused(service, "cannot be reached")
    assert service.get("/healthz", key=None).json() == {"status": "ok"}
    assert "ciobridge_up 0" in service.get("/metrics", key=None).body.decode().splitlines()
    redis.start()
    wait_until(lambda: ready(service).status == 200, 2 * PACE, "ready again")


def test_replica_takes_no_writes(new_stack, new_redis):
    master, replica = new_redis(), new_redis()
    replica.call("REPLICAOF", "127.0.0.1", "1")
    service = new_stack(CIOBRIDGE_REDIS_URL=replica.url).start("/healthz")
    refused(service, "replica")
    replica.call("REPLICAOF", "NO", "ONE")
    assert ready(service).status == 200
    master.stop()


def test_too_few_replicas(new_stack, new_redis):
    service = new_stack(CIOBRIDGE_REDIS_URL=new_redis().url, CIOBRIDGE_REDIS_WAIT_REPLICAS="1").start("/healthz")
    refused(service, "fewer replicas")


def test_redis_that_still_loads(new_stack, new_redis):
    redis = new_redis(appendonly="yes")
    redis.call("EVAL", "for i = 1, 30000 do redis.call('SET', i, i) end", "0")
    redis.stop()
    redis.options["key-load-delay"] = 300  # microseconds
    redis.start()
    service = new_stack(CIOBRIDGE_REDIS_URL=redis.url).start("/healthz")
    refused(service, "loading")


def test_redis_that_cannot_write(new_stack, new_redis):
    redis = new_redis(save="1000000 1000000")
    service = new_stack(CIOBRIDGE_REDIS_URL=redis.url).start()
    redis.data.rmdir()
    redis.call("BGSAVE")
    wait_until(lambda: ready(service).status == 503, 5 * PACE, "not ready")
    refused(service, "snapshot")
    redis.call("CONFIG", "SET", "save", "")  # now it takes writes again
    assert ready(service).status == 200


def samples(service):
    answer = service.get("/metrics", key=None)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found, described = {}, set()
    for line in answer.body.decode().splitlines():
        if line.startswith("#"):
            described.add(line.split(" ")[2])
            continue
        match = re.fullmatch(r'(ciobridge_[a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? ([0-9.]+)', line)
        assert match, line
        name = match.group(1)
        assert name in described or re.sub("_(bucket|sum|count)$", "", name) in described, line
        found[name + (match.group(2) or "")] = float(match.group(3))
    return found


def test_metrics_count_requests_of_all_workers(own_stack):
    name = 'ciobridge_requests_total{function="settings",status="401"}'
    for _ in range(25):
        assert own_stack.get("/settings", key=None).status == 401
    wait_until(lambda: samples(own_stack).get(name) == 25, 5 * PACE, "25 requests are counted")
    found = samples(own_stack)
    assert found["ciobridge_up"] == 1 and found["ciobridge_redis_memory_bytes"] > 0
    buckets = [value for key, value in found.items() if "_bucket" in key and 'function="settings"' in key]
    assert buckets == sorted(buckets) and buckets[-1] == 25


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_they_are_read_only(stack, path):
    answer = stack.post(path, {}, key=None)
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD"
    head = stack.request("HEAD", path, key=None)
    assert head.status == 200 and head.body == b""
    assert stack.get(path + "/more", key=None).status == 404
    assert stack.get(path + "?x=1", key=None).status == 422
