#!/usr/bin/python3
"""The rules of the house, held by a program.

    tests/lint/lint.py [--top DIR] [--build DIR] [RULE...]

Prints each fault as path:line: message and exits 1 when there is one. A rule is a function below that yields faults;
without names all of them run. What the compilers can say is said by `make lint` before this.
"""
import argparse
import collections
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

# Which layers of common/ a layer may include, besides itself.
BELOW = {"base": []}
BELOW["codec"] = ["base"]
BELOW["io"] = ["base", "codec"]
BELOW["project"] = [*BELOW["io"], "io"]
BELOW["consent"] = BELOW["customerio"] = [*BELOW["project"], "project"]
BELOW["posthog"] = BELOW["appfunnel"] = BELOW["delivery"] = [*BELOW["customerio"], "customerio"]
BELOW["edge"] = [layer for layer in BELOW]
EVERY_LAYER = list(BELOW)

# Each of these has one door: a single .c of common/.
THIRD_PARTY = {
    "hiredis": r"hiredis.*",
    "libfcgi": r"fcgi.*\.h",
    "jansson": r"jansson\.h",
    "OpenSSL": r"openssl/.*",
    "libcurl": r"curl/.*",
    "libjwt": r"jwt.*\.h",
    "zlib": r"zlib\.h",
}

BANNED = "strcpy strcat strncpy sprintf vsprintf strtok strtok_r gets atoi atol atoll atof alloca system popen"
NUMBER_PARSERS = "strtol strtoul strtoll strtoull strtoimax strtoumax scanf sscanf fscanf"  # not in tests
NOT_IN_FUNCTIONS = r"getenv\s*\(|\bsignal\s*\(|\bsigaction\s*\(|\bfree\s*\(|\bmalloc\s*\(|FCGX|fork\s*\("

FUNCTION_LINES = 50
MEDIAN_LINES = 20
COLUMNS = 120
TAB = 8
FUNCTION_FILE_LINES = 200
COMMON_FILE_LINES = 440  # about 400

Fault = collections.namedtuple("Fault", "path line message")


class Tree:
    """The files of the project, by path relative to the top."""

    def __init__(self, top, build):
        self.top, self.build = top, build
        listed = subprocess.run(["git", "-C", top, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                                capture_output=True, text=True).stdout
        paths = [name for name in sorted(set(listed.split("\0"))) if name and (top / name).is_file()]
        self.text = {name: (top / name).read_text(errors="replace") for name in paths}

    def paths(self, *patterns):
        return [path for path in self.text if any(re.fullmatch(pattern, path) for pattern in patterns)]

    def lines(self, path, code_only=False):
        text = code(self.text[path]) if code_only else self.text[path]
        return enumerate(text.splitlines(), 1)

    def c_files(self):
        return self.paths(r"(common|functions|deploy|tests)/.*\.[ch]")


def code(text):
    """C without what stands in comments and between quotes; lines stay where they are."""
    def blank(match):
        token = match.group()
        return token[0] + token[-1] if token[0] in "\"'" else "\n" * token.count("\n")
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def includes(tree, path):
    for number, line in tree.lines(path):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)', line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def check_layers(tree):
    """A file includes only from its own folder or from a lower layer."""
    for path in tree.c_files():
        parts = path.split("/")
        if parts[0] == "common" and parts[1] not in BELOW:
            yield Fault(path, 1, f"{parts[1]} is no layer")
            continue
        seen = [parts[1], *BELOW[parts[1]]] if parts[0] == "common" else EVERY_LAYER
        for number, quoted, name in includes(tree, path):
            folder = name.partition("/")[0] if "/" in name else None
            if not quoted:
                continue
            if ".." in name and parts[0] != "tests":
                yield Fault(path, number, f'"{name}" leaves its folder')
            elif folder is None and parts[0] == "common":
                yield Fault(path, number, f'"{name}" is to be named with its layer')
            elif folder and folder not in BELOW and parts[0] != "tests":
                yield Fault(path, number, f"{folder} is no layer")
            elif folder in BELOW and folder not in seen:
                yield Fault(path, number, f"{parts[1]} must not know {folder}")


