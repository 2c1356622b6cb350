"""What the service writes tells nobody who is on the list, and nothing that opens a door. Redis' own data, which holds
addresses, holds no secret in clear."""
import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
import time
import urllib.parse

import pytest

import feed
from customerio import Emulator
from stack import BUILD, PACE, Stack, free_port, functions, wait_until

MARK = "zq" + secrets.token_hex(8)  # is in all that must not be seen
ROOT_KEY = f"root-key-{MARK}"
SIGNING_SECRET = f"signing-secret-{MARK}"
KEYS = {"CIOBRIDGE_ADMIN_TOKEN": ROOT_KEY, "CIOBRIDGE_MASTER_KEY": f"master-key-{MARK}-of-some-length"}
# Of Customer.io's accounts. The site id is none of them: it is shown.
CREDENTIALS = {"app_key": f"app-key-{MARK}", "track_key": f"track-key-{MARK}", "pipelines_key": f"write-key-{MARK}"}
SITE_ID = "a-site-id"
OTHER_MASTER_KEY = f"another-master-key-{MARK}-of-some-length"
HEADERS = {"Referer": f"http://{MARK}/", "User-Agent": MARK, "Cookie": f"session={MARK}", "X-Forwarded-For": MARK,
           "X-Request-Id": MARK}
JSON = {"Content-Type": "application/json"}
LOAD = 200  # requests answered between two blows
STATUSES = {200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422, 503}


