"""What every function shares, seen from the web server's end: the accept loop, bodies, answers, signals, workers."""
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import stat
import subprocess
import time

import echo
import fastcgi
import pytest
from echo import Echo
from fastcgi import Connection, ask

PARAMETERS_LIMIT_S = 5  # PARAMETERS_SECONDS in common/io/fcgi.c
DRAIN_MAXIMUM = 64 << 20
AT_ONCE_S = 2           # generous for a busy machine, below every limit of the program


def digest(content):
    """As POST /echo shows it."""
    return hmac.new(b"", content, hashlib.sha256).hexdigest()


@pytest.fixture
def server(tmp_path):
    """One process, without a supervisor."""
    with Echo(tmp_path) as started:
        yield started


# Bodies

@pytest.mark.parametrize("length", ["exact", "", "-1", None])
@pytest.mark.parametrize("size", [0, 1, 8192, 65535, 65536, 3_000_000])
def test_body_is_read_to_its_end(server, size, length):
    content = os.urandom(size)
    length = str(size) if length == "exact" else length
    answer = ask(server.address, "POST", "/echo", content, CONTENT_LENGTH=length)
    assert answer.status == 200
    said = json.loads(answer.body)
    assert (said["bytes"], said["sha256"]) == (size, digest(content))


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("size,length", [(100, "101"), (100, "99"), (1, "0"), (0, "1"), (70000, "69999")])
def test_body_that_is_not_as_long_as_announced_is_refused(server, size, length, keep):
    with Connection(server.address) as connection:
        assert connection.ask("POST", "/echo", b"x" * size, keep=keep, CONTENT_LENGTH=length).status == 400
        if keep:
            assert connection.ask("GET", "/echo", keep=True).status == 200
        else:
            assert connection.is_closed()


def test_body_cut_by_a_closed_connection_is_no_body(server):
    with Connection(server.address) as connection:
        connection.send(fastcgi.head("POST", "/echo", REQUEST_ID="cut") + fastcgi.stream(fastcgi.STDIN, b"x" * 100))
    with Connection(server.address) as connection:
        connection.send(fastcgi.head("POST", "/echo", REQUEST_ID="cut-in-a-record", CONTENT_LENGTH=None) +
                        fastcgi.record(fastcgi.STDIN, b"x" * 100)[:50])
    assert ask(server.address, "GET", "/echo").status == 200
    statuses = {line["request_id"]: line["status"] for line in server.requests()}
    assert statuses["cut"] == "400"
    assert statuses["cut-in-a-record"] == "400"


def test_aborted_request_is_refused(server):
    with Connection(server.address) as connection:
        connection.send(fastcgi.head("POST", "/echo", keep=True) + fastcgi.stream(fastcgi.STDIN, b"x" * 100) +
                        fastcgi.record(fastcgi.ABORT_REQUEST))
        assert connection.read_answer().status == 400
        assert connection.is_closed()


def test_json_body(server):
    answer = ask(server.address, "POST", "/json", b'{"text":"h\xc3\xa9"}', CONTENT_TYPE="application/json")
    assert (answer.status, json.loads(answer.body)) == (200, {"text": "hé"})
    assert ask(server.address, "POST", "/json", b'{"text":', CONTENT_TYPE="application/json").status == 400


# A body that nobody read must never become a request

def forged_request():
    return fastcgi.head("GET", "/echo", keep=True, REMOTE_USER="root", REQUEST_ID="forged") + fastcgi.body(b"")


def forging_body(shift):
    """Whole requests one after the other, so that wherever reading stops, one may begin there."""
    return b"x" * shift + forged_request() * 400


def forged_requests(server):
    return [line for line in server.requests() if line["request_id"] == "forged"]


