"""The whole service as `make run` starts it, with a port and a state directory of its own."""
import collections
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CIOBRIDGE_TEST_BUILD", TOP / "build")).resolve()
PACE = 4 if "sanitize" in BUILD.name else 1  # how much longer things may take
READY_S = 15 * PACE
END_S = 10

Process = collections.namedtuple("Process", "pid parent name since")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, limit_s, what):
    """Returns what the condition gave once it is true, and how long that took."""
    begin = time.monotonic()
    while True:
        value = condition()
        took = time.monotonic() - begin
        if value:
            return value, took
        assert took < limit_s, f"not within {limit_s} s: {what}"
        time.sleep(0.01)


def all_processes():
    """Those that run; the dead whom nobody has reaped yet do not count."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = pathlib.Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        state, parent, *fields = rest.split()
        if state not in "ZX":
            found.append(Process(int(entry), int(parent), name, fields[17]))
    return found


def descendants(pid):
    processes = all_processes()
    family, found = {pid}, []
    while True:
        new = [process for process in processes if process.parent in family and process.pid not in family]
        if not new:
            return found
        found += new
        family |= {process.pid for process in new}


def still_running(processes):
    """Whoever their parent is by now: orphans have got another."""
    known = {(process.pid, process.since) for process in processes}
    return sorted(process for process in all_processes() if (process.pid, process.since) in known)


def functions():
    """What each function says of itself: name -> (head words, endpoint lines as lists)."""
    described = {}
    for source in (TOP / "functions").iterdir():
        name = source.stem
        said = subprocess.run([BUILD / name, "--describe"], capture_output=True, text=True, check=True).stdout
        head, *lines = said.splitlines()
        described[name] = (head.split(" "), [line.split("\t") for line in lines])
    return described


class Redis:
    """A redis-server; each option is a line of its configuration."""

    def __init__(self, directory, **options):
        self.directory = pathlib.Path(directory)
        self.socket = self.directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.data = self.directory / "data"
        self.data.mkdir()
        self.options = {"port": "0", "unixsocket": self.socket, "dir": self.data, "save": '""',
                        "logfile": self.directory / "log"} | options
        self.process = None

    def start(self):
        lines = [f"{name.replace('_', '-')} {value}\n" for name, value in self.options.items()]
        (self.directory / "redis.conf").write_text("".join(lines))
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "redis-server",
                                         self.directory / "redis.conf"])
        wait_until(lambda: self.call("PING") in ("PONG", "LOADING"), 10 * PACE, "redis-server answers")
        return self

    def call(self, *words):
        """What redis-cli prints; of an error the first word."""
        done = subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True, text=True)
        text = done.stdout.strip()
        return text.split()[0] if text.startswith(("LOADING", "ERR", "NOPERM")) else text

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


class Stack:
    def __init__(self, directory, command=(str(BUILD / "run"),), **variables):
        """`variables` are added to the environment; one that is None is left out."""
        self.state = pathlib.Path(directory) / "var"
        self.port = free_port()
        self.output = pathlib.Path(directory) / "output"
        inherited = {name: value for name, value in os.environ.items()
                     if not name.startswith(("CIOBRIDGE_", "MAKE", "MFLAGS")) and name not in ("VAR", "PORT", "BUILD")}
        wanted = inherited | {"VAR": str(self.state), "PORT": str(self.port)} | variables
        self.environment = {name: value for name, value in wanted.items() if value is not None}
        self.command = list(command)
        self.process = None

    def launch(self):
        # Should the tests be killed, this ends too.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *self.command], cwd=TOP,
                                        env=self.environment, stdin=subprocess.DEVNULL, stdout=self.output.open("w"),
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def start(self, path="/readyz"):
        self.launch()
        wait_until(lambda: self.is_well(path), READY_S, f"{path} is well")
        return self

    def is_well(self, path):
        assert self.process.poll() is None, f"it ended:\n{self.output.read_text()}"
        try:
            return self.get(path, key=None).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def refuses(self):
        """The exit status and the output of a start that fails."""
        self.launch()
        status = self.process.wait(READY_S)
        return status, self.output.read_text()

    def processes(self):
        return descendants(self.process.pid)

    def named(self, name):
        return [process for process in self.processes() if process.name == name]

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, holds it to its word, and returns the exit status and the time it took."""
        processes = self.processes()
        begin = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(END_S * 2)
        took = time.monotonic() - begin
        left = still_running(processes)
        assert not left, f"left behind: {left}"
        assert took < END_S
        return status, took

    def abandon(self):
        """However the test went, nothing stays."""
        if self.process and self.process.poll() is None:
            processes = self.processes()
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                pass
            for process in still_running([*processes, *self.processes()]):
                os.kill(process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()

    @property
    def root_key(self):
        return self.environment.get("CIOBRIDGE_ADMIN_TOKEN") or (self.state / "admin_token").read_text().strip()

    def request(self, method, path, body=None, headers=None, key="root", timeout_s=20):
        """`key`: "root", None for none, or a key. A body that is not bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if key:
            headers.setdefault("Authorization", f"Bearer {self.root_key if key == 'root' else key}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.request("PUT", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def raw(self, data, timeout_s=20):
        """What comes back for bytes that no HTTP client would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout_s) as connection:
            connection.sendall(data)
            answer = b""
            try:
                while part := connection.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass  # the web server has waited long enough for the rest of the request
            return answer

    def project(self):
        """A new project's slug."""
        slug = "t" + secrets.token_hex(6)
        answer = self.put(f"/settings/{slug}", {})
        assert answer.status == 201, answer
        return slug