class Walk:
    """Calls with secrets and addresses in every place that a client can think of."""

    def __init__(self, service, customerio):
        self.service, self.slug, self.customerio = service, service.project(), customerio
        self.optouts, self.settings = f"/optouts/{self.slug}", f"/settings/{self.slug}"
        self.webhook = f"/webhook/{self.slug}"
        self.numbers = itertools.count()
        self.keys = {}
        self.answers = []  # (status, headers and body), but for those that show a key

    def address(self):
        return f"{next(self.numbers)}.{MARK}@{MARK}.example"

    def call(self, method, path, body=None, **options):
        answer = self.service.request(method, path, body, **options)
        self.answers.append((answer.status, f"{answer.headers}{answer.body}"))
        return answer

    def good(self, *arguments, **options):
        answer = self.call(*arguments, **options)
        assert answer.status < 300, (arguments, answer)

    def report(self, body, secret=SIGNING_SECRET):
        return self.call("POST", self.webhook, body, key=None, headers=feed.signed_headers(body, secret=secret))

    def settings_calls(self):
        for secret in (f"old-{SIGNING_SECRET}", SIGNING_SECRET):
            self.good("PUT", f"{self.settings}/webhook", {"signing_secret": secret, "enabled": True})
        for role in ("read", "ingest", "ingest_secret", "admin"):
            answer = self.service.post(f"{self.settings}/keys", {"role": role, "label": "a label"})
            assert answer.status == 201, answer
            self.keys[role] = answer.json()["key"]
            if role == "ingest":
                self.good("DELETE", f"{self.settings}/keys/{answer.json()['id']}")
        for path in ("/settings", self.settings, f"{self.settings}/keys"):
            self.good("GET", path, key=self.keys["admin"])

    def connection_calls(self):
        """Customer.io accepts and refuses, and repeats what it was given; nobody may repeat that."""
        account = self.customerio.account(site_id=SITE_ID, **CREDENTIALS)
        secrets_of = {"app": {"api_key": account.app_key}, "pipelines": {"write_key": account.pipelines_key},
                      "track": {"site_id": SITE_ID, "api_key": account.track_key}}
        for section, body in secrets_of.items():
            path, secret = f"{self.settings}/{section}", [value for value in body.values() if MARK in value][0]
            said = {"errors": [{"detail": f"no key {secret}"}], "meta": {"error": secret}, "message": secret}
            for fault in ({"status": 401, "body": said}, {"status": 500, "body": secret}, {"reset": True},
                          {"status": 301, "headers": {"Location": f"http://127.0.0.1:1/{secret}?{secret}"}},
                          {"status": 200, "body": f'{{"region":"{secret}","topics":[{{"id":"{secret}"}}]'}):
                self.customerio.fault(api=section, do=fault)
                assert self.call("PUT", path, body).status in (200 if section == "pipelines" else 503, 422, 503)
                self.customerio.heal()
            self.good("PUT", path, body, headers=HEADERS)
            self.call("PUT", path, body | {"region": "eu"})
            for name, value in body.items():
                self.call("PUT", path, body | {name: f"{MARK}:{value}"})
                self.call("PUT", path, body | {name: [value]})
                self.call("PUT", path, body | {name: value * 50})
            self.good("PUT", path, {} if section == "app" else {"enabled": True})
        self.good("GET", self.settings, key=self.keys["read"])

    def optouts_calls(self):
        at = self.optouts
        self.good("POST", f"{at}/categories", {"key": "offers", "name": "Offers", "topic": "topic_7"})
        for address in (self.address(), f"+49{MARK}"):
            quoted = urllib.parse.quote(address)
            self.good("POST", at, {"identifier": address, "category": "offers"})
            self.good("POST", f"{at}/bulk", {"opt_outs": [{"identifier": address}, {"identifier": MARK * 40}]})
            self.good("POST", f"{at}/check", {"identifiers": [address]}, key=self.keys["read"])
            for path in (f"/check?identifier={quoted}", f"?category=offers&search={quoted}", f"/recipients/{quoted}"):
                self.good("GET", at + path, key=self.keys["read"])
            self.good("DELETE", f"{at}?identifier={quoted}&category=offers")

    def webhook_calls(self):
        now = int(time.time())
        content = json.dumps({"topics": {"topic_7": False, "topic_8": MARK, MARK: True}})
        changed = "cio_subscription_preferences_changed"
        results = [self.report(body).json()["status"] for body in (
            feed.event("unsubscribed", self.address(), now), feed.event("subscribed", self.address(), now + 86400),
            feed.event(changed, self.address(), now, content=content), feed.event(changed, self.address(), now),
            feed.event(MARK, self.address(), now), b'{"metric":"unsubscribed","data":"' + self.address().encode())]
        assert {"recorded", "ignored", "quarantined"} <= set(results)
        for path in ("recent", "quarantine"):
            self.good("GET", f"{self.webhook}/{path}")
        self.good("POST", f"{self.webhook}/quarantine/retry", {})

    def wrong_calls(self):
        address, at, admin = self.address(), self.optouts, self.keys["admin"]
        for path in (f"/{address}", f"{at}/{address}", f"/preferences/{MARK}/{address}?token={MARK}",
                     f"{at}/categories/{MARK}", f"/settings/{address}", f"{at}/recipients/{address}%",
                     f"{at}/recipients/%00{address}", f"{at}/check?identifier={address}%4",
                     f"{at}/check?category={address}", f"{at}?cursor={MARK}", f"{at}?limit={admin}",
                     f"/optouts/other/check?identifier={address}", f"{self.webhook}/quarantine/{MARK}"):
            for method in ("GET", "PATCH"):
                self.call(method, path, key=admin, headers=HEADERS)
        for body in (f'{{"identifier":"{address}"', f'{{"identifier":"{address}","identifier":1}}', f'"{address}"',
                     f'{{"identifier":"{address}\\n"}}', f'{{"identifier":["{address}"]}}',
                     f'{{"identifier":"{address * 1000}"}}', f'{{"identifier":"{address}","category":"{MARK}"}}'):
            self.call("POST", at, body.encode(), headers=JSON)
        for secret in ([SIGNING_SECRET], SIGNING_SECRET * 50, SIGNING_SECRET * 5000):
            self.call("PUT", f"{self.settings}/webhook", {"signing_secret": secret})
        self.call("POST", f"{self.settings}/keys", {"role": MARK, "label": MARK * 20})
        self.call("POST", at, address.encode(), headers={"Content-Type": f"text/{MARK}"})
        self.call("POST", self.webhook, MARK.encode() * (2 << 20), key=None)

    def wrong_keys(self):
        read = self.keys["read"]
        for authorization in (f"Bearer {MARK}", f"Basic {MARK}", f"Bearer {read} {MARK}", MARK, f"Bearer{read}"):
            self.call("GET", self.optouts, headers={"Authorization": authorization}, key=None)
        self.call("POST", self.optouts, {"identifier": self.address()}, key=read)
        self.report(self.address().encode(), secret=MARK)
        self.call("POST", self.webhook, self.address().encode(), key=None,
                  headers={"X-CIO-Signature": SIGNING_SECRET, "X-CIO-Timestamp": MARK})

    def no_requests(self):
        """What the web server answers by itself."""
        for data in (f"GET /optouts/{MARK} HTTP/9.9\r\n\r\n", f"{MARK} / HTTP/1.1\r\n\r\n",
                     f"GET /{MARK}\0 HTTP/1.1\r\n\r\n", f"GET /x HTTP/1.1\r\nHost: {MARK} {MARK}\r\n\r\n",
                     f"GET /x?{MARK} HTTP/1.1\r\nHost: x\r\n{MARK}: {'x' * 40000}\r\n\r\n",
                     f"POST /optouts/x HTTP/1.1\r\nHost: x\r\nContent-Length: {MARK}\r\n\r\n{MARK}"):
            assert MARK.encode() not in self.service.raw(data.encode())

    def work(self, client, chance):
        address = self.address()
        body = feed.event("unsubscribed", address, int(time.time()), padding=MARK * chance.choice((0, 1, 4000)))
        client.ask("POST", self.webhook, body, feed.signed_headers(body, secret=SIGNING_SECRET))
        client.ask("GET", f"{self.optouts}/check?identifier={address}")
        client.ask("POST", self.optouts, {"identifier": address})

    def blows(self):
        """Everything dies under load, and at last nobody listens for the web server any more."""
        with feed.Load(self.service, self.work, 6) as load:
            for name in ("webhook", "optouts", "redis-server", "nginx"):
                load.wait_for(LOAD)
                for process in self.service.named(name):
                    with contextlib.suppress(ProcessLookupError):  # workers leave with their master
                        os.kill(process.pid, signal.SIGKILL)
            load.wait_for(LOAD)
            (self.service.state / "run/webhook.sock").unlink()
            for process in feed.family(self.service, "webhook")[1]:
                os.kill(process.pid, signal.SIGKILL)  # and with them the connections that nginx has kept
            wait_until(lambda: 503 in [record.status for record in load.records[-10:]], 10 * PACE, "refused")
            load.wait_for(LOAD)
        self.answers += [(record.status, f"{record.headers}{record.body}") for record in load.records if record.status]