def test_unread_body_is_never_the_next_request(server):
    for shift in range(len(forged_request())):
        with Connection(server.address) as connection:
            answer = connection.ask("POST", "/ignore", forging_body(shift), keep=True)
            assert answer.status == 401
            second = connection.ask("GET", "/echo", keep=True, REMOTE_USER="nobody")
            assert json.loads(second.body)["user"] == "nobody"
    assert forged_requests(server) == []


NGINX = """
daemon off; pid {directory}/nginx.pid; error_log stderr; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
	access_log off;
	client_body_temp_path {directory}/body; fastcgi_temp_path {directory}/fastcgi;
	proxy_temp_path {directory}/proxy; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
	upstream echo {{ server {backend}; keepalive 4; }}
	server {{
		listen unix:{directory}/nginx.sock;
		client_max_body_size 8m;
		location / {{
			fastcgi_pass echo; fastcgi_keep_conn on; fastcgi_request_buffering {buffering};
			fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
			fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REQUEST_ID $request_id;
		}}
	}}
}}
"""


@contextlib.contextmanager
def nginx(directory, backend, buffering="on"):
    """Yields a function that sends raw HTTP and returns the answer."""
    user = "user root;" if os.geteuid() == 0 else ""
    path = directory / "nginx.conf"
    path.write_text(NGINX.format(directory=directory, backend=backend, buffering=buffering, user=user))
    process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "nginx", "-p", directory, "-c", path],
                               stderr=subprocess.DEVNULL)

    def exchange(request):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(echo.LIMIT_S)
            client.connect(str(directory / "nginx.sock"))
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))

    try:
        echo.wait_until((directory / "nginx.pid").exists, "nginx listens")
        yield exchange
    finally:
        process.terminate()
        process.wait()


def http(method, path, content=b""):
    return (f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            f"Content-Length: {len(content)}\r\n\r\n").encode() + content


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_unread_body_is_never_the_next_request_behind_nginx(tmp_path, buffering):
    with Echo(tmp_path) as server, nginx(tmp_path, server.address, buffering) as exchange:
        for shift in range(100):
            assert exchange(http("POST", "/ignore", forging_body(shift))).startswith(b"HTTP/1.1 401 ")
            assert b'"user":null' in exchange(http("GET", "/echo"))
        assert len(server.requests()) == 200
        assert forged_requests(server) == []


def test_nginx_keeps_its_connection(tmp_path):
    with Echo(tmp_path) as server, nginx(tmp_path, server.address) as exchange:
        for _ in range(3):
            content = os.urandom(100_000)
            assert digest(content).encode() in exchange(http("POST", "/echo", content))
        answer = exchange(http("HEAD", "/echo"))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n")


def test_unread_body_is_drained_up_to_a_limit(server):
    zeroes = bytes(DRAIN_MAXIMUM)
    with Connection(server.address) as connection:
        assert connection.ask("POST", "/ignore", zeroes, keep=True).status == 401
        assert connection.ask("GET", "/echo", keep=True).status == 200
    with Connection(server.address) as connection:
        assert connection.ask("POST", "/ignore", zeroes + b"x", keep=True).status == 401
        assert connection.is_closed()


def test_client_that_sends_all_before_it_reads_gets_a_large_answer(server):
    answer = ask(server.address, "POST", "/large?bytes=8000000", bytes(8_000_000))
    assert answer.status == 200
    assert answer.body == (b"abcdefghijklmnopqrstuvwxyz" * 307693)[:8_000_000]


# Stopping: what is under way is finished

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signal_ends_an_idle_process(server, number):
    assert ask(server.address, "GET", "/echo").status == 200
    server.terminate(number)
    assert server.wait(AT_ONCE_S) == 0


def test_signal_ends_a_process_idle_on_a_kept_connection(server):
    with Connection(server.address) as connection:
        assert connection.ask("GET", "/echo", keep=True).status == 200
        server.terminate()
        assert server.wait(AT_ONCE_S) == 0


