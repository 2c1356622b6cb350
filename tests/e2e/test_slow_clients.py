"""Clients that are slow, silent, gone or sly hold up nobody but themselves."""
import contextlib
import json
import socket
import struct
import time

import pytest

import fastcgi
import feed
from feed import Client, Feed, Load, event, signed_headers
from stack import PACE

LIMIT_S = 10  # of the web server, for a head or for the next piece of a body
ANSWER_S = 1.5 * PACE  # for those who behave
WORKERS = 8
UNREAD = 30000  # bytes of a body, more than a function reads in advance


@pytest.fixture
def project(stack):
    return Feed(stack)


@pytest.fixture
def connect(stack):
    """Makes connections that are closed in the end."""
    with contextlib.ExitStack() as made:
        yield lambda: made.enter_context(socket.create_connection(("127.0.0.1", stack.port), feed.ANSWER_S))


def head(method, path, headers, length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def webhook(project, address, headers=None):
    body = event("unsubscribed", address, int(time.time()))
    return head("POST", f"/webhook/{project.slug}", signed_headers(body) | (headers or {}), len(body)) + body


def check(project, address, headers=None):
    authorization = {"Authorization": f"Bearer {project.stack.root_key}"}
    return head("GET", project.path_of(address, call="/check"), authorization | (headers or {}))


def opt_out(project, address):
    body = json.dumps({"identifier": address}).encode()
    headers = {"Authorization": f"Bearer {project.stack.root_key}", "Content-Type": "application/json"}
    return head("POST", f"/optouts/{project.slug}", headers, len(body)) + body


def read_answers(connection, count=None):
    """(status, body) of so many answers, or of all until the connection is closed."""
    stream, answers = connection.makefile("rb"), []
    while count is None or len(answers) < count:
        line = stream.readline()
        if not line:
            break
        length = 0
        while (field := stream.readline()) not in (b"\r\n", b""):
            name, _, value = field.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answers.append((int(line.split()[1]), stream.read(length)))
    return answers


def processes(stack):
    return {process for name in ("nginx", "webhook", "optouts") for process in stack.named(name)}


def everybody_else_is_served(project, count=150):
    """More connections than workers, and nobody waits long."""
    def work(client, chance):
        ask = chance.choice([project.unsubscribe, project.opt_out, project.check])
        ask(client, project.new_address())

    with Load(project.stack, work, WORKERS + 2) as load:
        load.wait_for(count)
    assert set(load.statuses()) == {200}
    assert max(record.done - record.sent for record in load.records) < ANSWER_S


def test_slow_clients_hold_up_nobody(project, connect):
    """All kinds of them at once, each more often than there are workers."""
    before = processes(project.stack)
    for _ in range(200):
        connect()
    half_heads, half_bodies = [connect() for _ in range(20)], [connect() for _ in range(20)]
    dribblers = [(connect(), project.new_address()) for _ in range(20)]
    for connection in half_heads:
        connection.sendall(webhook(project, "half@x.example")[:40])
    for connection in half_bodies:
        connection.sendall(webhook(project, "half@x.example")[:-20])
    left = {connection: webhook(project, address) for connection, address in dribblers}
    for connection, whole in left.items():
        connection.sendall(whole[:-4])
        left[connection] = whole[-4:]

    for _ in range(4):
        for connection, rest in left.items():
            connection.sendall(rest[:1])
            left[connection] = rest[1:]
        begin = time.monotonic()
        everybody_else_is_served(project)
        time.sleep(max(0, begin + 1 - time.monotonic()))
    for connection, address in dribblers:
        assert read_answers(connection, 1) == [(200, b'{"status":"recorded"}')]
    assert project.still_allowed(address for _, address in dribblers) == []

    for connection in [*half_heads, *half_bodies]:
        connection.settimeout(LIMIT_S * PACE)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert project.allowed("half@x.example")
    assert processes(project.stack) == before


def reset(connection):
    """Closes at once and tells the other side so."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_clients_that_go_away(project, connect):
    """In the middle of an upload, or before the answer; workers stay, and what was sent whole may count."""
    before = processes(project.stack)
    body = event("unsubscribed", "large@x.example", int(time.time())).ljust(1 << 20)
    upload = head("POST", f"/webhook/{project.slug}", signed_headers(body), len(body)) + body
    for number in range(100):
        connection = connect()
        connection.sendall([upload[:len(upload) // 2], webhook(project, project.new_address()),
                            opt_out(project, project.new_address())][number % 3])
        if number % 2:
            reset(connection)
        else:
            connection.close()
    everybody_else_is_served(project)
    assert project.allowed("large@x.example")
    assert processes(project.stack) == before


def test_pipelined_requests_are_answered_in_order(project, connect):
    out, stranger = [project.new_address() for _ in range(100)], project.new_address()
    connection = connect()
    connection.sendall(b"".join(webhook(project, address) + check(project, address) + check(project, stranger)
                                for address in out))
    answers = read_answers(connection, 3 * len(out))
    assert [status for status, _ in answers] == [200] * 3 * len(out)
    bodies = [json.loads(body) for _, body in answers]
    assert [body["status"] for body in bodies[0::3]] == ["recorded"] * len(out)
    assert [(body["identifier"], body["allowed"]) for body in bodies[1::3]] == [(address, False) for address in out]
    assert [(body["identifier"], body["allowed"]) for body in bodies[2::3]] == [(stranger, True)] * len(out)


SMUGGLING = {
    "both lengths": {"Content-Length": "CL", "Transfer-Encoding": "chunked"},
    "both lengths, the other way round": {"Transfer-Encoding": "chunked", "Content-Length": "CL"},
    "a space before the colon": {"Content-Length": "CL", "Transfer-Encoding ": "chunked"},
    "a tab before the value": {"Content-Length": "CL", "Transfer-Encoding": "\tchunked"},
    "an unknown encoding": {"Content-Length": "CL", "Transfer-Encoding": "xchunked"},
    "two encodings": {"Content-Length": "CL", "Transfer-Encoding": "identity, chunked"},
    "a signed length": {"Content-Length": "+CL"},
    "a length in words": {"Content-Length": "CL, CL"},
    "a folded length": {"Content-Length": "CL\r\n 0"},
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_request_smuggling(project, connect, name):
    """What the web server is unsure about it refuses, and nothing of the body ever becomes a request."""
    victim = project.new_address()
    hidden = opt_out(project, victim)
    body = b"0\r\n\r\n" + hidden
    headers = {field: value.replace("CL", str(len(body))) for field, value in SMUGGLING[name].items()}
    connection = connect()
    connection.sendall(head("POST", f"/webhook/{project.slug}", headers) + body + check(project, victim))
    answers = read_answers(connection)
    assert [status for status, _ in answers] in ([400], [501]), answers
    assert project.allowed(victim)


def test_two_lengths(project, connect):
    victim = project.new_address()
    hidden = opt_out(project, victim)
    connection = connect()
    connection.sendall(head("POST", f"/webhook/{project.slug}", {"Content-Length": len(hidden)}, 0) + hidden)
    assert [status for status, _ in read_answers(connection)] == [400]
    assert project.allowed(victim)


def test_a_body_never_becomes_a_request(project, connect):
    """Bodies that are refused unread, full of requests in both protocols, wherever a reader may have stopped."""
    victim = project.new_address()
    body = json.dumps({"identifier": victim}).encode()
    hidden = fastcgi.head("POST", f"/optouts/{project.slug}", keep=True, CONTENT_LENGTH=str(len(body)),
                          CONTENT_TYPE="application/json",
                          HTTP_AUTHORIZATION=f"Bearer {project.stack.root_key}") + fastcgi.body(body)
    bodies = [bytes(shift) + hidden * (UNREAD // len(hidden)) for shift in range(len(hidden))]
    connection = connect()
    for content in [opt_out(project, victim), *bodies]:
        refused = head("POST", f"/optouts/{project.slug}", {}, len(content)) + content
        connection.sendall(refused + check(project, victim))
        assert [status for status, _ in read_answers(connection, 2)] == [401, 200]
    assert project.allowed(victim)


def test_idle_connections_stay_good(project, connect):
    """They cost the others nothing, and are open for the next request."""
    client = Client(project.stack)
    assert project.check(client, "a@x.example").status == 200
    kept = client.connection.sock
    idle = [connect() for _ in range(200)]
    everybody_else_is_served(project)
    assert project.check(client, "a@x.example").status == 200 and client.connection.sock is kept
    for connection in idle:
        connection.sendall(check(project, "a@x.example", {"Connection": "close"}))
    for connection in idle:
        assert [status for status, _ in read_answers(connection)] == [200]
    client.close()
