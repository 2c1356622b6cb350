"""README.md is true: its walk runs as it stands there, and shows every call. The Customer.io that it talks to is the
emulator, with an account that has the credentials of the page."""
import pathlib
import re
import subprocess

from stack import TOP, functions

README = (TOP / "README.md").read_text()
WALK_S = 60
END_OF_STEP = "\x1e"

# What no line of the README shows, and why.
NOT_SHOWN = {
    ("PATCH", "/settings/{project}"): "means the same as PUT",
    ("PATCH", "/settings/{project}/webhook"): "means the same as PUT",
    ("PATCH", "/settings/{project}/app"): "means the same as PUT",
    ("PATCH", "/settings/{project}/track"): "means the same as PUT",
    ("PATCH", "/settings/{project}/pipelines"): "means the same as PUT",
    ("GET", "/import/{project}/{id}/errors.csv"): "the answer to an upload has its address",
}

PEOPLE = [{"id": "1", "email": "pat@example.com", "unsubscribed": True}, {"id": "2", "unsubscribed": True},
          {"id": "3", "email": "quinn@example.com", "cio_subscription_preferences": {"topics": {"topic_9": False}}}]


def steps():
    """(commands, what they print) of every sh block: the lines up to a comment, and the comment. None: not said."""
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S):
        for commands, comments in re.findall(r"((?:^(?!# ).*\n)+)((?:^# .*\n)*)", block, re.M):
            yield commands, re.sub(r"^# ", "", comments, flags=re.M).strip() or None


def fits(output, expected):
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, output.strip(), re.S)


def script(service):
    """One session, as it would be pasted: it ends at the first command that fails."""
    lines = ["set -e -o pipefail", 'curl() { command curl -sS --fail-with-body --max-time 20 "$@"; }']
    for commands, _ in steps():
        lines += [commands, f"printf '{END_OF_STEP}'"]
    text = "\n".join(lines)
    assert "localhost:8080" in text and "var/" in text
    return text.replace("localhost:8080", f"127.0.0.1:{service.port}").replace("var/", f"{service.state}/")


def test_walk(new_stack, customerio, tmp_path):
    customerio.account(region="eu", app_key="an-app-api-key", site_id="a-site-id", track_key="a-track-api-key",
                       pipelines_key="a-write-key", export={"polls": 2},
                       topics=[{"id": 7, "name": "Offers"}, {"id": 9, "name": "News"}], people=PEOPLE)
    service = new_stack(**customerio.variables()).start()
    done = subprocess.run(["bash", "-c", script(service)], cwd=tmp_path, capture_output=True, text=True,
                          timeout=WALK_S)
    *outputs, rest = done.stdout.split(END_OF_STEP)
    wanted = list(steps())
    lies = [f"{commands}printed {output.strip()}\ninstead of {expected}"
            for (commands, expected), output in zip(wanted, outputs) if expected and not fits(output, expected)]
    assert not lies, "\n\n".join(lies)
    assert done.returncode == 0, f"{wanted[len(outputs)][0]}ended with {done.returncode}: {rest}{done.stderr}"
    assert len(outputs) == len(wanted) > 10
    assert not list(pathlib.Path(tmp_path).iterdir()), "it cleans up behind itself"


def calls():
    """(method, path) of every curl in the README."""
    for method, path, rest in re.findall(r'curl (?:-X (\w+) )?"\$BASE([^"?]*)([^\n]*)', README):
        yield method or ("POST" if "--json" in rest else "GET"), path


def test_every_call_is_shown():
    shown, missing = list(calls()), []
    for _, lines in functions().values():
        for method, path, *_ in lines:
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            found = any(called == method and re.fullmatch(pattern, at) for called, at in shown)
            if found == ((method, path) in NOT_SHOWN):
                missing.append(f"{method} {path}: " + ("shown, and listed as not shown" if found else "not shown"))
    assert not missing


def test_comparison_notices():
    assert fits('{"a":1,"b":[2]}\n', '{"a":…,"b":[2]}') and fits("# HELP x\ny", "# HELP …")
    assert not fits('{"a":1}', '{"a":2}') and not fits('{"a":1}', '{"a":1,…}') and not fits("x{}", "{}")
