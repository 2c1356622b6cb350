"""What is taken out of the list, through nginx: the export comes back as it went, the audit is paged, verification
finds whatever was changed behind the service's back, and an answer that is not whole does not look whole."""
import collections
import csv
import datetime
import io
import json
import os
import signal
import socket
import struct
import time

import pytest

import feed
from feed import Client, Feed, Redis, dice, event, family
from stack import PACE, wait_until

ROWS = int(4000 * feed.SCALE)
WEBHOOKS = 300
TAMPERS = int(40 * feed.SCALE)
PARTITIONS = 16
RECIPIENT_MAXIMUM = 512  # bytes
LONG_ROWS = 40_000
STALLED = 24  # clients: more than there are workers
ATTEMPTS = 10  # to be in time
STANDSTILL_S = 2.2  # longer than anybody waits for Redis
CATEGORIES = [{"key": "offers", "topic": "topic_7"}, {"key": "-dash"}, {"key": "_"}, {"key": "Z9", "archived": True},
              {"key": "customerio_topic_3", "topic": "topic_3"}, {"key": "later", "subscribed_by_default": False},
              {"key": "bills", "type": "transactional"}]
FUTURE = [f"customerio_topic_{number}" for number in ("007", "1", "12", "999999999")]
KEYS = ["$all", "$complaint", *sorted(category["key"] for category in CATEGORIES), *FUTURE]
LIST_OF = {category["key"]: f"customerio_{category['topic']}" for category in CATEGORIES if "topic" in category}
FORMULA = "=+-@\t\r"


# The list as it has to be, and its files, on their own account.

def is_protected(text):
    return text[:1] in FORMULA or (text[:1] == "'" and text[1:2] in ("'", *FORMULA))


def protected(text):
    return "'" + text if text and is_protected(text) else text


def cell(text):
    text = protected(text)
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",;\t\r\n') else text


def shown_time(ms):
    at = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


class Model:
    """Choices as scores: out is positive. The newest wins, of two made at one time `out`."""

    def __init__(self):
        self.scores = collections.defaultdict(dict)

    def choose(self, key, recipient, score):
        old = self.scores[key].get(recipient)
        if old is None or (abs(score), score) > (abs(old), old):
            self.scores[key][recipient] = score

    def rows(self, keys=KEYS):
        for key in keys:
            out = [(score, recipient.encode()) for recipient, score in self.scores[key].items() if score > 0]
            for score, recipient in sorted(out, reverse=True):
                yield recipient.decode(), key, shown_time(score)

    def csv(self, keys=KEYS):
        rows = "".join(",".join(map(cell, row)) + "\n" for row in self.rows(keys))
        return f"identifier,category,opted_out_at\n{rows}".encode()


def odd_address(chance):
    pieces = ["=", "+", "-", "@", "'", '"', ",", ";", " ", "\\", "|", "#", "%", "&", "<", ">", "{", "\u00a0", "\ufeff",
              "\u202e", "é", "e\u0301", "ß", "İ", "漢", "🙂", "A", "Zz", "0", "1", "true", "null", "cmd|' /C calc'!A0",
              "@Example.COM", "x" * 100, "é" * 60]
    text = "".join(chance.choices(pieces, k=chance.randint(1, 12))).strip(" ")
    while len(text.encode()) > RECIPIENT_MAXIMUM:
        text = text[:-1].strip(" ")
    # Addresses are lower-cased, in ASCII.
    return "".join(c.lower() if c.isascii() else c for c in text) if "@" in text else text


def odd_time(chance, now_ms):
    kind = chance.randrange(10)
    if kind == 0:
        return now_ms + chance.randrange(60_000, 4 * 60_000)
    if kind == 1:
        return chance.choice([1, 999, 1000, 86_400_000, 1_732_285_840_999])
    return now_ms - chance.randrange(1, 86_400_000 * 365 * 20)


# The service.

def make_categories(stack, slug):
    for category in CATEGORIES:
        answer = stack.post(f"/optouts/{slug}/categories", category)
        assert answer.status == 201, answer


def upload(stack, slug, file, query="source=generic"):
    answer = stack.post(f"/csv-upload/{slug}?{query}", file, headers={"Content-Type": "text/csv"},
                        timeout_s=120 * PACE)
    assert answer.status == 200, answer
    return answer.json()


def take(stack, slug, path):
    answer = stack.get(f"/optouts/{slug}/{path}", timeout_s=120 * PACE)
    assert answer.status == 200, answer
    return answer.body


def json_lines(body):
    # Not splitlines, which takes U+2028 for a line end.
    return [json.loads(line) for line in body.decode().split("\n")[:-1]]


