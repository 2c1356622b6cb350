"""`make run`: what is started, what survives, what is left."""
import os
import pathlib
import signal
import socket
import stat
import subprocess
import threading

import pytest

from stack import BUILD, END_S, PACE, Stack, descendants, functions, still_running, wait_until

RESTART_S = 1 * PACE
ANSWER_S = 2 * PACE
FUNCTIONS = functions()


def path_of(name):
    """A path that the function answers for, with any status of its own; of a worker, one that does not need it."""
    prefix = FUNCTIONS[name][0][3].split(",")[-1]
    return prefix if prefix != "-" else "/healthz"


def answers(service, path):
    try:
        return service.get(path, key=None, timeout_s=5).status < 500
    except OSError:
        return False


def split(service, name):
    """The first process of that name, and its children of that name."""
    processes = service.named(name)
    pids = {process.pid for process in processes}
    masters = [process for process in processes if process.parent not in pids]
    assert len(masters) == 1, processes
    return masters[0], [process for process in processes if process.parent in pids]


def test_processes_are_named_and_descend(own_stack):
    for name, (head, _) in FUNCTIONS.items():
        master, workers = split(own_stack, name)
        assert master.parent == own_stack.process.pid
        assert len(workers) == int(head[4])
    assert split(own_stack, "nginx")[0].parent == own_stack.process.pid
    assert split(own_stack, "redis-server")[0].parent == own_stack.process.pid
    known = {*FUNCTIONS, "nginx", "redis-server", "run"}
    assert {process.name for process in own_stack.processes()} == known


def kill_and_wait(service, name, victim, path):
    count = len(service.named(name))
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: answers(service, path), ANSWER_S, f"{path} answers again")
    wait_until(lambda: len([process for process in service.named(name) if process != victim]) == count, RESTART_S,
               f"{name} is complete again")
    assert not still_running([victim])


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_function_comes_back(own_stack, name):
    # Nothing has asked a worker of queues yet, so its workers may still be starting.
    wait_until(lambda: len(split(own_stack, name)[1]) == int(FUNCTIONS[name][0][4]), RESTART_S, f"{name} is complete")
    _, workers = split(own_stack, name)
    kill_and_wait(own_stack, name, workers[0], path_of(name))
    master, workers = split(own_stack, name)
    kill_and_wait(own_stack, name, master, path_of(name))
    assert not still_running(workers)
    assert split(own_stack, name)[0] != master


def test_nginx_comes_back(own_stack):
    master, workers = split(own_stack, "nginx")
    kill_and_wait(own_stack, "nginx", workers[0], "/healthz")
    master, workers = split(own_stack, "nginx")
    kill_and_wait(own_stack, "nginx", master, "/healthz")
    assert not still_running(workers)


def test_redis_comes_back_with_everything(own_stack):
    slug = own_stack.project()
    kill_and_wait(own_stack, "redis-server", own_stack.named("redis-server")[0], "/readyz")
    wait_until(lambda: own_stack.get(f"/settings/{slug}").status == 200, ANSWER_S, "the project is there")


def test_whatever_dies_twice_comes_back_twice(own_stack):
    for _ in range(3):
        master, _ = split(own_stack, "status")
        kill_and_wait(own_stack, "status", master, "/readyz")


