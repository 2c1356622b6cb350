"""What ciobridge is compared with, and the load: started on free ports, and ended by whoever started them."""
import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from stack import BUILD, free_port, wait_until  # noqa: E402

MODULES = BUILD / "bench" / "node_modules"
SECRET = "cio_bench_signing_key_0123456789"
READY_S = 15


@contextlib.contextmanager
def process(command, **options):
    """Ends with this block, and with this process however it ends."""
    child = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *map(str, command)], **options)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(READY_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def sockets_of(stack):
    """Where the service has put the sockets of its functions and of Redis."""
    text = (stack.state / "nginx.conf").read_text()
    return pathlib.Path(re.search(r'server "unix:(.*)/webhook\.sock"', text).group(1))


@contextlib.contextmanager
def nginx(stack, directory, edit):
    """Another nginx with the configuration of the service's own, up to what `edit` changes. Yields its port."""
    directory.mkdir()
    (directory / "nginx").mkdir()
    port = free_port()
    text = edit((stack.state / "nginx.conf").read_text())
    text = text.replace(f"127.0.0.1:{stack.port} ", f"127.0.0.1:{port} ").replace(str(stack.state), str(directory))
    (directory / "nginx.conf").write_text(text)
    with process(["nginx", "-p", f"{directory}/nginx/", "-e", "stderr", "-c", directory / "nginx.conf", "-q"],
                 stdin=subprocess.DEVNULL):
        wait_until(lambda: answers(port), READY_S, "nginx answers")
        yield port


def workers_of(function):
    said = subprocess.run([BUILD / function, "--describe"], capture_output=True, text=True, check=True).stdout
    return int(said.split(" ")[4])


@contextlib.contextmanager
def nothing(stack, directory):
    """The program that does nothing in the place of two functions, with as many workers. Yields nginx's port."""
    with contextlib.ExitStack() as started:
        sockets = sockets_of(stack)
        for function in ("webhook", "optouts"):
            listener = started.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(directory / f"{function}.sock"))
            listener.listen(1024)
            for _ in range(workers_of(function)):
                started.enter_context(process([BUILD / "tests/bench/nothing"], stdin=listener))
        yield started.enter_context(nginx(stack, directory / "nothing",
                                          lambda text: text.replace(f"unix:{sockets}/", f"unix:{directory}/")))


@contextlib.contextmanager
def node(stack, directory, redis):
    """The webhook in Node, by itself and behind the same nginx with kept connections. Yields both ports."""
    port = free_port()

    def edit(text):
        upstream = f"upstream node {{ server 127.0.0.1:{port}; keepalive 64; }}\n\tupstream webhook {{"
        proxy = 'proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection "";'
        assert "fastcgi_pass webhook;" in text
        return text.replace("upstream webhook {", upstream).replace("fastcgi_pass webhook;", proxy)

    variables = os.environ | {"NODE_PATH": str(MODULES), "NODE_ENV": "production", "PORT": str(port),
                              "SECRET": SECRET, "REDIS_SOCKET": str(redis.socket),
                              "PROCESSES": str(os.cpu_count())}
    with process(["node", HERE / "peer.js"], env=variables, stdin=subprocess.DEVNULL):
        wait_until(lambda: answers(port), READY_S, "node answers")
        with nginx(stack, directory / "node", edit) as front:
            yield port, front


class Load:
    """What wrk saw."""

    def __init__(self, port, requests, seconds, connections):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", HERE / "load.lua",
                   f"http://127.0.0.1:{port}", "--", requests]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds + 60)
        result = re.search(r"^result (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.M)
        if done.returncode or not result:
            raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
        count, took_us, refused, broken, p50_us, p99_us = map(int, result.groups())
        if count == 0 or refused + broken > 0:
            raise RuntimeError(f"port {port}: {refused} of {count} requests refused, {broken} broken")
        self.rate = count / took_us * 1e6
        self.count, self.p50_ms, self.p99_ms = count, p50_us / 1000, p99_us / 1000