def verify(stack, slug):
    answer = stack.post(f"/optouts/{slug}/audit/verify", {}, timeout_s=60 * PACE)
    assert answer.status == 200, answer
    return answer.json()


def assert_sound(stack, slug):
    found = verify(stack, slug)
    assert found["ok"] and found["problems"] == [], found
    return found


def fill_by_file(stack, slug, model, chance, addresses, now_ms):
    """Rows in any order, some of them again with another time."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator=chance.choice(["\n", "\r\n"]))
    rows.writerow(["category_key", "recipient", "opted_out_at"])
    for _ in range(ROWS):
        key, address, made_at = chance.choice(KEYS), chance.choice(addresses), odd_time(chance, now_ms)
        model.choose(key, address, made_at)
        rows.writerow([protected(key), protected(address), shown_time(made_at)])
    answer = upload(stack, slug, file.getvalue().encode())
    assert answer["users_with_optouts"] == answer["total_rows"] == ROWS, answer
    assert answer["parse_errors"] == 0


def fill_by_webhook(project, model, chance, addresses, now_ms):
    """In and out, in whole seconds, before and after what the file says."""
    client = Client(project.stack)
    for _ in range(WEBHOOKS):
        key, address = chance.choice(["$all", "offers", FUTURE[1]]), chance.choice(addresses)
        out = chance.random() < .3
        second = max(1, odd_time(chance, now_ms - 60_000) // 1000)
        if key == "$all":
            body = event("unsubscribed" if out else "subscribed", address, second)
        else:
            topic = "topic_7" if key == "offers" else "topic_1"
            body = event("cio_subscription_preferences_changed", address, second,
                         content=json.dumps({"topics": {topic: not out}}))
        assert json.loads(project.send(client, body).body)["status"] in ("recorded", "unchanged")
        model.choose(key, address, second * 1000 + 999 if out else -second * 1000)
    client.close()


def test_export_comes_back_as_it_went(stack):
    chance, now_ms, model = dice("export"), int(time.time() * 1000), Model()
    project = Feed(stack)
    make_categories(stack, project.slug)
    addresses = sorted({address for address in (odd_address(chance) for _ in range(ROWS // 3)) if address})
    assert sum(map(is_protected, addresses)) > len(addresses) / 20
    fill_by_file(stack, project.slug, model, chance, addresses, now_ms)
    fill_by_webhook(project, model, chance, addresses, now_ms)

    exported, audit = take(stack, project.slug, "export"), take(stack, project.slug, "audit/export")
    assert exported.split(b"\n") == model.csv().split(b"\n")
    for key in KEYS:
        assert take(stack, project.slug, f"export?category={key}") == model.csv([key])
    lines = json_lines(take(stack, project.slug, "export?format=jsonl"))
    assert [(line["identifier"], line["category"], line["opted_out_at"]) for line in lines] == list(model.rows())

    # Here nothing changes, in another project the same list comes about.
    answer = upload(stack, project.slug, exported)
    assert answer["preferences_updated"] == answer["parse_errors"] == answer["users_skipped"] == 0, answer
    assert answer["users_with_optouts"] == len(lines)
    assert take(stack, project.slug, "export") == exported
    assert take(stack, project.slug, "audit/export") == audit
    assert_sound(stack, project.slug)
    other = stack.project()
    make_categories(stack, other)
    assert upload(stack, other, exported)["parse_errors"] == 0
    assert take(stack, other, "export") == exported
    assert_sound(stack, other)


def test_export_says_what_it_is(stack):
    slug = stack.project()
    answer = stack.get(f"/optouts/{slug}/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8" and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{slug}-optouts.csv"'
    head = stack.request("HEAD", f"/optouts/{slug}/audit/export?format=jsonl")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Type"] == "application/jsonl"
    assert head.headers["Content-Disposition"] == f'attachment; filename="{slug}-audit.jsonl"'


# The audit, page by page.

def pages(stack, slug, query, limit, between=lambda: None):
    """Every entry, newest first; `between` is called after each page."""
    entries, cursor = [], ""
    while cursor is not None:
        answer = stack.get(f"/optouts/{slug}/audit?limit={limit}&cursor={cursor}{query}")
        assert answer.status == 200, answer
        page = answer.json()
        assert len(page["results"]) <= limit
        entries += page["results"]
        cursor = page["next_cursor"]
        between()
    return entries


def counted(entries):
    return collections.Counter(tuple(sorted(entry.items(), key=str)) for entry in entries)


def various_acts(project, count, seed):
    """A history by file, by webhook and by the API; what the API did comes last, at the present time."""
    chance, client = dice("acts", seed), Client(project.stack)
    people = [f"{number}@people.example" for number in range(count // 4)]
    made_at = int(time.time()) - 100_000
    rows = "".join(f"{chance.choice(people)},{chance.choice(KEYS)},{shown_time((made_at + number) * 1000)}\n"
                   for number in range(count))
    upload(project.stack, project.slug, f"email,category,opted_out_at\n{rows}".encode().replace(b",-", b",'-"))
    for number in range(count // 5):
        metric = chance.choice(["subscribed", "unsubscribed", "bounced"])
        assert project.send(client, event(metric, chance.choice(people), made_at + count + number)).status == 200
    for _ in range(count // 10):
        act = chance.choice([project.opt_out, project.opt_in])
        assert act(client, chance.choice(people), chance.choice([None, "offers", "later"])).status == 200
    client.close()
    return people


def test_audit_pages_have_every_entry_once(stack):
    project = Feed(stack)
    make_categories(stack, project.slug)
    people = various_acts(project, 1000, "paging")
    before = json_lines(take(stack, project.slug, "audit/export?format=jsonl"))
    assert {entry["source"] for entry in before} == {"csv", "webhook", "api"} and len(before) > 900
    fresh = iter(range(10**9))

    def somebody_goes():
        answer = stack.post(f"/optouts/{project.slug}", {"identifier": f"{next(fresh)}@fresh.example"})
        assert answer.json() == {"changed": True}

    filters = [{}, {"category": "$all"}, {"category": "offers"}, {"category": "$bounced"}, {"category": FUTURE[0]},
               {"source": "webhook"}, {"source": "api", "category": "offers"}, {"source": "page"},
               {"identifier": people[0]}, {"identifier": people[1], "source": "csv"}]
    for chosen in filters:
        wanted = [entry for entry in before if chosen.items() <= entry.items()]
        query = "".join(f"&{name}={value}" for name, value in chosen.items())
        for limit in (7, 100, 1000) if len(wanted) > 50 else (1, 2, 1000):
            entries = pages(stack, project.slug, query, limit, somebody_goes)
            shown = counted(entry for entry in entries if not entry["identifier"].endswith("@fresh.example"))
            assert shown == counted(wanted), (chosen, limit)
            times = [entry["recorded_at"] for entry in entries]
            assert times == sorted(times, reverse=True)
    assert_sound(stack, project.slug)


# Verification.

class Tamperer:
    """Changes one thing in Redis, somewhere in a project. Each way says what it did, or None when it found nothing."""

    def __init__(self, redis, slug, chance):
        self.redis, self.chance, self.project = redis, chance, f"cb:{{{slug}:"

    def some_key(self, kind):
        return self.chance.choice(sorted(self.redis.call("KEYS", f"{self.project}??}}:{kind}")))

    def entries(self):
        key = self.some_key("audit")
        entries = self.redis.call("XRANGE", key, "-", "+")
        return key, entries, self.chance.randrange(len(entries))

    def rewrite(self, key, entries):
        self.redis.call("DEL", key)
        for number, fields in entries:
            self.redis.call("XADD", key, number, *fields)

    def other_byte(self, text):
        place, change = self.chance.randrange(len(text)), self.chance.randrange(1, 256)
        return text[:place] + bytes([text[place] ^ change]) + text[place + 1:]

    def member(self, key):
        rows = self.redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
        place = self.chance.randrange(len(rows) // 2)
        return rows[2 * place], int(rows[2 * place + 1])

    def byte_of_an_entry(self):
        key, entries, place = self.entries()
        fields = entries[place][1]
        field = self.chance.choice([index for index, text in enumerate(fields) if text])
        was, fields[field] = fields[field], self.other_byte(fields[field])
        self.rewrite(key, entries)
        return [key], f"{was} became {fields[field]}"

    def time_of_an_entry(self):
        key, entries, _ = self.entries()
        ms, _, sequence = entries[-1][0].partition(b"-")
        entries[-1][0] = b"%d-%s" % (int(ms) + self.chance.randrange(1, 10**6), sequence)
        self.rewrite(key, entries)
        return [key], f"{ms} became {entries[-1][0]}"

    def entry_removed(self):
        key, entries, place = self.entries()
        self.redis.call("XDEL", key, entries[place][0])
        return [key], f"{entries[place]}"

    def entry_added(self):
        key, entries, place = self.entries()
        self.redis.call("XADD", key, "*", *entries[place][1])
        return [key], f"{entries[place]}"

    def score(self):
        key = self.some_key("optouts:*")
        member, score = self.member(key)
        changed = self.chance.choice([score + 1, score - 1, -score, score * 2, 5, score + .5, "inf"])
        self.redis.call("ZADD", key, changed, member)
        return [key], f"{member}: {score} became {changed}"

    def member_removed(self):
        key = self.some_key("optouts:*")
        member, score = self.member(key)
        self.redis.call("ZREM", key, member)
        return [key], f"{member} {score}"

    def member_added(self):
        key = self.some_key("optouts:*")
        member = f"{self.chance.randrange(10**9)}@added.example"
        self.redis.call("ZADD", key, self.chance.choice([-1, 1]) * self.chance.randrange(1, 2 * 10**12), member)
        return [key], member

    def byte_of_a_member(self):
        key = self.some_key("optouts:*")
        member, score = self.member(key)
        other = self.other_byte(member)
        self.redis.call("ZREM", key, member)
        self.redis.call("ZADD", key, score, other)
        return [key], f"{member} became {other}"

    def member_elsewhere(self):
        """From one partition's list into the same list of another."""
        key = self.some_key("optouts:*")
        member, score = self.member(key)
        number = int(key[len(self.project):][:2])
        other = b"%s%02d%s" % (self.project.encode(), (number + 1) % PARTITIONS, key[len(self.project) + 2:])
        self.redis.call("ZREM", key, member)
        self.redis.call("ZADD", other, score, member)
        return [key, other], f"{member}"

    def list_removed(self):
        key = self.some_key("optouts:*")
        self.redis.call("DEL", key)
        return [key], ""

    def sum(self):
        key = self.some_key("sums")
        name = self.chance.choice(["silent", "origin"])
        self.redis.call("HINCRBY", key, name, 1)
        return [key], name

    WAYS = (byte_of_an_entry, time_of_an_entry, entry_removed, entry_added, score, member_removed, member_added,
            byte_of_a_member, member_elsewhere, list_removed, sum)

    def snapshot(self):
        return {key: self.redis.call("DUMP", key) for kind in ("audit", "optouts:*", "sums")
                for key in self.redis.call("KEYS", f"{self.project}??}}:{kind}")}

    def restore(self, snapshot, keys):
        for key in keys:
            key = key if isinstance(key, bytes) else key.encode()
            self.redis.call("DEL", key)
            if key in snapshot:
                self.redis.call("RESTORE", key, 0, snapshot[key])


