"""The CSV upload through nginx: files of any size in constant memory, and every way in which one can be interrupted."""
import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import threading
import time
import zlib

import pytest

import feed
from feed import state
from stack import PACE, Stack, wait_until

ROWS = 10_000_000 if feed.SCALE >= 20 else int(200_000 * feed.SCALE)
STREAM_BYTES = min(int((300 << 20) * feed.SCALE), 2_000_000_000)
CUTS = int(10 * feed.SCALE)
MEMORY_KB = 16 << 10  # of a process of the function, at any time
LIMIT_S = 300 * max(feed.SCALE, 1) * PACE
AS_OF = "2026-01-31T12:00:00Z"
HEAD = b"email,unsubscribed,cio_subscription_preferences\n"
PIECE = 64 << 10
SMALL = 50_000_000  # bytes, of CIOBRIDGE_CSV_MAX_BYTES where a test runs into it
ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def rows(count, seed="rows"):
    """One in ten opts out of a topic too, one in fifty is wrong; addresses come again."""
    chance = random.Random(f"{feed.SEED}:{seed}")
    for number in range(count):
        kind = chance.randrange(50)
        address = f"user{chance.randrange(count)}@example.com" if kind else ""
        topics = '"{""topics"":{""topic_7"":false,""topic_8"":true}}"' if kind < 5 else ""
        yield f"{address},{'true' if kind % 2 else ''},{topics}\n".encode()


def pieces(lines):
    """The lines in pieces that end anywhere."""
    kept = HEAD
    for line in lines:
        kept += line
        while len(kept) >= PIECE:
            yield kept[:PIECE]
            kept = kept[PIECE:]
    yield kept


def upload(stack, slug, body, query=f"as_of={AS_OF}", headers=None, chunked=False):
    """`body` is bytes or an iterable of them, of which the length is not said."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=LIMIT_S)
    headers = {"Authorization": f"Bearer {stack.root_key}", "Content-Type": "text/csv"} | (headers or {})
    try:
        chunked = chunked or not isinstance(body, bytes)
        connection.request("POST", f"/csv-upload/{slug}?{query}", iter([body]) if chunked and isinstance(body, bytes)
                           else body, headers, encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def peak_kb(stack):
    """The most memory that any process of the function has had."""
    peaks = []
    for process in stack.named("csv_upload"):
        with open(f"/proc/{process.pid}/status") as status:
            peaks += [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
    return max(peaks)


def expect_little_memory(stack):
    print(f"csv_upload: at most {peak_kb(stack)} kB")
    if PACE == 1:  # sanitizers need more
        assert peak_kb(stack) < MEMORY_KB


def import_of(stack, slug, number):
    answer = stack.get(f"/import/{slug}/{number}")
    return answer.json() if answer.status == 200 else None


@pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
def test_many_rows(own_stack, chunked):
    slug = own_stack.project()
    body = pieces(rows(ROWS))
    status, answer = upload(own_stack, slug, body if chunked else b"".join(body))
    assert status == 200, answer
    lists, audited = state(own_stack, slug)
    expected = {}
    for line in rows(ROWS):
        address, unsubscribed, topics = line.decode().strip().split(",", 2)
        if address and unsubscribed:
            expected.setdefault("$all", set()).add(address.encode())
        if address and topics:
            expected.setdefault("customerio_topic_7", set()).add(address.encode())
    assert {name: set(choices) for name, choices in lists.items()} == expected
    assert answer["total_rows"] == answer["rows_processed"] == ROWS
    assert answer["preferences_updated"] == audited == sum(map(len, expected.values()))
    assert answer["parse_errors"] > 100 == len(answer["failed_imports"])
    expect_little_memory(own_stack)


def test_progress_can_be_watched(own_stack):
    """With pauses of the client, in which what has come is recorded."""
    slug = own_stack.project()
    seen = []

    def body():
        lines = list(rows(20000))
        yield HEAD + b"".join(lines[:10000])
        for line in lines[10000:10200]:
            time.sleep(0.02 if not seen else 0)
            yield line
            job = import_of(own_stack, slug, ID)
            if job and job["progress"]["done"] >= 10000:
                seen.append(job)
        yield b"".join(lines[10200:])

    status, answer = upload(own_stack, slug, body(), f"id={ID}")
    assert status == 200, answer
    assert seen[0]["status"] == "running" and seen[0]["result"]["total_rows"] >= 10000
    assert seen[0]["result"]["preferences_updated"] > 0 and seen[0]["ended_at"] is None
    job = import_of(own_stack, slug, ID)
    assert job["status"] == "completed" and job["progress"] == {"done": 20000, "total": 20000}
    assert job["result"] == {name: answer[name] for name in job["result"]}


def test_errors_can_be_fetched(own_stack):
    slug = own_stack.project()
    status, answer = upload(own_stack, slug, b"email,unsubscribed\n" + b",true\n" * 5000)
    assert status == 200 and answer["parse_errors"] == 5000
    path = "/import/" + answer["errors_url"].partition("/import/")[2]
    lines = own_stack.get(path).body.decode().split("\r\n")
    assert lines[0] == "line,error,email,unsubscribed" and lines[-1] == ""
    assert lines[1:-1] == [f"{number},no recipient,,true" for number in range(2, 5002)]


@pytest.fixture(scope="module")
def clean():
    """A file, and the state that one clean upload of it ends in, whichever test asks first."""
    body = b"".join(pieces(rows(20000, "clean")))
    known = {}

    def of(stack):
        if "state" not in known:
            slug = stack.project()
            assert upload(stack, slug, body)[0] == 200
            known["state"] = state(stack, slug)
        return known["state"]
    return body, of


def send_part(stack, slug, body, end, chunked, query=f"as_of={AS_OF}"):
    """Sends a part of the body and breaks the connection."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = (f"POST /csv-upload/{slug}?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stack.root_key}\r\n"
            f"Content-Type: text/csv\r\n{length}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", stack.port), LIMIT_S) as connection:
        connection.sendall(head + (b"%x\r\n" % len(body) if chunked else b"") + body[:end])


