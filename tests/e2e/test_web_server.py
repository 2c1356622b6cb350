"""The web server before the functions: what it lets through, what it answers by itself, what it writes down."""
import json
import socket

import pytest

from stack import PACE, functions


def problem(answer, status):
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["title"] and body["detail"] and body["type"].startswith("/problems/")
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/nowhere", "/webhooks", "/webhook.", "/.problem", "/settings-/x", "/index.php"])
def test_unknown_prefix(stack, method, path):
    problem(stack.request(method, path, body=b"x" * 1000 if method in ("POST", "PUT") else None), 404)


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GARBAGE\r\n\r\n",
    b"GET /settings HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /settings HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    b"POST /settings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
])
def test_malformed_request(stack, request_bytes):
    head, _, body = stack.raw(request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in head and b"X-Request-Id: " in head
    assert json.loads(body)["status"] == 400


def served():
    """The functions to which requests come."""
    return {name: said for name, said in functions().items() if said[0][3] != "-"}


def largest_bodies():
    for name, (head, endpoints) in served().items():
        yield head[3].split(",")[0], max([1024, *(int(endpoint[4]) for endpoint in endpoints)])


@pytest.mark.parametrize("prefix, limit", largest_bodies())
def test_body_limit_comes_from_the_function(stack, prefix, limit):
    head = f"POST {prefix} HTTP/1.1\r\nHost: x\r\nContent-Length: {limit + 1}\r\n\r\n"
    head, _, body = stack.raw(head.encode()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ") and str(limit) in json.loads(body)["detail"]
    if limit <= 64 << 20:
        problem(stack.post(prefix, b"x" * (limit + 1)), 413)
    if limit <= 1 << 20:
        assert stack.post(prefix, b"x" * limit).status != 413


def test_announced_body_is_refused_before_it_comes(stack):
    answer = stack.raw(b"POST /settings HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_own_ids_reach_the_function(stack):
    first, second = stack.get("/settings", key=None), stack.get("/settings", key=None)
    assert first.status == 401
    assert first.headers["X-Request-Id"] == first.json()["request_id"] != second.headers["X-Request-Id"]


def test_version_is_not_shown(stack):
    for path in ("/settings", "/nowhere"):
        assert stack.get(path).headers["Server"] == "nginx"


def test_function_that_is_gone(own_stack):
    """Its socket has gone; a web server's 502 would make Customer.io hold back its whole feed."""
    (own_stack.state / "run/webhook.sock").unlink()
    answer = own_stack.post("/webhook/x", {})
    problem(answer, 503)
    assert answer.headers["Retry-After"] == "1"
    assert own_stack.get("/readyz").status == 200


def test_log_holds_no_address(own_stack):
    own_stack.get("/settings/one?email=query@example.com")
    own_stack.get("/settings/two/three@example.com/four")
    own_stack.get("/settings/second@example.com")
    own_stack.get("/first@example.com")
    own_stack.get("/preferences/eyJhbGciOiJIUzI1NiJ9.e30.token")
    own_stack.get("/preferences/short?x")
    own_stack.get("/%70references/short")
    own_stack.post("/nowhere", {})
    own_stack.raw(b"GET /referred HTTP/1.0\r\nReferer: http://x/r@example.com\r\nUser-Agent: a@example.com\r\n\r\n")
    own_stack.raw(b"GET /broken@example.com HTTP/1.1\r\n\r\n")
    own_stack.stop()
    lines = [json.loads(line) for line in (own_stack.state / "access.log").read_text().splitlines()]
    seen = [(line["method"], line["path"]) for line in lines if line["path"] != "/readyz"]
    assert seen == [
        ("GET", "/settings/one"), ("GET", "/settings/two"), ("GET", "/settings"), ("GET", "-"), ("GET", "/preferences"),
        ("GET", "/preferences"), ("GET", "-"), ("POST", "/nowhere"), ("GET", "/referred"), ("GET", "-"),
    ]
    for text in [own_stack.output.read_text(), (own_stack.state / "access.log").read_text()]:
        assert "@" not in text and "token" not in text.replace("admin_token", "")


def test_slow_clients_hold_up_nobody(own_stack):
    """More of them than there are workers, each with a head or a body that never ends."""
    slow = []
    try:
        for number in range(40):
            connection = socket.create_connection(("127.0.0.1", own_stack.port))
            slow.append(connection)
            if number % 2:
                connection.sendall(b"GET /settings HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            else:
                connection.sendall(b"POST /webhook/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        for path in ("/webhook/x", "/settings", "/readyz"):
            assert own_stack.get(path, timeout_s=2 * PACE).status < 500
    finally:
        for connection in slow:
            connection.close()


def test_a_proxy_header_is_no_setting(stack):
    assert stack.get("/readyz", headers={"Proxy": "http://127.0.0.1:1"}).status == 200


def test_trusted_proxies_reach_the_configuration(new_stack):
    service = new_stack(CIOBRIDGE_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8").start()
    configuration = (service.state / "nginx.conf").read_text()
    assert "set_real_ip_from 127.0.0.1;" in configuration and "set_real_ip_from 10.0.0.0/8;" in configuration
    assert "real_ip_header X-Forwarded-For;" in configuration
    assert "set_real_ip_from" not in (new_stack().start().state / "nginx.conf").read_text()


def test_only_repeatable_functions_are_asked_twice(stack):
    """And only theirs are the connections that nginx keeps: on those it would have to ask twice."""
    configuration = (stack.state / "nginx.conf").read_text()
    for name, (head, _) in served().items():
        location = configuration.split(f"fastcgi_pass {name};")[0].rpartition("location")[2]
        upstream = configuration.split(f"upstream {name} {{")[1].split("}")[0]
        repeatable = head[2] == "repeatable"
        assert ("fastcgi_next_upstream off" in location) == (not repeatable)
        assert ("fastcgi_keep_conn on" in location) == ("keepalive " in upstream) == (repeatable and int(head[4]) > 1)