def start(directory, output, **variables):
    service = Stack(directory, CIOBRIDGE_LOG_LEVEL="debug", **variables)
    service.output = directory / output
    return service


def stored(service):
    """Every value in Redis."""
    read = {b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",), b"zset": ("ZRANGE", 0, -1),
            b"stream": ("XRANGE", "-", "+"), b"list": ("LRANGE", 0, -1)}
    with feed.Redis(service) as redis:
        for key in redis.call("KEYS", "*"):
            command, *rest = read[redis.call("TYPE", key)]
            yield repr((key, redis.call(command, key, *rest)))


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """All of it, over when the tests look at what is left: files and everything's output."""
    directory = tmp_path_factory.mktemp("walk")
    customerio = Emulator().start()
    service, other = start(directory, "first", **KEYS, **customerio.variables()), None
    try:
        made = Walk(service.start(), customerio)
        for part in (made.settings_calls, made.connection_calls, made.optouts_calls, made.webhook_calls,
                     made.wrong_calls, made.wrong_keys, made.no_requests, made.blows):
            part()
        made.stored = list(stored(service))
        service.stop()
        # The same state under another master key: nothing that was sealed can be opened.
        made.service = other = start(directory, "second", **KEYS | {"CIOBRIDGE_MASTER_KEY": OTHER_MASTER_KEY}).start()
        assert made.report(feed.event("unsubscribed", made.address(), 1)).status == 503
        shown = other.get(f"/settings/{made.slug}").json()
        assert not [section for section in ("app", "track", "pipelines") if shown[section]["configured"]]
        other.stop()
        made.files = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
        yield made
    finally:
        for each in (service, other):
            if each:
                each.abandon()
        customerio.stop()


