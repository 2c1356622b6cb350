#!/usr/bin/python3
"""Measures ciobridge against its goals, and against others that do the same on this machine at the same time.

    make bench            BENCH_SECONDS (3) a measurement, BENCH_ROUNDS (5), BENCH_ROWS (200000) a CSV file

Whoever is compared is measured in turn, round after round. Every Redis writes with appendfsync always. Ends with 0 when
everything could be measured, whatever the figures are.
"""
import contextlib
import hmac
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import peers
from peers import BUILD, SECRET, Load
from report import Report, print_machine
from stack import Redis, Stack

import fastcgi

SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ROWS = int(os.environ.get("BENCH_ROWS", "200000"))
CONNECTIONS = 16
RATE_MAXIMUM = 20000  # requests of a file a second; whoever is faster starts again with the first
BATCH = 10000
CHOICES = 200000
STARTS = 20
UPLOAD_LIMIT_S = 600
CATEGORY = "news"


def write_requests(path, requests):
    with path.open("wb") as file:
        for request in requests:
            file.write(b"%d\n%b" % (len(request), request))
    return path


def http_request(method, path, body=b"", **headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def webhooks(project, count):
    """Signed events, each about a person of its own."""
    at, round_name = int(time.time()), secrets.token_hex(4)
    for number in range(count):
        event = {"event_id": f"01{round_name}{number:016x}", "object_type": "email", "metric": "unsubscribed",
                 "timestamp": at, "data": {"customer_id": f"{number}", "email_address": address(round_name, number),
                                           "identifiers": {"id": f"{number}", "cio_id": f"d9c106000{number:07x}"},
                                           "broadcast_id": 12, "subject": "What is new this month"}}
        body = json.dumps(event).encode()
        signature = hmac.digest(SECRET.encode(), b"v0:%d:%b" % (at, body), "sha256").hex()
        yield http_request("POST", f"/webhook/{project}", body, Content_Type="application/json",
                           X_CIO_Timestamp=at, X_CIO_Signature=signature)


def address(group, number):
    return f"person.{number}@{group}.example.com"


class Bench:
    def __init__(self, directory, stack, report):
        self.directory, self.stack, self.report = directory, stack, report
        self.project = stack.project()
        stack.put(f"/settings/{self.project}/webhook", {"signing_secret": SECRET, "enabled": True})
        stack.post(f"/optouts/{self.project}/categories", {"key": CATEGORY, "name": "News"})
        self.key = stack.post(f"/settings/{self.project}/keys", {"role": "read", "label": "bench"}).json()["key"]

    def file(self, name):
        return self.directory / name

    def redis(self, *words):
        command = ["redis-cli", "-s", peers.sockets_of(self.stack) / "redis.sock", *words]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout.strip()

    def bearer(self):
        return {"Authorization": f"Bearer {self.key}"}

    def rounds(self, contestants):
        """name -> figures, from one measurement of each contestant in every round."""
        figures = {name: [] for name in contestants}
        for _ in range(ROUNDS):
            for name, measure in contestants.items():
                figures[name].append(measure())
        return figures


def check_paths(bench):
    for number in range(0, CHOICES * 2, 20):
        identifier = address("choice", number).replace("@", "%40")
        yield f"/optouts/{bench.project}/check?identifier={identifier}&category={CATEGORY}"


def write_checks(bench):
    return write_requests(bench.file("checks"), [http_request("GET", path, **bench.bearer())
                                                 for path in check_paths(bench)])


def worker_memory(bench, functions=("webhook", "optouts", "csv_upload")):
    """KiB that no other process shares, of each worker of these functions."""
    found = []
    processes = bench.stack.processes()
    names = {process.pid: process.name for process in processes}
    for process in processes:
        if process.name not in functions or names.get(process.parent) != process.name:
            continue
        text = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        found.append(sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")))
    return found


def measure_memory(bench, when, **goal):
    found = worker_memory(bench)
    bench.report.figure(f"private memory of {len(found)} idle workers, {when}", found, "KiB", **goal)
    bench.report.figure("  the largest of them", [max(found)], "KiB", **goal)


def start_and_ask(bench, number):
    """ms from starting the executable on a socket that holds a request already to the end of its answer."""
    path = str(bench.file(f"start{number}.sock"))
    request = fastcgi.head("GET", f"/optouts/{bench.project}/check?identifier=a%40example.com",
                           HTTP_AUTHORIZATION=f"Bearer {bench.key}", CONTENT_LENGTH="") + fastcgi.body(b"")
    variables = bench.stack.environment | {
        "CIOBRIDGE_REDIS_URL": f"unix://{peers.sockets_of(bench.stack)}/redis.sock"}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with fastcgi.Connection(f"unix:{path}") as connection:
            connection.send(request)
            begin = time.perf_counter()
            child = subprocess.Popen([BUILD / "optouts"], stdin=listener, env=variables)
            try:
                assert connection.read_answer().status == 200
                return (time.perf_counter() - begin) * 1000
            finally:
                child.terminate()
                child.wait()


def measure_start(bench):
    bench.report.figure("from exec to the first answer, Redis asked", [start_and_ask(bench, n) for n in range(STARTS)],
                        "ms", at_most=10)


def opt_out(bench, first):
    entries = [{"identifier": address("choice", 2 * number)} for number in range(first, first + BATCH)]
    answer = bench.stack.post(f"/optouts/{bench.project}/bulk", {"category": CATEGORY, "opt_outs": entries})
    assert answer.status == 200 and answer.json()["opted_out"] == BATCH, answer


def memory_of_keys(bench, pattern):
    keys = bench.redis("--scan", "--pattern", pattern).split()
    return sum(int(bench.redis("MEMORY", "USAGE", key, "SAMPLES", "0")) for key in keys)


def measure_redis_memory(bench):
    def used():
        return int(dict(line.split(":", 1) for line in bench.redis("INFO", "memory").splitlines()
                        if ":" in line)["used_memory"])

    before, begin = used(), time.monotonic()
    for first in range(0, CHOICES, BATCH):
        opt_out(bench, first)
    took, project = time.monotonic() - begin, f"cb:{{{bench.project}:*}}"
    bench.report.figure("Redis memory, a choice with its audit entry", [(used() - before) / CHOICES], "B", at_most=270)
    for name, part, goal in (("a choice", f"optouts:{CATEGORY}", 140), ("an audit entry", "audit", 130)):
        bench.report.figure(f"Redis memory, {name}", [memory_of_keys(bench, f"{project}:{part}") / CHOICES], "B",
                            at_most=goal)
    bench.report.figure("choices recorded by bulk, one client", [CHOICES / took], "/s")


def measure_webhooks(bench, nothing_port):
    requests = bench.file("webhooks")

    def new_webhooks():
        write_requests(requests, webhooks(bench.project, RATE_MAXIMUM * SECONDS))
        return load(bench.stack.port)()

    def load(port):
        return lambda: Load(port, requests, SECONDS, CONNECTIONS).rate

    directory = bench.file("node-redis")
    directory.mkdir()
    redis = Redis(directory, appendonly="yes", appendfsync="always")
    try:
        redis.start()
        with peers.node(bench.stack, bench.directory, redis) as (direct, behind):
            write_requests(requests, webhooks(bench.project, RATE_MAXIMUM))
            for port in (direct, behind, bench.stack.port):
                Load(port, requests, 2, CONNECTIONS)  # Node compiles what runs often
            figures = bench.rounds({"ciobridge": new_webhooks, "Node behind the same nginx": load(behind),
                                    "Node by itself, no nginx": load(direct), "nothing": load(nothing_port)})
    finally:
        redis.stop()
    for name, values in figures.items():
        bench.report.figure(f"webhooks, {name}", values, "/s")
    ours = figures["ciobridge"]
    bench.report.ratio("webhooks: ciobridge to Node behind the same nginx", ours,
                       figures["Node behind the same nginx"], at_least=5)
    bench.report.ratio("webhooks: ciobridge behind nginx to Node without it", ours,
                       figures["Node by itself, no nginx"])
    bench.report.ratio("webhooks: ciobridge to the program that does nothing", ours, figures["nothing"], at_least=0.5)


def measure_checks(bench, nothing_port):
    requests = write_checks(bench)
    figures = bench.rounds({name: lambda port=port: Load(port, requests, SECONDS, CONNECTIONS).rate
                            for name, port in (("ciobridge", bench.stack.port), ("nothing", nothing_port))})
    for name, values in figures.items():
        bench.report.figure(f"single checks, {name}", values, "/s")
    bench.report.ratio("single checks: ciobridge to the program that does nothing", figures["ciobridge"],
                       figures["nothing"], at_least=0.7)


def measure_batches(bench):
    def batch(first):
        identifiers = [address("choice", number) for number in range(first, first + BATCH)]
        return http_request("POST", f"/optouts/{bench.project}/check",
                            json.dumps({"category": CATEGORY, "identifiers": identifiers}).encode(),
                            Content_Type="application/json", **bench.bearer())

    requests = write_requests(bench.file("batches"), map(batch, range(0, 2 * CHOICES, BATCH)))
    rates = [Load(bench.stack.port, requests, SECONDS, 4).rate * BATCH for _ in range(ROUNDS)]
    bench.report.figure("checks in batches of 10,000", rates, "/s", at_least=500000)


def rows():
    """Of an export of Customer.io, each about a person of its own."""
    group = secrets.token_hex(4)
    for number in range(ROWS):
        topics = {"topics": {"topic_1": number % 2 == 0, "topic_2": True}}
        yield {"id": f"{group}{number}", "email": address(group, number),
               "unsubscribed": "true" if number % 10 == 0 else "false",
               "cio_subscription_preferences": json.dumps(topics)}


def write_csv(path, table):
    with path.open("w") as file:
        file.write("id,email,unsubscribed,cio_subscription_preferences\n")
        for row in table:
            preferences = row["cio_subscription_preferences"].replace('"', '""')
            file.write(f'{row["id"]},{row["email"]},{row["unsubscribed"]},"{preferences}"\n')


def write_pipe(path, table):
    """The same for redis-cli --pipe: one HSET a row."""
    with path.open("wb") as file:
        for row in table:
            words = ["HSET", f"customer:{row['id']}", *(word for pair in row.items() for word in pair)]
            text = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            file.write(f"*{len(words)}\r\n{text}".encode())


def upload(bench, path):
    """Rows a second, from the first byte sent to the end of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.stack.port, timeout=UPLOAD_LIMIT_S, blocksize=1 << 18)
    headers = {"Authorization": f"Bearer {bench.stack.root_key}", "Content-Type": "text/csv",
               "Content-Length": str(path.stat().st_size)}
    begin = time.monotonic()
    with contextlib.closing(connection), path.open("rb") as file:
        connection.request("POST", f"/csv-upload/{bench.project}", file, headers)
        response = connection.getresponse()
        text = response.read()
    took = time.monotonic() - begin
    result = json.loads(text)
    assert response.status == 200 and result["total_rows"] == ROWS and result["parse_errors"] == 0, text
    return ROWS / took


def pipe(redis, path):
    begin = time.monotonic()
    with path.open("rb") as file:
        done = subprocess.run(["redis-cli", "-s", redis.socket, "--pipe"], stdin=file, capture_output=True, text=True,
                              timeout=UPLOAD_LIMIT_S)
    took = time.monotonic() - begin
    assert f"errors: 0, replies: {ROWS}" in done.stdout, done.stdout + done.stderr
    return ROWS / took


def measure_csv(bench):
    table, protocol, directory = bench.file("rows.csv"), bench.file("rows.pipe"), bench.file("pipe-redis")
    directory.mkdir()
    redis = Redis(directory, appendonly="yes", appendfsync="always")

    def new_rows():
        written = list(rows())
        write_csv(table, written)
        write_pipe(protocol, written)
        return upload(bench, table)

    try:
        redis.start()
        figures = bench.rounds({"ciobridge": new_rows, "redis-cli --pipe": lambda: pipe(redis, protocol)})
    finally:
        redis.stop()
    for name, values in figures.items():
        bench.report.figure(f"CSV rows, {name}", values, "/s")
    bench.report.ratio("CSV rows: ciobridge over HTTP to redis-cli --pipe", figures["ciobridge"],
                       figures["redis-cli --pipe"], at_least=1)


def checks_during_an_import(bench, requests):
    table, over, faults = bench.file("rows.csv"), threading.Event(), []
    write_csv(table, rows())

    def work():
        try:
            while not over.is_set():
                upload(bench, table)
        except Exception as fault:  # noqa: BLE001: it belongs to the thread that waits
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return Load(bench.stack.port, requests, SECONDS, CONNECTIONS).p99_ms
    finally:
        over.set()
        thread.join()
        if faults:
            raise faults[0]


def measure_latency(bench):
    requests = write_checks(bench)
    figures = bench.rounds({"nothing else happens": lambda: Load(bench.stack.port, requests, SECONDS,
                                                                 CONNECTIONS).p99_ms,
                            "a CSV import runs": lambda: checks_during_an_import(bench, requests)})
    alone, during = figures.values()
    bench.report.figure("99th percentile of single checks while nothing else happens", alone, "ms")
    bench.report.figure("99th percentile of single checks while a CSV import runs", during, "ms", at_most=20)


def measure(bench):
    report = bench.report
    report.title("What a process costs")
    measure_memory(bench, "just started", at_most=1024)
    measure_start(bench)
    report.title(f"{CHOICES:,} choices")
    measure_redis_memory(bench)
    report.title(f"Requests: wrk, {CONNECTIONS} connections, {SECONDS} s, {ROUNDS} rounds in turn")
    with peers.nothing(bench.stack, bench.directory) as nothing_port:
        measure_webhooks(bench, nothing_port)
        measure_checks(bench, nothing_port)
    measure_batches(bench)
    report.title(f"Uploads: {ROWS:,} rows, {ROUNDS} rounds in turn")
    if (BUILD / "csv_upload").exists():
        measure_csv(bench)
        measure_latency(bench)
    else:
        print("  csv_upload is not there: not measured")
    report.title("After all that")
    measure_memory(bench, "as the load has left it")


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    print_machine()
    with tempfile.TemporaryDirectory(prefix="ciobridge-bench-") as name:
        directory, report = pathlib.Path(name), Report()
        stack = Stack(directory, CIOBRIDGE_ADMIN_TOKEN=secrets.token_urlsafe(32),
                      CIOBRIDGE_MASTER_KEY=secrets.token_urlsafe(32))
        try:
            measure(Bench(directory, stack.start(), report))
            stack.stop()
        finally:
            stack.abandon()
        report.end()


if __name__ == "__main__":
    main()
