"""Each rule of lint.py is broken on purpose in a copy of the tree, and has to notice."""
import pathlib
import shutil
import subprocess
import sys

import pytest

from lint import RULES

TOP = pathlib.Path(__file__).resolve().parents[2]

LONG_FUNCTION = "// Long.\nstatic int long_one(int n)\n{\n" + "\tn++;\n" * 50 + "\treturn n;\n}\n"
LONG_FILE = "// Long.\n" + "extern int n;\n" * 440

# rule, file that is added or appended to, what is written there, what lint has to say
BREAKS = [
    ("layers", "common/base/probe.c", '#include "io/store.h"\n', "base must not know io"),
    ("layers", "common/consent/probe.c", '#include "customerio/lookup.h"\n', "consent must not know customerio"),
    ("layers", "common/customerio/probe.c", '#include "consent/choice.h"\n', "customerio must not know consent"),
    ("layers", "common/project/probe.c", '#include "edge/problem.h"\n', "project must not know edge"),
    ("layers", "common/base/probe.c", '#include "slice.h"\n', "to be named with its layer"),
    ("layers", "common/drawer/probe.c", "\n", "drawer is no layer"),
    ("layers", "functions/probe.c", '#include "../common/base/slice.h"\n', "leaves its folder"),
    ("layers", "functions/probe.c", '#include "webhook/webhook.h"\n', "webhook is no layer"),
    ("third_party", "common/io/probe.c", "#include <hiredis/hiredis.h>\n", "hiredis has another door"),
    ("third_party", "common/io/probe.c", "#include <jansson.h>\n", "jansson has another door"),
    ("third_party", "common/io/probe.c", "#include <openssl/evp.h>\n", "OpenSSL has another door"),
    ("third_party", "common/base/slice.h", "#include <openssl/evp.h>\n", "OpenSSL is for one .c"),
    ("third_party", "functions/probe.c", "#include <fcgiapp.h>\n", "libfcgi is for one .c"),
    ("banned", "common/base/probe.c", "\tstrcpy(a, b);\n", "strcpy is banned"),
    ("banned", "tests/unit/base/probe.c", "\tn = atoi (a);\n", "atoi is banned"),
    ("banned", "common/codec/probe.c", "\tn = strtol(a, NULL, 10);\n", "slice_to_integer"),
    ("banned", "common/edge/probe.c", '\ta = getenv("HOME");\n', "codec/config"),
    ("functions_folder", "functions/probe.c", "\tfree(a);\n", "free belongs into common/"),
    ("functions_folder", "functions/probe.c", "\tsignal(SIGTERM, stop);\n", "signal belongs into common/"),
    ("functions_folder", "functions/probe.c", "\tFCGX_Init();\n", "FCGX belongs into common/"),
    ("functions_folder", "functions/probe.c", LONG_FILE, "more than 200 lines"),
    ("lengths", "common/base/probe.c", LONG_FUNCTION, "long_one has 54 lines"),
    ("lengths", "tests/unit/base/probe.c", LONG_FUNCTION, "long_one has 54 lines"),
    ("lengths", "common/base/probe.c", LONG_FILE, "more than 440 lines"),
    ("layout", "common/base/probe.c", "// " + "long " * 24 + "\n", "more than 120 columns"),
    ("layout", "common/base/probe.c", "\t" * 15 + "return;\n", "more than 120 columns"),
    ("layout", "common/base/probe.c", "int a; \n", "space at the end"),
    ("layout", "common/base/probe.c", "{\n    return;\n", "indentation is by tabs"),
    ("layout", "common/base/probe.c", "  \treturn;\n", "indentation is by tabs"),
    ("layout", "common/base/probe.c", "int a;", "ends with one line end"),
    ("layout", "tests/emulator/probe.mjs", "// " + "long " * 24 + "\n", "more than 120 columns"),
    ("layout", "tests/emulator/probe.mjs", "{\n    return;\n", "indentation is by tabs"),
    ("words", "common/base/probe.c", "// TO" + "DO: later\n", "left for later"),
    ("words", "common/base/probe.c", "// --------\n", "decorative separator"),
    ("words", "deploy/probe", "cd /ho" + "me/somebody/ciobridge\n", "path of one machine"),
    ("purpose", "functions/probe.c", "int a;\n", "begins with a comment"),
    ("purpose", "tests/emulator/probe.mjs", "export const a = 1;\n", "begins with a comment"),
    ("contracts", "common/base/probe.h", "// P.\n\nint add(int a,\n        int b);\n", "function without a comment"),
    ("headers", "common/base/probe.h", "// Probe.\nsize_t probe(void);\n", "does not compile alone"),
    ("settings", "common/base/probe.c", '\t"CIOBRIDGE_COLOUR"\n', "CIOBRIDGE_COLOUR is no setting"),
    ("settings", "README.md", "| `CIOBRIDGE_PUBLIC_URL` | `http://elsewhere` |\n", "not what --config-table prints"),
]

# The one executable of the copy: what it prints is the table of settings.
TABLE = "#!/bin/sh\necho '| `CIOBRIDGE_PUBLIC_URL` | `http://localhost` |'\n"


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    top = tmp_path_factory.mktemp("lint") / "tree"
    shutil.copytree(TOP / "common", top / "common")
    subprocess.run(["git", "init", "-q", top], check=True)
    return top


def lint(top, rule):
    command = [sys.executable, TOP / "tests/lint/lint.py", "--top", top, "--build", top / ".git/build", rule]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def says(output, path, message):
    return any(line.startswith(path + ":") and message in line for line in output.splitlines())


@pytest.mark.parametrize("rule, path, text, message", BREAKS, ids=[f"{rule}-{message}" for rule, *_, message in BREAKS])
def test_rule_notices(pristine, tmp_path, rule, path, text, message):
    top = tmp_path / "tree"
    shutil.copytree(pristine, top)
    executable = top / ".git/build/probe"
    executable.parent.mkdir()
    executable.write_text(TABLE)
    executable.chmod(0o755)
    assert not says(lint(top, rule)[1], path, message)

    broken = top / path
    broken.parent.mkdir(parents=True, exist_ok=True)
    with broken.open("a") as file:
        file.write(text)
    status, output = lint(top, rule)
    assert status == 1
    assert says(output, path, message), output


def test_every_rule_is_tried():
    assert set(RULES) == {rule for rule, *_ in BREAKS}


def test_an_unknown_rule_is_refused():
    status, output = lint(TOP, "no_such_rule")
    assert status != 0 and "faults" not in output


def test_comments_and_texts_are_not_code(pristine, tmp_path):
    top = tmp_path / "tree"
    shutil.copytree(pristine, top)
    (top / "common/base/probe.c").write_text('// strcpy(a, b)\nconst char *a = "atoi(1) \\" gets(";\n')
    assert not says(lint(top, "banned")[1], "common/base/probe.c", "")