def is_data(path):
    return "appendonlydir" in path.parts


def test_files_and_output_tell_nothing(walk):
    needles = [text.encode() for text in (MARK, *walk.keys.values())]
    for path, content in walk.files.items():
        found = [line for line in content.splitlines() if any(needle in line for needle in needles)]
        assert is_data(path) or not found, (path, found[:3])


def test_something_was_written(walk):
    """The faults were met, and looking for the mark finds it where it may be."""
    said = b"".join(content for path, content in walk.files.items() if path.name in ("first", "second")).decode()
    for words in ('"level":"debug"', "a process ended", "store lost", "webhook secret cannot be opened",
                  "credentials cannot be opened"):
        assert words in said, words
    access = b"".join(content for path, content in walk.files.items() if path.name.startswith("access.log"))
    logged = {json.loads(line)["status"] for line in access.splitlines()}
    assert STATUSES <= logged and STATUSES <= {status for status, _ in walk.answers}
    assert any(MARK.encode() in content for path, content in walk.files.items() if is_data(path))
    assert any(MARK in text for text in walk.stored)


def test_redis_holds_no_secret_in_clear(walk):
    kept = [*walk.stored, *(repr(content) for path, content in walk.files.items() if is_data(path))]
    for secret in (SIGNING_SECRET, *CREDENTIALS.values(), *KEYS.values(), OTHER_MASTER_KEY, *walk.keys.values()):
        assert not [text[:200] for text in kept if secret in text]


def test_answers_give_no_secret_away(walk):
    hidden = (SIGNING_SECRET, *CREDENTIALS.values(), *KEYS.values(), *walk.keys.values())
    for status, text in walk.answers:
        assert not [secret for secret in hidden if secret in text], text
        assert status < 400 or MARK not in text, text


@pytest.mark.parametrize("name", sorted(functions()))
def test_configuration_is_printed_without_secrets(name, tmp_path):
    url = f"redis://user:{MARK}@127.0.0.1/0"
    (tmp_path / "file").write_text(f"{OTHER_MASTER_KEY}\n")
    for variables in (KEYS | {"CIOBRIDGE_REDIS_URL": url},
                      {"CIOBRIDGE_MASTER_KEY_FILE": str(tmp_path / "file"), "CIOBRIDGE_REDIS_URL": url}):
        done = subprocess.run([BUILD / name, "--print-config"], env=variables, capture_output=True, text=True)
        assert done.returncode == 0 and "CIOBRIDGE_MASTER_KEY=********\n" in done.stdout, done
        assert MARK not in done.stdout + done.stderr


@pytest.mark.parametrize("name", [*sorted(functions()), "run"])
@pytest.mark.parametrize("fault", [{"CIOBRIDGE_REDIS_URL": f"http://{MARK}"}, {"CIOBRIDGE_MASTER_KEY": MARK},
                                   {"CIOBRIDGE_ADMIN_TOKEN": f"{MARK}\n"}, {"CIOBRIDGE_PUBLIC_URL": MARK}])
def test_wrong_settings_are_not_repeated(name, fault, tmp_path):
    listens = name != "run" and functions()[name][0][3] != "-"
    done = subprocess.run([BUILD / name, *(["--listen", f"unix:{tmp_path}/x"] if listens else [])],
                          env=KEYS | {"VAR": str(tmp_path / "var"), "PORT": "1", "PATH": os.environ["PATH"]} | fault,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode not in (0, None) and next(iter(fault)) in done.stderr, done
    assert MARK not in done.stdout + done.stderr


@pytest.mark.parametrize("options", [{}, {"rename_command": "AUTH ''"}])
def test_password_that_redis_refuses_is_not_repeated(new_redis, new_stack, options):
    port = free_port()
    new_redis(port=port, **options)
    service = new_stack(CIOBRIDGE_LOG_LEVEL="debug", CIOBRIDGE_REDIS_URL=f"redis://{MARK}:{MARK}@127.0.0.1:{port}")
    service.start("/healthz")
    assert service.get("/readyz").status == 503
    service.stop()
    said = service.output.read_text()
    assert "store not reachable" in said and MARK not in said