def test_signal_does_not_cut_a_body(server):
    content = os.urandom(50_000)
    with Connection(server.address) as connection:
        connection.send(fastcgi.head("POST", "/echo", keep=True) + fastcgi.stream(fastcgi.STDIN, content[:30_000]))
        echo.wait_until_read(connection)
        server.terminate()
        connection.send(fastcgi.body(content[30_000:]))
        answer = connection.read_answer()
        assert answer.status == 200 and json.loads(answer.body)["sha256"] == digest(content)
        assert connection.is_closed()
    assert server.wait(AT_ONCE_S) == 0


def test_signal_does_not_cut_a_handler(server):
    with Connection(server.address) as connection:
        connection.send(fastcgi.head("GET", "/slow?ms=500") + fastcgi.body(b""))
        echo.wait_until_read(connection)
        server.terminate()
        assert connection.read_answer().status == 204
    assert server.wait(AT_ONCE_S) == 0


def test_signal_ends_a_process_that_is_never_idle(server):
    """There is always a connection waiting, and a kept one: the process must look at signals all the same."""
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Connection(server.address)) for _ in range(400)]
        for connection in waiting:
            connection.send(fastcgi.head("GET", "/slow?ms=20", keep=True) + fastcgi.body(b""))
        assert waiting[0].read_answer().status == 204
        server.terminate()
        assert server.wait(AT_ONCE_S) == 0
        assert len(server.requests()) < 100


def test_signal_does_not_drop_a_request_that_came_on_a_kept_connection(server):
    with Connection(server.address) as connection:
        assert connection.ask("GET", "/echo", keep=True).status == 200
        # Held, so that it finds the request and the signal at the same time.
        server.terminate(signal.SIGSTOP)
        connection.send(fastcgi.head("GET", "/echo", keep=True) + fastcgi.body(b""))
        server.terminate()
        server.terminate(signal.SIGCONT)
        assert connection.read_answer().status == 200
        assert connection.is_closed()
    assert server.wait(AT_ONCE_S) == 0


# Peers that hold a connection

def test_silent_peer_holds_a_worker_for_a_limited_time(tmp_path):
    with contextlib.ExitStack() as stack:
        servers = []
        for tcp in (False, True):
            directory = tmp_path / str(tcp)
            directory.mkdir()
            servers.append(stack.enter_context(Echo(directory, tcp=tcp)))
        silent = [stack.enter_context(Connection(server.address)) for server in servers]
        silent[1].send(fastcgi.begin() + fastcgi.record(fastcgi.PARAMS, b"\x04")[:5])
        since = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda server: ask(server.address, "GET", "/echo").status, servers))
        assert answers == [200, 200]
        assert time.monotonic() - since < PARAMETERS_LIMIT_S + AT_ONCE_S
        assert all(connection.is_closed() for connection in silent)


def test_silent_peer_holds_one_worker_only(tmp_path):
    with Echo(tmp_path, "--workers", "2") as server, Connection(server.address):
        server.wait_for_workers(2)
        since = time.monotonic()
        assert [ask(server.address, "GET", "/echo").status for _ in range(20)] == [200] * 20
        assert time.monotonic() - since < AT_ONCE_S


def test_idle_kept_connection_gives_way(server):
    with Connection(server.address) as kept:
        for _ in range(3):
            assert kept.ask("GET", "/echo", keep=True).status == 200
        since = time.monotonic()
        assert ask(server.address, "GET", "/echo").status == 200
        assert time.monotonic() - since < AT_ONCE_S
        assert kept.is_closed()


def test_connection_is_closed_unless_asked_to_keep_it(server):
    with Connection(server.address) as connection:
        assert connection.ask("GET", "/echo").status == 200
        assert connection.is_closed()


@pytest.mark.parametrize("role", [fastcgi.AUTHORIZER, fastcgi.FILTER, 7])
def test_other_roles_are_turned_away(server, role):
    with Connection(server.address) as connection:
        connection.send(fastcgi.begin(keep=True, role=role) + fastcgi.record(fastcgi.PARAMS))
        assert connection.is_closed()
    assert ask(server.address, "GET", "/echo").status == 200


