#!/usr/bin/python3
"""Lines and branches of common/ that a run of the tests took, by folder, out of what gcc's --coverage wrote.

    tests/coverage/coverage.py --build DIR [--missing PATH]

A source may have been compiled more than once (tests/memory has its own arena); what any of them took counts. With
--missing, a file or folder of common/, also the lines of which a branch was never taken.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
NOTES_AT_ONCE = 50


class Source:
    """What is known of one file: how often each line ran, and how often each branch of a line was taken."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.defaultdict(collections.Counter)  # line -> (function, number) -> count

    def add(self, line):
        number = line["line_number"]
        self.lines[number] += line["count"]
        for index, branch in enumerate(line["branches"]):
            self.branches[number][line.get("function_name", ""), index] += branch["count"]

    def taken_lines(self):
        return sum(count > 0 for count in self.lines.values())

    def counts(self):
        return [count for branches in self.branches.values() for count in branches.values()]

    def missing(self):
        return [number for number, branches in sorted(self.branches.items()) if 0 in branches.values()]


def read_notes(notes):
    command = ["gcov", "--json-format", "--branch-probabilities", "--stdout", *map(str, notes)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"gcov: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def read_sources(build):
    sources = collections.defaultdict(Source)
    # What has been built before may be there although its source has gone.
    notes = [path for part in ("common", "tests/memory") for path in sorted((build / part).rglob("*.gcno"))
             if (TOP / path.relative_to(build)).with_suffix(".c").exists()]
    for start in range(0, len(notes), NOTES_AT_ONCE):
        for unit in read_notes(notes[start:start + NOTES_AT_ONCE]):
            for file in unit["files"]:
                path = pathlib.Path(unit["current_working_directory"], file["file"]).resolve()
                if path.suffix == ".c" and path.is_relative_to(TOP / "common"):
                    for line in file["lines"]:
                        sources[str(path.relative_to(TOP))].add(line)
    return sources


def share(part, whole):
    return 100 * part / whole if whole else 100.0


def totals(sources):
    lines = sum(len(source.lines) for source in sources)
    taken_lines = sum(source.taken_lines() for source in sources)
    counts = [count for source in sources for count in source.counts()]
    return taken_lines, lines, sum(count > 0 for count in counts), len(counts)


def print_row(name, sources):
    taken_lines, lines, taken, branches = totals(sources)
    print(f"{name:48} lines {share(taken_lines, lines):5.1f} % of {lines:5}   "
          f"branches {share(taken, branches):5.1f} % of {branches:5}")


def print_missing(sources, wanted):
    for name, source in sorted(sources.items()):
        if not name.startswith(wanted):
            continue
        print_row(name, [source])
        text = (TOP / name).read_text().splitlines()
        for number in source.missing():
            counts = " ".join(str(count) for count in source.branches[number].values())
            print(f"  {number:4} [{counts}] {text[number - 1].strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="where the tests were built with --coverage")
    parser.add_argument("--missing", metavar="PATH", help="show the branches of this file or folder not taken")
    options = parser.parse_args()
    sources = read_sources(options.build.resolve())
    if not any(source.taken_lines() for source in sources.values()):
        sys.exit(f"no test built in {options.build} has run")
    if options.missing:
        print_missing(sources, options.missing)
    folders = collections.defaultdict(list)
    for name, source in sorted(sources.items()):
        folders[str(pathlib.Path(name).parent)].append(source)
    for folder, members in sorted(folders.items()):
        print_row(folder, members)
    every = list(sources.values())
    print_row("common", every)
    _, _, taken, branches = totals(every)
    print(f"branch coverage of common/: {share(taken, branches):.1f} %")


if __name__ == "__main__":
    main()
