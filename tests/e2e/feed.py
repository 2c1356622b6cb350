"""What the tests of the feed share: signed webhooks, clients that send many requests, processes, Redis itself."""
import collections
import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import random
import secrets
import socket
import threading
import time
import urllib.parse

from stack import PACE, wait_until

SCALE = float(os.environ.get("CIOBRIDGE_TEST_SCALE", "1"))
SEED = os.environ.get("CIOBRIDGE_TEST_SEED") or str(secrets.randbits(32))
SECRET = "cio_test_signing_key_0123456789"
ANSWER_S = 30 * PACE  # nobody waits longer for an answer
LOAD_S = 120 * max(SCALE, 1) * PACE  # a load ends by itself after so long

Record = collections.namedtuple("Record", "kind about status headers body sent done error")


def dice(*names):
    """Random numbers that are the same in each run with the same seed."""
    print(f"CIOBRIDGE_TEST_SEED={SEED}")
    return random.Random(":".join(map(str, (SEED, *names))))


def sign(body, timestamp, secret=SECRET):
    signed = b"v0:" + str(timestamp).encode() + b":" + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_headers(body, timestamp=None, secret=SECRET):
    timestamp = int(time.time()) if timestamp is None else timestamp
    return {"X-CIO-Timestamp": str(timestamp), "X-CIO-Signature": sign(body, timestamp, secret),
            "Content-Type": "application/json"}


def event(metric, address, at, **data):
    return json.dumps({"event_id": secrets.token_hex(13), "object_type": "customer", "metric": metric,
                       "timestamp": at, "data": {"email_address": address, **data}}).encode()


class Client:
    """A connection that is kept as long as the web server keeps it. Every answer, and the lack of one, is recorded."""

    def __init__(self, stack, key="root", records=None):
        self.key = stack.root_key if key == "root" else key
        self.connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=ANSWER_S)
        self.records = [] if records is None else records

    def close(self):
        self.connection.close()

    def ask(self, method, path, body=None, headers=None, kind=None, about=None):
        headers = {"Authorization": f"Bearer {self.key}"} if headers is None else headers
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        status = answered = content = error = None
        sent = time.monotonic()
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            status, answered, content = response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as fault:
            self.connection.close()
            error = fault
        record = Record(kind or method, about, status, answered, content, sent, time.monotonic(), error)
        self.records.append(record)
        return record


class Feed:
    """A project whose webhook is switched on, and what can be asked of it."""

    def __init__(self, stack):
        self.stack = stack
        self.slug = stack.project()
        self.numbers = itertools.count()
        self.add_secret(SECRET)

    def add_secret(self, secret, **more):
        answer = self.stack.put(f"/settings/{self.slug}/webhook", {"signing_secret": secret, "enabled": True, **more})
        assert answer.status == 200, answer

    def new_address(self):
        return f"{next(self.numbers)}@{self.slug}.example"

    def path_of(self, address, category=None, call=""):
        query = {"identifier": address, **({"category": category} if category else {})}
        return f"/optouts/{self.slug}{call}?{urllib.parse.urlencode(query)}"

    def post(self, body, timestamp=None, secret=SECRET, headers=None):
        return self.stack.post(f"/webhook/{self.slug}", body, key=None,
                               headers=signed_headers(body, timestamp, secret) if headers is None else headers)

    def send(self, client, body, about=None):
        return client.ask("POST", f"/webhook/{self.slug}", body, signed_headers(body), "webhook", about)

    def unsubscribe(self, client, address):
        return self.send(client, event("unsubscribed", address, int(time.time())), address)

    def opt_out(self, client, address, category=None):
        body = {"identifier": address, **({"category": category} if category else {})}
        return client.ask("POST", f"/optouts/{self.slug}", body, kind="opt out", about=address)

    def opt_in(self, client, address, category=None):
        return client.ask("DELETE", self.path_of(address, category), kind="opt in", about=address)

    def check(self, client, address, category=None):
        return client.ask("GET", self.path_of(address, category, "/check"), kind="check", about=address)

    def state(self, address, category=None):
        """What `check` answers."""
        answer = self.stack.get(self.path_of(address, category, "/check"))
        assert answer.status == 200, answer
        return answer.json()

    def allowed(self, address, category=None):
        return self.state(address, category)["allowed"]

    def still_allowed(self, addresses, category=None):
        """Those of the addresses to whom a message may be sent."""
        found, addresses = [], list(addresses)
        for at in range(0, len(addresses), 10000):
            body = {"identifiers": addresses[at:at + 10000], **({"category": category} if category else {})}
            answer = self.stack.post(f"/optouts/{self.slug}/check", body)
            assert answer.status == 200, answer
            found += [row["identifier"] for row in answer.json()["results"] if row["allowed"]]
        return found