def assert_every_change_is_found(stack, slug, seed, times):
    chance = dice("tamper", seed)
    with Redis(stack) as redis:
        tamperer = Tamperer(redis, slug, chance)
        snapshot = tamperer.snapshot()
        for number in range(times):
            way = tamperer.WAYS[number % len(tamperer.WAYS)]
            keys, what = way(tamperer)
            found = verify(stack, slug)
            assert not found["ok"] and found["problems"], f"{way.__name__} in {keys} was not found: {what}"
            tamperer.restore(snapshot, keys)
            assert_sound(stack, slug)


def undo(stack, slug, number):
    answer = stack.post(f"/import/{slug}/{number}/undo", {})
    assert answer.status == 202, answer
    wait_until(lambda: stack.get(f"/import/{slug}/{number}").json()["status"] == "undone", 20 * PACE, "it is undone")


def test_verification_finds_what_was_changed(stack):
    project = Feed(stack)
    assert assert_sound(stack, project.slug)["choices"] == 0
    make_categories(stack, project.slug)
    various_acts(project, 500, "tamper")
    found = assert_sound(stack, project.slug)
    assert found["partitions"] == PARTITIONS and found["choices"] > 300 and found["entries"] > 300
    assert_every_change_is_found(stack, project.slug, "before", TAMPERS)


