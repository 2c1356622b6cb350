"""Customer.io's own clients, unmodified, against the emulator: each method is a test. The scripts are *.mjs here; make
has installed the clients in the build directory."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from customerio import Emulator  # noqa: E402
from stack import BUILD  # noqa: E402

SCRIPTS = ["track", "app", "pipelines", "cdp_analytics", "retries", "webhooks"]
LIMIT_S = 120


def node(script, argument):
    """The lines that a script prints."""
    variables = os.environ | {"CIOBRIDGE_TEST_CLIENTS": str(BUILD / "clients"), "NODE_NO_WARNINGS": "1"}
    done = subprocess.run(["node", HERE / f"{script}.mjs", argument], env=variables, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


CASES = [(script, name) for script in SCRIPTS for name in node(script, "--list")[0]]


@pytest.fixture(scope="session")
def results():
    """(script, name) -> what went wrong; each script runs once, when its first case is asked for."""
    found, ran = {}, set()
    with Emulator() as cio:
        urls = json.dumps({"control": cio.control, "us": cio.us, "eu": cio.eu})

        def result(script, name):
            if script not in ran:
                ran.add(script)
                cio.reset()
                found.update({(script, line["name"]): line["error"] for line in node(script, urls)})
            return found.get((script, name), "the script ended before it")

        yield result


@pytest.mark.parametrize("script, name", CASES, ids=[f"{script}-{name}" for script, name in CASES])
def test_client(results, script, name):
    error = results(script, name)
    assert error is None, error