def test_cut_anywhere_and_sent_again(own_stack, clean):
    body, clean_state = clean
    chance = feed.dice("cuts")
    wanted = clean_state(own_stack)
    for cut in range(CUTS):
        slug = own_stack.project()
        for end in sorted(chance.randrange(len(body)) for _ in range(2)):
            send_part(own_stack, slug, body, end, chance.random() < 0.5)
        status, answer = upload(own_stack, slug, body, chunked=chance.random() < 0.5)
        assert status == 200, answer
        assert state(own_stack, slug) == wanted, f"cut {cut} of {feed.SEED}"


def test_what_came_before_the_cut_counts(own_stack):
    slug = own_stack.project()
    body = b"email,unsubscribed\n" + b"".join(b"u%d@x,true\n" % number for number in range(50000))
    send_part(own_stack, slug, body, len(body) - 3, False, f"id={ID}")
    job, _ = wait_until(lambda: (job := import_of(own_stack, slug, ID)) and job["status"] == "failed" and job,
                        feed.ANSWER_S, "the import has failed")
    # The web server may have had some in hand.
    came = job["result"]["total_rows"]
    assert 0 < came < 50000 and job["result"]["preferences_updated"] == came
    assert "does not end" in job["error"]
    assert set(state(own_stack, slug)[0]["$all"]) == {b"u%d@x" % number for number in range(came)}
    assert upload(own_stack, slug, body, f"id={ID}")[0] == 200


class Interrupted(threading.Thread):
    """An upload that stands still in the middle until it is told to go on."""

    def __init__(self, stack, slug, body):
        super().__init__()
        self.stack, self.slug, self.body = stack, slug, body
        self.half_sent, self.go_on = threading.Event(), threading.Event()
        self.outcome = None

    def pieces(self):
        half = len(self.body) // 2
        yield self.body[:half]
        self.half_sent.set()
        self.go_on.wait(feed.ANSWER_S)
        yield self.body[half:]

    def run(self):
        try:
            self.outcome = upload(self.stack, self.slug, self.pieces())[0]
        except (OSError, http.client.HTTPException) as fault:
            self.outcome = fault

    @contextlib.contextmanager
    def in_the_middle(self):
        self.start()
        assert self.half_sent.wait(feed.ANSWER_S)
        wait_until(lambda: state(self.stack, self.slug)[1] > 0, feed.ANSWER_S, "some rows are recorded")
        yield
        self.go_on.set()
        self.join()