def test_request_with_cut_parameters_is_none(server):
    whole = fastcgi.head("GET", "/echo", keep=True, REQUEST_ID="cut", REMOTE_USER="nobody")
    for size in range(16, len(whole)):
        with Connection(server.address) as connection:
            connection.send(whole[:size])
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.is_closed()
    assert server.stop() == 0
    assert server.requests() == []


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64, fastcgi.record(fastcgi.STDIN, b"x"),
                                     fastcgi.begin() + fastcgi.record(fastcgi.PARAMS, b"\xff\xff\xff\xff\xff")])
def test_rubbish_is_turned_away(server, rubbish):
    with Connection(server.address) as connection:
        connection.send(rubbish)
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.is_closed()
    assert ask(server.address, "GET", "/echo").status == 200


def test_second_request_on_a_busy_connection_is_refused(server):
    with Connection(server.address) as connection:
        connection.send(fastcgi.head("POST", "/echo", keep=True) + fastcgi.begin(request_id=2))
        kind, request_id, content = connection.read_record()
        assert (kind, request_id, content[4]) == (fastcgi.END_REQUEST, 2, 1)  # FCGI_CANT_MPX_CONN
        connection.send(fastcgi.body(b"hello"))
        assert json.loads(connection.read_answer().body)["bytes"] == 5


def test_values_are_answered(server):
    names = {"FCGI_MAX_CONNS": "", "FCGI_MAX_REQS": "", "FCGI_MPXS_CONNS": "", "OTHER": ""}
    with Connection(server.address) as connection:
        # libfcgi looks at the record only when something follows its content.
        connection.send(fastcgi.record(fastcgi.GET_VALUES, fastcgi.pairs(names), request_id=0, padding=1))
        kind, request_id, content = connection.read_record()
        assert (kind, request_id) == (fastcgi.GET_VALUES_RESULT, 0)
        assert content == fastcgi.pairs({"FCGI_MAX_CONNS": "1", "FCGI_MAX_REQS": "1", "FCGI_MPXS_CONNS": "0"})
        assert connection.ask("GET", "/echo").status == 200


# Answers

def test_headers_of_every_answer(server):
    for method, uri, status in [("GET", "/echo", 200), ("GET", "/nowhere", 404), ("PUT", "/echo", 405)]:
        answer = ask(server.address, method, uri, REQUEST_ID="Web_server-1")
        assert answer.status == status
        assert answer.headers["X-Request-Id"] == "Web_server-1"
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.headers["Content-Type"].startswith("application/")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_head_has_the_headers_only(server):
    get, head = ask(server.address, "GET", "/nowhere"), ask(server.address, "HEAD", "/nowhere")
    assert head.body == b"" and get.body != b""
    assert head.headers["Content-Length"] == str(len(get.body))


def test_answer_without_a_body(server):
    answer = ask(server.address, "GET", "/slow?ms=0")
    assert (answer.status, answer.body) == (204, b"")
    assert not {"Content-Length", "Content-Type"} & set(answer.headers)


def test_header_with_a_line_end_is_left_out(server):
    headers = ask(server.address, "POST", "/large?bytes=1").headers
    assert headers["X-Good"] == "good"
    assert not {"X-Split", "X-Injected"} & set(headers)


@pytest.mark.parametrize("given,kept", [("a" * 64, True), ("a" * 65, False), ("", False), (None, False),
                                        ("a b", False), ("a\r\nX: y", False), ("\xe9", False)])
def test_request_id(server, given, kept):
    said = ask(server.address, "GET", "/echo", REQUEST_ID=given).headers["X-Request-Id"]
    assert (said == given) is kept
    assert kept or 16 <= len(said) <= 64