def test_nobody_is_refused_while_processes_die(own_stack):
    """Sockets outlive processes; what a dying worker had in hand is answered 503 or by another one."""
    seen, stop = set(), threading.Event()

    def ask():
        while not stop.is_set():
            try:
                seen.add(own_stack.get("/healthz", key=None).status)
            except ConnectionRefusedError:
                seen.add("refused")
            except OSError:
                pass  # the connection was one of a killed nginx

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            for name in ("status", "nginx"):
                master, workers = split(own_stack, name)
                kill_and_wait(own_stack, name, workers[0], "/healthz")
                kill_and_wait(own_stack, name, split(own_stack, name)[0], "/healthz")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert 200 in seen
    assert seen <= {200, 503}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_everything(own_stack, number):
    status, _ = own_stack.stop(number)
    assert status == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", own_stack.port), 1)
    assert list((own_stack.state / "run").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_make_run_ends_with_make(new_stack, number):
    """make itself passes SIGTERM on, but neither SIGINT nor its own death."""
    service = new_stack(command=["make", "run", f"BUILD={BUILD}"])
    service.start()
    processes = service.processes()
    assert "run" in {process.name for process in processes}
    service.process.send_signal(number)
    service.process.wait(END_S)
    wait_until(lambda: not still_running(processes), END_S, "everything has ended")


def test_make_killed_at_once_leaves_nothing(new_stack):
    """Before everything answers, when nobody has looked at make yet."""
    service = new_stack(command=["make", "run", f"BUILD={BUILD}"])
    service.launch()
    found, _ = wait_until(lambda: [p for p in service.processes() if p.name == "run"], END_S, "run was started")
    service.process.kill()
    service.process.wait(END_S)
    wait_until(lambda: not still_running(found), END_S, "run has ended")


@pytest.mark.parametrize("argument, word", [("--with-make", "make has gone"), ("--port=1", "PORT")])
def test_arguments(new_stack, argument, word):
    """What make starts finds another parent when make was killed before it could look."""
    status, said = new_stack(command=[str(BUILD / "run"), argument]).refuses()
    assert status == 1 and word in said


def test_nothing_outlives_a_killed_run(new_stack, tmp_path):
    service = new_stack(directory=tmp_path).start()
    slug = service.project()
    processes = service.processes()
    service.process.kill()
    service.process.wait()
    wait_until(lambda: not still_running(processes), END_S, "everything has ended")

    again = new_stack(directory=tmp_path).start()
    assert again.get(f"/settings/{slug}").status == 200


def test_worker_leaves_when_its_master_is_gone(tmp_path):
    environment = {"CIOBRIDGE_MASTER_KEY": "k" * 32, "PATH": os.environ["PATH"]}
    master = subprocess.Popen([BUILD / "status", "--listen", f"unix:{tmp_path}/s.sock", "--workers", "3"],
                              env=environment, stderr=subprocess.DEVNULL)
    try:
        workers, _ = wait_until(lambda: len(found := descendants(master.pid)) == 3 and found, 5 * PACE, "three workers")
    finally:
        master.kill()
        master.wait()
    wait_until(lambda: not still_running(workers), 5 * PACE, "the workers have left")


def test_two_runs_side_by_side(own_stack, new_stack):
    other = new_stack().start()
    assert other.root_key != own_stack.root_key
    slug = own_stack.project()
    assert own_stack.get(f"/settings/{slug}").status == 200
    assert other.get(f"/settings/{slug}").status == 404
    assert other.get("/settings", key=own_stack.root_key).status == 401
    other.stop()
    assert own_stack.get("/readyz").status == 200


def test_second_run_on_the_same_state_is_refused(new_stack, tmp_path):
    first = new_stack(directory=tmp_path).start()
    status, said = Stack(tmp_path).refuses()
    assert status == 1 and "another run uses" in said
    assert first.get("/readyz").status == 200


def test_taken_port_is_named(own_stack, new_stack):
    status, said = new_stack(PORT=str(own_stack.port)).refuses()
    assert status == 1 and f"127.0.0.1:{own_stack.port}" in said and "PORT" in said


@pytest.mark.parametrize("variables, word", [
    ({"PORT": "0"}, "PORT"),
    ({"PORT": "65536"}, "PORT"),
    ({"PORT": "http"}, "PORT"),
    ({"CIOBRIDGE_PUBLIC_ULR": "http://x.example"}, "CIOBRIDGE_PUBLIC_URL"),
    ({"CIOBRIDGE_LOG_LEVEL": "loud"}, "CIOBRIDGE_LOG_LEVEL"),
    ({"CIOBRIDGE_MASTER_KEY": "short"}, "CIOBRIDGE_MASTER_KEY"),
    ({"CIOBRIDGE_TRUSTED_PROXIES": "::::"}, "nginx"),
    ({"VAR": "/dev/null/var"}, "/dev/null"),
    ({"VAR": "quote\"; x"}, "VAR"),
])
def test_faults_are_named_at_start(new_stack, tmp_path, variables, word):
    if "VAR" in variables:
        variables = {"VAR": str(tmp_path / variables["VAR"])}
    status, said = new_stack(**variables).refuses()
    assert status == 1 and word in said


def test_secrets_are_made_once_and_kept(new_stack, tmp_path):
    service = new_stack(directory=tmp_path).start()
    wait_until(lambda: "admin_token" in service.output.read_text(), 5, "it says where the root key is")
    assert f"http://127.0.0.1:{service.port}/console/" in service.output.read_text()
    assert stat.S_IMODE(service.state.stat().st_mode) == 0o700
    kept = {}
    for name in ("admin_token", "master_key"):
        assert stat.S_IMODE((service.state / name).stat().st_mode) == 0o600
        kept[name] = (service.state / name).read_text()
        assert len(kept[name]) >= 43
    assert service.root_key not in service.output.read_text()
    service.stop()
    again = new_stack(directory=tmp_path).start()
    assert {name: (again.state / name).read_text() for name in kept} == kept


def test_secrets_of_the_environment_are_taken(new_stack, tmp_path):
    (tmp_path / "key").write_text("m" * 40 + "\n")
    service = new_stack(CIOBRIDGE_ADMIN_TOKEN="root-key-of-a-test", CIOBRIDGE_MASTER_KEY_FILE=str(tmp_path / "key"))
    service.start()
    assert service.get("/settings", key="root-key-of-a-test").status == 200
    assert not (service.state / "admin_token").exists() and not (service.state / "master_key").exists()
    assert "admin_token" not in service.output.read_text()


def test_state_directory_has_two_names(new_stack, tmp_path):
    service = new_stack(VAR=None, CIOBRIDGE_STATE_DIR=str(tmp_path / "var"), directory=tmp_path)
    service.start()
    assert (tmp_path / "var/redis.conf").exists()


def test_long_state_path(new_stack, tmp_path):
    """A socket's name holds 107 bytes; beyond that the sockets live in /tmp for a while."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    service = new_stack(directory=deep).start()
    assert service.get("/settings").status == 200
    sockets = pathlib.Path((service.state / "redis.conf").read_text().split('unixsocket "')[1].split('"')[0]).parent
    assert sockets.parent == pathlib.Path("/tmp") and sockets.exists()
    service.stop()
    assert not sockets.exists()


def test_state_path_with_a_space(new_stack, tmp_path):
    directory = tmp_path / "with a space"
    directory.mkdir()
    service = new_stack(directory=directory).start()
    assert service.get("/settings").status == 200


def test_redis_of_the_environment_is_used(new_stack, own_stack):
    slug = own_stack.project()
    url = f"unix://{own_stack.state}/run/redis.sock"
    other = new_stack(CIOBRIDGE_REDIS_URL=url).start()
    assert other.named("redis-server") == []
    assert other.get(f"/settings/{slug}").status == 200


def test_public_url_follows_the_port(own_stack):
    slug = own_stack.project()
    assert own_stack.get(f"/settings/{slug}").json()["webhook"]["url"].startswith(
        f"http://localhost:{own_stack.port}/webhook/")