def recorded_in_the_end(stack, slug, body):
    def is_done():
        try:
            return upload(stack, slug, body)[0] == 200
        except (OSError, http.client.HTTPException):
            return False
    wait_until(is_done, feed.ANSWER_S, "it is taken again")
    return state(stack, slug)


def test_killed_in_the_middle(own_stack, clean):
    body, clean_state = clean
    wanted, slug = clean_state(own_stack), own_stack.project()
    sending = Interrupted(own_stack, slug, body)
    with sending.in_the_middle():
        for process in own_stack.named("csv_upload"):
            with contextlib.suppress(ProcessLookupError):  # workers go with whoever started them
                os.kill(process.pid, signal.SIGKILL)
    assert sending.outcome == 503 or isinstance(sending.outcome, Exception), sending.outcome
    assert recorded_in_the_end(own_stack, slug, body) == wanted


def test_redis_is_restarted_in_the_middle(own_stack, clean):
    body, clean_state = clean
    wanted, slug = clean_state(own_stack), own_stack.project()
    sending = Interrupted(own_stack, slug, body)
    before = own_stack.named("csv_upload")
    with sending.in_the_middle():
        [redis] = own_stack.named("redis-server")
        os.kill(redis.pid, signal.SIGKILL)
        wait_until(lambda: own_stack.named("redis-server") not in ([], [redis]), 5 * PACE, "another Redis runs")
    assert sending.outcome in (200, 503)
    assert recorded_in_the_end(own_stack, slug, body) == wanted
    assert own_stack.named("csv_upload") == before


def test_redis_is_away(own_stack):
    slug, body = own_stack.project(), b"email,unsubscribed\na@x,true\n"
    [redis] = own_stack.named("redis-server")
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        status, answer = upload(own_stack, slug, body)
        assert status == 503 and answer["type"] == "/problems/unavailable"
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    wait_until(lambda: upload(own_stack, slug, body)[0] == 200, feed.ANSWER_S, "it is well again")


def long_rows(size):
    """A stream of about so many bytes, one in ten rows opts out."""
    note = b"x" * 1400
    yield b"email,unsubscribed,note\n"
    for number in itertools.count():
        yield b"".join(b"user%d@example.com,%s,%s\n" % (at, b"" if at % 10 else b"true", note)
                       for at in range(number * 40, number * 40 + 40))
        size -= 40 * (len(note) + 25)
        if size <= 0:
            return


def test_large_stream(own_stack):
    slug = own_stack.project()
    status, answer = upload(own_stack, slug, long_rows(STREAM_BYTES))
    assert status == 200 and answer["preferences_updated"] == answer["total_rows"] // 10 > STREAM_BYTES // 15000
    expect_little_memory(own_stack)


