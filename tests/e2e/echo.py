"""Starts the test function `echo` (programs/echo.c), and waits for what it does."""
import array
import fcntl
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import termios
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("CIOBRIDGE_TEST_BUILD", TOP / "build")) / "tests/e2e/echo"
LIMIT_S = 30
MASTER_KEY = "a master key of the tests, 32 or more"


def environment(directory, **more):
    """That of this process without its settings; nobody listens at the Redis URL."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CIOBRIDGE_")}
    return inherited | {
        "CIOBRIDGE_MASTER_KEY": MASTER_KEY,
        "CIOBRIDGE_REDIS_URL": f"unix://{directory}/nobody.sock",
        "CIOBRIDGE_LOG_LEVEL": "debug",
    } | more


def run(directory, *arguments, variables=None, **options):
    """Runs the program to its end."""
    return subprocess.run([PROGRAM, *arguments], env=environment(directory) if variables is None else variables,
                          capture_output=True, timeout=LIMIT_S, **{"stdin": subprocess.DEVNULL} | options)


def wait_until(condition, what, limit_s=LIMIT_S):
    """For what gives no event to wait for."""
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, f"not within {limit_s} s: {what}"
        time.sleep(0.005)


def wait_for_end(pid, limit_s=LIMIT_S):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], limit_s)[0], f"{pid} still runs after {limit_s} s"
    finally:
        os.close(descriptor)


def wait_until_read(connection):
    """Until the peer has taken everything that was sent on a Unix socket."""
    def unread():
        count = array.array("i", [0])
        fcntl.ioctl(connection.socket, termios.TIOCOUTQ, count)
        return count[0]
    wait_until(lambda: unread() == 0, "the peer reads")


class Echo:
    """The program on a listener that it gets as descriptor 0, so that nobody has to wait until it listens."""

    def __init__(self, directory, *arguments, tcp=False, listen=None, **variables):
        self.directory = directory
        self.log_path = directory / "log"
        self.listener = None
        if listen:
            self.address = listen
            arguments = ["--listen", listen, *arguments]
        else:
            self.listener = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
            self.listener.bind(("127.0.0.1", 0) if tcp else str(directory / "listener.sock"))
            self.listener.listen(1024)
            name = self.listener.getsockname()
            self.address = f"127.0.0.1:{name[1]}" if tcp else f"unix:{name}"
        with open(self.log_path, "ab") as log:
            # The kernel ends it when this process dies, however it dies.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", PROGRAM, *arguments], stderr=log,
                                            stdin=self.listener or subprocess.DEVNULL,
                                            env=environment(directory, **variables))
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        workers = self.workers()
        self.process.kill()
        self.process.wait()
        for worker in workers:
            wait_for_end(worker)
        if self.listener:
            self.listener.close()

    def workers(self):
        try:
            text = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [int(pid) for pid in text.split()]

    def wait_for_workers(self, count, limit_s=LIMIT_S):
        wait_until(lambda: len(self.workers()) == count, f"{count} workers", limit_s)
        return self.workers()

    def terminate(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, limit_s=LIMIT_S):
        """The exit status."""
        return self.process.wait(limit_s)

    def stop(self):
        self.terminate()
        return self.wait()

    def log(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def requests(self):
        return [line for line in self.log() if line["message"] == "request"]