@pytest.mark.parametrize("parameters,path,query", [
    ({"REQUEST_URI": "/echo?text=a?b"}, "/echo", "text=a?b"),
    ({"REQUEST_URI": "/echo", "QUERY_STRING": "text=no"}, "/echo", ""),
    ({"REQUEST_URI": None, "SCRIPT_NAME": "/ec", "PATH_INFO": "ho", "QUERY_STRING": "text=a"}, "/echo", "text=a"),
    ({"REQUEST_URI": "", "SCRIPT_NAME": "/echo"}, "/echo", ""),
])
def test_path_and_query(server, parameters, path, query):
    parameters = {"uri": parameters.pop("REQUEST_URI")} | parameters
    said = json.loads(ask(server.address, "GET", **parameters).body)
    assert (said["path"], said["query"] or "") == (path, query)


def test_log_has_a_line_for_each_request_and_no_path(server):
    ask(server.address, "GET", "/echo?text=secret", REQUEST_ID="one")
    ask(server.address, "GET", "/nowhere/someone@example.com", REQUEST_ID="two")
    assert server.stop() == 0
    assert [(line["request_id"], line["method"], line["route"], line["status"], line["level"])
            for line in server.requests()] == [("one", "GET", "/echo", "200", "debug"),
                                               ("two", "GET", "-", "404", "debug")]
    text = server.log_path.read_text()
    assert "secret" not in text and "someone" not in text


# Workers

def test_listener_on_descriptor_0_is_served_by_this_process(tmp_path):
    for tcp in (False, True):
        directory = tmp_path / str(tcp)
        directory.mkdir()
        with Echo(directory, tcp=tcp) as server:
            assert ask(server.address, "GET", "/echo").status == 200
            assert server.workers() == []


def test_killed_worker_is_replaced(tmp_path):
    with Echo(tmp_path, "--workers", "1") as server:
        for _ in range(3):
            [before] = server.wait_for_workers(1)
            os.kill(before, signal.SIGKILL)
            since = time.monotonic()
            assert ask(server.address, "GET", "/echo").status == 200
            assert time.monotonic() - since < 1
            assert server.workers() != [before]
        assert server.stop() == 0
        deaths = [line["how"] for line in server.log() if line["level"] == "warning" and "how" in line]
        assert deaths == ["signal 9"] * 3


def test_worker_that_a_peer_crashed_is_replaced(tmp_path):
    """libfcgi answers FCGI_GET_VALUES out of a small buffer; the port is never public because of it."""
    # A sanitizer's word on this is no news.
    with Echo(tmp_path, "--workers", "1", ASAN_OPTIONS="") as server:
        [before] = server.wait_for_workers(1)
        with Connection(server.address) as connection:
            names = fastcgi.pairs({"FCGI_MAX_CONNS": ""}) * 60
            connection.send(fastcgi.record(fastcgi.GET_VALUES, names, request_id=0, padding=1))
            connection.socket.shutdown(socket.SHUT_WR)
            echo.wait_for_end(before)
        assert ask(server.address, "GET", "/echo").status == 200


def test_workers_leave_when_their_parent_is_killed(tmp_path):
    with Echo(tmp_path, "--workers", "3") as server:
        workers = server.wait_for_workers(3)
        server.terminate(signal.SIGKILL)
        for worker in workers:
            echo.wait_for_end(worker, AT_ONCE_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_all_workers_after_their_requests(tmp_path, number):
    with Echo(tmp_path, "--workers", "2") as server:
        workers = server.wait_for_workers(2)
        with Connection(server.address) as connection:
            connection.send(fastcgi.head("GET", "/slow?ms=300") + fastcgi.body(b""))
            echo.wait_until_read(connection)
            server.terminate(number)
            assert connection.read_answer().status == 204
        assert server.wait(AT_ONCE_S) == 0
        for worker in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)


# Listening

def test_socket_is_for_owner_and_group(tmp_path):
    path = tmp_path / "own.sock"
    with Echo(tmp_path, listen=f"unix:{path}") as server:
        server.wait_for_workers(2)  # as many as the function says
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert ask(server.address, "GET", "/echo").status == 200