def bomb(size):
    """Gzip that unpacks to a CSV file of so many bytes, a thousandth of it packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(b"email,unsubscribed\n")
    block = (b"a@example.com,true," + b"x" * 1000 + b"\n") * 1000
    for _ in range(size // len(block) + 1):
        packed += packer.compress(block)
    return packed + packer.flush()


def endless(first, again, size):
    yield first
    for _ in range(size // len(again) + 1):
        yield again


def of_rows(row, size=40_000_000):
    return endless(HEAD, row, size)


def of_form(first, again):
    return endless(b"--b\r\nContent-Disposition: form-data; name=\"csv_file\"\r\n" + first, again, 10_000_000)


def preferences(objects):
    return b'a@x,,"{""channels"":[{}' + b",{}" * objects + b']}"\n'


def address(number):
    return b"%d@x,true,\n" % (10 ** 500 + number)


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PACKED = {"Content-Encoding": "gzip"}
FULL_ROW = b'a@x,,"' + b'""' * 1_000_000 + b'x"' + b"," + b"y" * 1_000_000 + b"," + b"z" * 900_000 + b"\n"
EMPTY_PART = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'

# What is sent, with which headers, and what is answered: a status and a part of the answer.
ATTACKS = {
    "gzip-bomb": (lambda: bomb(4 * SMALL), {}, 413, "unpacked"),
    "gzip-bomb-by-encoding": (lambda: bomb(4 * SMALL), PACKED, 413, "unpacked"),
    "too-long": (lambda: of_rows(b"u@x,,\n" * 10000, SMALL), {}, 413, "CIOBRIDGE_CSV_MAX_BYTES"),
    "columns": (lambda: endless(b"email", b",column" * 10000, 7_000_000), {}, 422, "more than 16384 columns"),
    "cells": (lambda: of_rows(b",cell" * 10000), {}, 200, "more than 16384 columns"),
    "field-without-end": (lambda: endless(HEAD + b'"', b"x" * PIECE, 40_000_000), {}, 200, "never closed"),
    "field-of-quotes": (lambda: endless(HEAD + b'"', b'""' * PIECE, 40_000_000), {}, 200, "never closed"),
    "header-without-end": (lambda: endless(b"email", b"x" * PIECE, 40_000_000), {}, 422, "first line"),
    "quoted-header-without-end": (lambda: endless(b'"', b",;\t\n" * PIECE, 40_000_000), {}, 422, "first line"),
    "no-use": (lambda: endless(b"name\n", b"x" * PIECE, 150_000_000), {}, 422, "no column of recipients"),
    "empty-lines": (lambda: endless(b"", b"\n" * PIECE, 40_000_000), {}, 422, "empty"),
    "full-rows": (lambda: of_rows(FULL_ROW), {}, 200, "no JSON object"),
    "preferences": (lambda: of_rows(preferences(300_000)), {}, 200, "more than 16384 values"),
    "preferences-at-the-limit": (lambda: of_rows(preferences(8_000), 10_000_000), {}, 200, '"parse_errors":0'),
    "errors": (lambda: of_rows(b"," + b"e" * 60000 + b"\n"), {}, 200, "no recipient"),
    "long-addresses": (lambda: of_rows(b"".join(map(address, range(20000)))), {}, 200, '"parse_errors":0'),
    "form-of-headers": (lambda: of_form(b"", b"X: " + b"y" * 1000 + b"\r\n"), FORM, 413, "multipart"),
    "form-of-a-header": (lambda: of_form(b"X: ", b"y" * 10000), FORM, 413, "multipart"),
    "form-of-parts": (lambda: endless(b"", EMPTY_PART * 100, 10_000_000), FORM, 400, "no last boundary"),
}


@pytest.fixture(scope="module")
def small_stack(tmp_path_factory):
    """Takes files of SMALL bytes."""
    service = Stack(tmp_path_factory.mktemp("small"), CIOBRIDGE_CSV_MAX_BYTES=str(SMALL))
    try:
        yield service.start()
    finally:
        service.abandon()


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(small_stack, name):
    body, headers, wanted, part = ATTACKS[name]
    before = small_stack.named("csv_upload")
    status, answer = upload(small_stack, small_stack.project(), body(), headers=headers)
    text = json.dumps(answer, separators=(",", ":"))
    assert status == wanted and part in text, (status, text[:1000])
    assert small_stack.named("csv_upload") == before
    expect_little_memory(small_stack)


def test_announced_as_too_large(small_stack):
    """Nothing of it is taken."""
    slug = small_stack.project()
    status, answer = upload(small_stack, slug, HEAD + b"a@x,true,\n" + bytes(SMALL))
    assert status == 413 and str(SMALL) in answer["detail"]
    assert state(small_stack, slug) == ({}, 0)


def test_slow_upload_holds_up_nobody_else(own_stack):
    """It has workers of its own; with both of them busy, everybody else is served as ever."""
    slug = own_stack.project()
    with contextlib.ExitStack() as open_uploads:
        for _ in range(2):
            sending = Interrupted(own_stack, slug, b"".join(pieces(rows(20000))))
            open_uploads.enter_context(sending.in_the_middle())
        begin = time.monotonic()
        for path in (f"/optouts/{slug}/check?identifier=a@x", "/readyz", "/settings"):
            assert own_stack.get(path).status == 200
        assert time.monotonic() - begin < 2 * PACE