def test_verification_knows_what_an_undo_did(stack):
    project = Feed(stack)
    make_categories(stack, project.slug)
    various_acts(project, 200, "undo")
    exported = take(stack, project.slug, "export")

    def who_is_out(file):
        # Whoever has made no choice is out of `later`; that the import says so too may stay.
        rows = {tuple(line.split(",")[:2]) for line in file.decode().splitlines()}
        return {row for row in rows if row[1] != "later"}

    # Some say what is known, some raise it, some are new, some were in; later somebody decides anew.
    now_ms = int(time.time() * 1000)
    keys = ("$all", "offers", "later", FUTURE[2], "customerio_topic_55")
    rows = "".join(f"{number}@people.example,{key},{shown_time(now_ms - 1000 * number)}\n"
                   for number in range(0, 100, 3) for key in keys)
    number = upload(stack, project.slug, f"email,category,opted_out_at\n{rows}".encode())["id"]
    assert_sound(stack, project.slug)
    assert who_is_out(take(stack, project.slug, "export")) > who_is_out(exported)
    undo(stack, project.slug, number)
    assert_sound(stack, project.slug)
    assert who_is_out(take(stack, project.slug, "export")) == who_is_out(exported)
    assert stack.post(f"/optouts/{project.slug}", {"identifier": "3@people.example"}).status == 200
    assert_sound(stack, project.slug)
    assert_every_change_is_found(stack, project.slug, "undone", len(Tamperer.WAYS))