def test_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path):
    path = tmp_path / "own.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with Echo(tmp_path, "--workers", "1", listen=f"unix:{path}") as server:
        server.wait_for_workers(1)
        assert ask(server.address, "GET", "/echo").status == 200
        second = echo.run(tmp_path, "--listen", f"unix:{path}")
        assert second.returncode == 1 and b"in use" in second.stderr
        assert ask(server.address, "GET", "/echo").status == 200


def test_file_that_is_no_socket_stays(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    assert echo.run(tmp_path, "--listen", f"unix:{path}").returncode == 1
    assert path.read_text() == "precious"


def test_listening_on_tcp(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Echo(tmp_path, "--workers", "1", listen=f"127.0.0.1:{port}") as server:
        server.wait_for_workers(1)
        assert ask(server.address, "GET", "/echo").status == 200


@pytest.mark.parametrize("address", ["", "unix:", "unix:" + "x" * 108, "localhost", ":9000", "127.0.0.1:", "::1:9000",
                                     "127.0.0.1:0", "127.0.0.1:65536", "[]:9000", "127.0.0.1:+1"])
def test_address_that_is_none(tmp_path, address):
    done = echo.run(tmp_path, "--listen", address)
    assert done.returncode == 2 and b"--listen" in done.stderr


# Plain CGI

def cgi(directory, content=b"", **parameters):
    with subprocess.Popen([echo.PROGRAM], env=echo.environment(directory, **parameters), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdin.write(content)
        process.stdin.flush()
        # Standard input stays open: a web server may leave it so, and the program must not wait for its end.
        output = process.stdout.read()
        process.stdin.close()
        assert process.wait(echo.LIMIT_S) == 0
        return fastcgi.parse_answer(output)


def test_plain_cgi_serves_one_request(tmp_path):
    answer = cgi(tmp_path, b"hello and more", REQUEST_METHOD="POST", REQUEST_URI="/echo", CONTENT_LENGTH="5")
    assert answer.status == 200
    assert json.loads(answer.body)["sha256"] == digest(b"hello")
    for length in ({}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}):
        answer = cgi(tmp_path, REQUEST_METHOD="GET", REQUEST_URI="/echo?text=a", **length)
        assert answer.status == 200 and json.loads(answer.body)["query"] == "text=a"
        answer = cgi(tmp_path, b"hello", REQUEST_METHOD="POST", REQUEST_URI="/echo", **length)
        assert answer.status == 200 and json.loads(answer.body)["bytes"] == 0


def test_plain_cgi_refuses_a_short_body(tmp_path):
    variables = echo.environment(tmp_path, REQUEST_METHOD="POST", REQUEST_URI="/echo", CONTENT_LENGTH="6")
    done = echo.run(tmp_path, variables=variables, input=b"hello", stdin=None)
    assert fastcgi.parse_answer(done.stdout).status == 400


# The command line

@pytest.mark.parametrize("arguments", [["--workerz=2"], ["-x"], ["serve"], ["--workers"], ["--workers", "0"],
                                       ["--workers", "257"], ["--workers", "two"], ["--health"],
                                       ["--help", "--version"]])
def test_wrong_arguments(tmp_path, arguments):
    done = echo.run(tmp_path, *arguments)
    assert done.returncode == 2 and b"--help" in done.stderr and done.stdout == b""


def test_start_without_anything_to_serve_says_how(tmp_path):
    done = echo.run(tmp_path)
    assert done.returncode == 2 and b"--listen" in done.stderr


def test_every_fault_of_the_settings_is_said(tmp_path):
    variables = echo.environment(tmp_path, CIOBRIDGE_REDIS_WAIT_REPLICAS="many", CIOBRIDGE_LOG_LEVLE="debug",
                                 CIOBRIDGE_MASTER_KEY="short")
    for arguments in (["--listen", f"unix:{tmp_path}/x.sock"], ["--print-config"]):
        done = echo.run(tmp_path, *arguments, variables=variables)
        assert done.returncode == 2
        for name in (b"CIOBRIDGE_REDIS_WAIT_REPLICAS", b"CIOBRIDGE_LOG_LEVEL", b"CIOBRIDGE_MASTER_KEY"):
            assert name in done.stderr
    assert not (tmp_path / "x.sock").exists()


def test_redis_url_that_is_none_is_a_fault(tmp_path):
    variables = echo.environment(tmp_path, CIOBRIDGE_REDIS_URL="redis://:70000")
    done = echo.run(tmp_path, "--listen", f"unix:{tmp_path}/x.sock", variables=variables)
    assert done.returncode == 2 and b"CIOBRIDGE_REDIS_URL" in done.stderr


def test_settings_are_printed_without_secrets(tmp_path):
    done = echo.run(tmp_path, "--print-config")
    assert done.returncode == 0 and b"CIOBRIDGE_LOG_LEVEL=debug\n" in done.stdout
    assert echo.MASTER_KEY.encode() not in done.stdout
    table = echo.run(tmp_path, "--config-table", variables={})
    assert table.returncode == 0 and b"CIOBRIDGE_MASTER_KEY" in table.stdout


def test_describe(tmp_path):
    first, *lines = echo.run(tmp_path, "--describe", variables={}).stdout.decode().splitlines()
    assert first == "function echo once /echo,/ignore,/large,/slow,/json 2 whole"
    assert [line.split("\t") for line in lines][0] == ["GET", "/echo", "none", "none", "0", "text", "-"]
    assert [line.split("\t") for line in lines][-1] == ["POST", "/json", "none", "json", "1000", "-", "text"]
    assert len(lines) == 6


def test_version_and_help(tmp_path):
    assert echo.run(tmp_path, "--version").stdout.startswith(b"echo ")
    text = echo.run(tmp_path, "--help").stdout
    for option in (b"--listen", b"--workers", b"--health", b"--print-config", b"--config-table", b"--describe"):
        assert option in text


def test_health(tmp_path):
    with Echo(tmp_path) as server:
        assert echo.run(tmp_path, "--health", "--listen", server.address).returncode == 0
    assert echo.run(tmp_path, "--health", "--listen", server.address).returncode == 1


def answer_once(listener, output):
    connection, _ = listener.accept()
    with connection:
        connection.sendall(fastcgi.stream(fastcgi.STDOUT, output) + fastcgi.record(fastcgi.STDOUT) +
                           fastcgi.record(fastcgi.END_REQUEST, bytes(8)))
        # Whoever has read the status may leave before the rest of the answer.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)


@pytest.mark.parametrize("output,status", [(b"Status: 200 OK\r\n\r\n", 0), (b"Content-Type: a/b\r\n\r\n", 0),
                                           (b"X: y\r\nSTATUS:200\r\n\r\n", 0), (b"Status: 503\r\n\r\n", 1),
                                           (b"X: y\r\n\r\nStatus: 503\r\n", 0), (b"Status: 500 200\r\n\r\n", 1),
                                           (b"", 1)])
def test_health_reads_the_status(tmp_path, output, status):
    with socket.create_server(("127.0.0.1", 0)) as listener, concurrent.futures.ThreadPoolExecutor() as pool:
        served = pool.submit(answer_once, listener, output)
        done = echo.run(tmp_path, "--health", "--listen", f"127.0.0.1:{listener.getsockname()[1]}")
        assert done.returncode == status
        served.result()


def test_health_does_not_wait_for_a_silent_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        since = time.monotonic()
        done = echo.run(tmp_path, "--health", "--listen", f"127.0.0.1:{listener.getsockname()[1]}")
        assert done.returncode == 1
        assert time.monotonic() - since < 3 + AT_ONCE_S