class Load:
    """Threads that call work(client, dice) again and again while the block runs."""

    def __init__(self, stack, work, threads, seed="load"):
        self.stack, self.work, self.seed = stack, work, seed
        self.records, self.faults = [], []
        self.ends_at = time.monotonic() + LOAD_S
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(threads)]

    def run(self, number):
        client = Client(self.stack, records=self.records)
        chance = random.Random(f"{SEED}:{self.seed}:{number}")
        try:
            while not self.stopping.is_set() and time.monotonic() < self.ends_at:
                self.work(client, chance)
        except BaseException as fault:  # told by the thread that waits
            self.faults.append(fault)
        finally:
            client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

    def wait_for(self, count):
        """Until so many more requests are answered 200."""
        seen = [len(self.records), 0]

        def enough():
            assert not self.faults, self.faults[0]
            new = self.records[seen[0]:]
            seen[0] += len(new)
            seen[1] += sum(record.status == 200 for record in new)
            return seen[1] >= count
        wait_until(enough, ANSWER_S, f"{count} answers more")

    def statuses(self):
        return collections.Counter(record.status or type(record.error).__name__ for record in self.records)


class Redis:
    """The stack's own Redis. RESP, as redis.io/docs/reference/protocol-spec has it."""

    def __init__(self, stack):
        configuration = (stack.state / "redis.conf").read_text()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(ANSWER_S)
        self.socket.connect(configuration.split('unixsocket "')[1].split('"')[0])
        self.answers = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answers.close()
        self.socket.close()

    def call(self, *arguments):
        command = b"*%d\r\n" % len(arguments)
        for argument in arguments:
            argument = argument if isinstance(argument, bytes) else str(argument).encode()
            command += b"$%d\r\n%s\r\n" % (len(argument), argument)
        self.socket.sendall(command)
        return self.read()

    def read(self):
        line = self.answers.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ValueError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.answers.read(int(rest) + 2)[:-2]
        assert kind == b"*", line
        return [self.read() for _ in range(int(rest))]


def state(stack, slug):
    """Every choice: {list: {recipient: score}}; and how many entries the audit has."""
    lists, audited = {}, 0
    with Redis(stack) as redis:
        for partition in range(16):
            tag = f"cb:{{{slug}:{partition:02d}}}:"
            audited += redis.call("XLEN", f"{tag}audit")
            for key in redis.call("KEYS", f"cb:{{{slug}:{partition:02d}}}:optouts:*"):
                flat = redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
                choices = lists.setdefault(key.decode().rpartition("optouts:")[2], {})
                choices.update(zip(flat[::2], flat[1::2]))
    return lists, audited


def family(stack, name):
    """(master, workers) of a function or of nginx; the master is None while there is none."""
    processes = stack.named(name)
    pids = {process.pid for process in processes}
    masters = [process for process in processes if process.parent not in pids]
    return masters[0] if len(masters) == 1 else None, [process for process in processes if process.parent in pids]


def wait_until_complete(stack, name, workers, without=()):
    """Until there are a master and so many workers, none of them of `without`."""
    def complete():
        master, found = family(stack, name)
        return master and len(found) == workers and not {master, *found} & set(without)
    wait_until(complete, 5 * PACE, f"{name} is complete again")


def deaths(stack):
    """What `run` and the functions said of processes that ended: (who says so, who ended, how)."""
    found = []
    for line in stack.output.read_text().splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            if entry["message"] == "a process ended and is started again":
                found.append((entry["function"], entry["child"], entry["how"]))
    return found