def check_third_party(tree):
    """Each library has one door."""
    doors = collections.defaultdict(set)
    for path in tree.paths(r"(common|functions|deploy)/.*\.[ch]"):
        for number, _, name in includes(tree, path):
            for library, pattern in THIRD_PARTY.items():
                if not re.fullmatch(pattern, name) or f"common/{name}" in tree.text:
                    continue
                doors[library].add(path)
                if not path.startswith("common/") or path.endswith(".h"):
                    yield Fault(path, number, f"{library} is for one .c of common/ only")
    for library, paths in doors.items():
        for path in paths if len(paths) > 1 else ():
            yield Fault(path, 1, f"{library} has another door too: {min(paths - {path})}")


def check_banned(tree):
    """Functions that have a safer twin here."""
    call = re.compile(r"(?<![\w.>])(" + "|".join(BANNED.split()) + r")\s*\(")
    number_parser = re.compile(r"\b(" + "|".join(NUMBER_PARSERS.split()) + r")\s*\(")
    for path in tree.c_files():
        for number, line in tree.lines(path, code_only=True):
            for match in call.finditer(line):
                yield Fault(path, number, f"{match.group(1)} is banned")
            if number_parser.search(line) and not re.match(r"common/base/slice\.c|tests/", path):
                yield Fault(path, number, "numbers are read by slice_to_integer")
            if re.search(r"\bgetenv\s*\(", line) and not re.match(r"common/codec/config|deploy/run/main|tests/", path):
                yield Fault(path, number, "the environment is read by codec/config")


def check_functions_folder(tree):
    """An endpoint's file holds no machinery."""
    for path in tree.paths(r"functions/.*\.[ch]"):
        count = len(tree.text[path].splitlines())
        if count > FUNCTION_FILE_LINES:
            yield Fault(path, count, f"more than {FUNCTION_FILE_LINES} lines")
        for number, line in tree.lines(path, code_only=True):
            match = re.search(NOT_IN_FUNCTIONS, line)
            if match:
                yield Fault(path, number, f"{match.group().rstrip('( ')} belongs into common/")


def check_lengths(tree):
    """Functions that fit a screen, files that can be read at once."""
    paths = tree.paths(r"(common|functions|deploy|tests)/.*\.c")
    if not paths:
        return
    tags = subprocess.run(["ctags", "-L", "-", "--languages=C", "--kinds-C=f", "--fields=+ne", "-f", "-"], cwd=tree.top,
                          input="\n".join(paths), capture_output=True, text=True, check=True).stdout
    lengths = []
    for tag in tags.splitlines():
        name, path, *_ = tag.split("\t")
        line, end = (re.search(rf"\t{field}:(\d+)", tag) for field in ("line", "end"))
        length = int(end.group(1)) - int(line.group(1)) + 1 if end else 1
        if not path.startswith("tests/"):
            lengths.append(length)
        if length > FUNCTION_LINES:
            yield Fault(path, int(line.group(1)), f"{name} has {length} lines, more than {FUNCTION_LINES}")
    for path in tree.paths(r"common/.*\.c"):
        count = len(tree.text[path].splitlines())
        if count > COMMON_FILE_LINES:
            yield Fault(path, count, f"more than {COMMON_FILE_LINES} lines")
    if lengths:
        median = statistics.median(lengths)
        print(f"lint: {len(lengths)} functions, the median has {median:g} lines, the longest {max(lengths)}")
        if median > MEDIAN_LINES:
            yield Fault("common", 1, f"the median function has more than {MEDIAN_LINES} lines")


def check_layout(tree):
    """Columns, tabs, ends of lines."""
    for path in tree.paths(r".*\.([chs]|py|mjs|lua|sh|in|json|md)", "Makefile", "deploy/deps", "tests/run", r"\.ci/.*"):
        text = tree.text[path]
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            yield Fault(path, text.count("\n"), "a file ends with one line end")
        before = ""
        for number, line in tree.lines(path):
            if line != line.rstrip():
                yield Fault(path, number, "space at the end of the line")
            if not path.endswith((".md", ".json")) and len(line.expandtabs(TAB)) > COLUMNS:
                yield Fault(path, number, f"more than {COLUMNS} columns")
            if path.endswith((".c", ".h", ".mjs")):
                if re.match(r" +\t", line) or (re.match(r" +\S", line) and re.search(r"[;{}]$", before)):
                    yield Fault(path, number, "indentation is by tabs")
                if line.strip() and not line.lstrip().startswith("//"):
                    before = re.sub(r"\s*//.*", "", line)