def test_verification_while_others_write(stack):
    project = Feed(stack)
    make_categories(stack, project.slug)
    various_acts(project, 200, "busy")

    def work(client, chance):
        act = chance.choice([project.opt_out, project.opt_in])
        assert act(client, f"{chance.randrange(50)}@busy.example", chance.choice([None, "offers"])).status == 200

    with feed.Load(stack, work, 4) as load:
        for _ in range(5):
            load.wait_for(50)
            assert_sound(stack, project.slug)


# Answers that are not whole.

@pytest.fixture
def long_list(new_stack):
    """A service, and a project with a list that takes a while."""
    stack = new_stack().start()
    slug = stack.project()
    upload(stack, slug, b"email\n" + b"".join(b"%0200d@long.example\n" % number for number in range(LONG_ROWS)))
    return stack, slug


class Download:
    """An HTTP/1.1 request of which the answer is read as it comes."""

    def __init__(self, stack, path):
        self.socket = socket.create_connection(("127.0.0.1", stack.port), timeout=60 * PACE)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {stack.root_key}\r\n"
                            "Connection: close\r\n\r\n".encode())
        self.received = b""

    def read(self, limit=1 << 62):
        """Up to about so many bytes; True at the end."""
        while len(self.received) < limit:
            try:
                part = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return True
            if not part:
                return True
            self.received += part
        return False

    def is_whole(self):
        """Chunked transfer ends with an empty chunk (RFC 9112 section 7.1)."""
        head, _, body = self.received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and b"Transfer-Encoding: chunked" in head, head
        return body.endswith(b"\r\n0\r\n\r\n")

    def break_off(self):
        """With a reset instead of an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def test_clients_that_break_off_harm_nobody(long_list):
    stack, slug = long_list
    chance = dice("break off")
    _, workers = family(stack, "optouts")
    paths = [f"/optouts/{slug}/{path}" for path in ("export", "export?format=jsonl", "audit/export")]
    whole = take(stack, slug, "export")
    assert whole.count(b"\n") == LONG_ROWS + 1

    stalled = [Download(stack, chance.choice(paths)) for _ in range(STALLED)]
    for download in stalled:
        assert not download.read(chance.randrange(1, 100_000))
    begin = time.monotonic()
    assert stack.get(f"/optouts/{slug}/check?identifier=somebody").json()["allowed"]
    assert time.monotonic() - begin < 5 * PACE
    for download in stalled:
        chance.choice([Download.break_off, Download.close])(download)

    assert take(stack, slug, "export") == whole
    assert family(stack, "optouts")[1] == workers, "nobody died"
    assert feed.deaths(stack) == []


def redis_is_killed(stack):
    [redis] = stack.named("redis-server")
    os.kill(redis.pid, signal.SIGKILL)


def redis_stands_still(stack):
    [redis] = stack.named("redis-server")
    os.kill(redis.pid, signal.SIGSTOP)
    time.sleep(STANDSTILL_S)
    os.kill(redis.pid, signal.SIGCONT)


def cut_in_the_middle(stack, path, fault):
    """What came of an answer that had begun when Redis failed; None when it was too late for that."""
    download = Download(stack, path)
    assert not download.read(1), "there is more than that"
    fault(stack)
    assert download.read()
    download.close()
    wait_until(lambda: stack.is_well("/readyz"), 10 * PACE, "Redis is back")
    return None if download.is_whole() else download.received


@pytest.mark.parametrize("fault", [redis_is_killed, redis_stands_still])
def test_without_redis_an_answer_is_cut(long_list, fault):
    stack, slug = long_list
    for name in ("export", "export?format=jsonl", "audit/export", "audit/export?format=jsonl"):
        whole = take(stack, slug, name)
        for _ in range(ATTEMPTS):
            received = cut_in_the_middle(stack, f"/optouts/{slug}/{name}", fault)
            if received is not None:
                break
        else:
            pytest.fail(f"{name} was always whole before Redis failed")
        assert len(received) < len(whole)
        assert take(stack, slug, name) == whole
    assert {child for _, child, _ in feed.deaths(stack)} <= {"redis-server"}