def check_words(tree):
    """Nothing left for later, no decoration, nothing of the machine that it was written on."""
    here = str(tree.top.resolve()) + "/"
    machine = re.compile(r"(?<![\w.$}-])/(?:home|root|Users)/\w|" + re.escape(here))
    for path in tree.text:
        if path.startswith(("tests/lint/", "tests/fuzz/corpus/")):
            continue
        for number, line in tree.lines(path):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                yield Fault(path, number, "something left for later")
            if re.match(r"\s*(//|#|/?\*)\s*[-=*#~]{4,}", line) and not path.endswith(".md"):
                yield Fault(path, number, "a decorative separator")
            if machine.search(line):
                yield Fault(path, number, "a path of one machine")


def check_purpose(tree):
    """Each header, and each .c without one, begins by saying what it is for."""
    for path in tree.paths(r"(common|functions|deploy)/.*\.[ch]", r"tests/.*\.mjs"):
        has_header = path.endswith(".c") and path[:-1] + "h" in tree.text
        if not has_header and not tree.text[path].startswith("// "):
            yield Fault(path, 1, "begins with a comment that says what it is for")


def check_contracts(tree):
    """Every public function is explained: each paragraph of declarations in a header has a comment."""
    for path in tree.paths(r"common/.*\.h"):
        number = 1
        for paragraph in re.split(r"\n\n+", tree.text[path]):
            declares = re.search(r"^[a-z][\w \*]*\b\w+\([^;{]*\)[^;{]*;", code(paragraph), re.M | re.S)
            if declares and "//" not in paragraph:
                yield Fault(path, number, "a function without a comment")
            number += paragraph.count("\n") + 2


def check_headers(tree):
    """Each header compiles alone."""
    for path in tree.paths(r"common/.*\.h"):
        name = path.removeprefix("common/")
        command = "gcc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -Icommon -fsyntax-only -x c -".split()
        done = subprocess.run(command, cwd=tree.top, input=f'#include "{name}"\n', capture_output=True,
                              text=True)
        if done.returncode:
            yield Fault(path, 1, "does not compile alone: " + done.stderr.strip().splitlines()[0])


def config_table(tree):
    """The settings' table as the executables print it, or None."""
    for executable in sorted(tree.build.glob("*")) if tree.build else []:
        if executable.is_file() and executable.name != "run" and "." not in executable.name:
            done = subprocess.run([executable, "--config-table"], capture_output=True, text=True, timeout=10)
            if done.returncode == 0 and "CIOBRIDGE_" in done.stdout:
                return done.stdout
    print("lint: settings not compared, no executable that prints them")
    return None


def check_settings(tree):
    """Settings that are spoken of exist, and the README shows the table as it is."""
    table = config_table(tree)
    if table is None:
        return
    known = set(re.findall(r"CIOBRIDGE_\w+", table))
    known |= {f"{name}_FILE" for name in known} | {"CIOBRIDGE_VERSION"}
    for path in tree.paths(r"(common|functions|deploy)/.*", "Makefile", "Dockerfile", "README.md"):
        for number, line in tree.lines(path):
            for name in re.findall(r"\bCIOBRIDGE_[A-Z0-9_]*[A-Z0-9]\b", line):
                if name not in known and not name.startswith("CIOBRIDGE_TEST_") and not name.endswith("_H"):
                    yield Fault(path, number, f"{name} is no setting")
    if "README.md" not in tree.text:
        print("lint: README.md not compared, there is none yet")
    elif table.strip() not in tree.text["README.md"]:
        yield Fault("README.md", 1, "its table of settings is not what --config-table prints")


RULES = {name.removeprefix("check_"): rule for name, rule in list(globals().items()) if name.startswith("check_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--top", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--build", type=pathlib.Path, help="where the executables are")
    parser.add_argument("rule", nargs="*", metavar="RULE", help=" ".join(RULES))
    options = parser.parse_args()
    for name in options.rule:
        if name not in RULES:
            parser.error(f"there is no rule {name}")
    if not shutil.which("ctags"):
        sys.exit("lint: universal-ctags is missing; make deps")
    tree = Tree(options.top, options.build)
    faults = [fault for name in options.rule or RULES for fault in RULES[name](tree)]
    for fault in sorted(faults):
        print(f"{fault.path}:{fault.line}: {fault.message}")
    print(f"lint: {len(tree.text)} files, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
