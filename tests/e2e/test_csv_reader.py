"""codec/csv against Python's csv module, on files that chance has written.

CIOBRIDGE_TEST_SEED repeats a run, CIOBRIDGE_TEST_FILES sets how many files. Where the two differ on purpose:

- a quote that is never closed is a fault; Python takes what is left of the file for the field
- the delimiter is found in the first row; Python is told
- a byte order mark at the start is dropped; Python does so when asked for utf-8-sig
- empty lines give no row, as with Python's DictReader; its reader gives an empty one
"""
import csv
import io
import json
import os
import pathlib
import random
import secrets
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("CIOBRIDGE_TEST_BUILD", TOP / "build")) / "tests/differential/csv_dump"
SEED = os.environ.get("CIOBRIDGE_TEST_SEED") or str(secrets.randbits(32))
FILES = int(os.environ.get("CIOBRIDGE_TEST_FILES") or 6000)
BYTE_ORDER_MARK = "\ufeff".encode().decode("latin-1")
DELIMITERS = ",;\t"
NEVER_CLOSED = "a quote is opened and never closed"

csv.field_size_limit(sys.maxsize)


@pytest.fixture
def dice():
    print(f"CIOBRIDGE_TEST_SEED={SEED}")
    return random.Random(SEED)


def dump(files):
    """What the program says to each file, as (delimiter, rows)."""
    frames = b"".join(b"%d %d\n%s" % (len(file), piece, file) for file, piece in files)
    done = subprocess.run([PROGRAM], input=frames, stdout=subprocess.PIPE, check=True, timeout=300)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(files)
    return [(answer["delimiter"], answer["rows"]) for answer in answers]


def text_of(file):
    """One character for each byte, so that every file is a text."""
    text = file.decode("latin-1")
    return text.removeprefix(BYTE_ORDER_MARK)


def python_rows(text, delimiter):
    """(line, fields) of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, before = [], 0
    for fields in reader:
        if fields:
            rows.append((before + 1, fields))
        before = reader.line_num
    return rows


def find_delimiter(text):
    """As codec/csv.h says: first row, outside quotes, ties to the comma. A quote opens behind any delimiter."""
    counts, quoted, opens = dict.fromkeys(DELIMITERS, 0), False, True
    for character in text.lstrip("\r\n"):
        if quoted:
            quoted, opens = character != '"', True
            continue
        if character in "\r\n":
            break
        quoted = character == '"' and opens
        opens = character in DELIMITERS
        if opens:
            counts[character] += 1
    winners = [delimiter for delimiter in DELIMITERS if counts[delimiter] == max(counts.values())]
    return winners[0] if len(winners) == 1 else ","


def decoded(row):
    return row["line"], [bytes.fromhex(field).decode("latin-1") for field in row["fields"]]


def compare(file, delimiter, rows):
    text = text_of(file)
    assert delimiter == find_delimiter(text), file
    wanted = python_rows(text, delimiter)
    if rows and "fault" in rows[-1]:
        fault, rows, (line, fields), wanted = rows[-1], rows[:-1], wanted[-1], wanted[:-1]
        assert (fault["fault"], fault["line"], fault["column"]) == (NEVER_CLOSED, line, len(fields)), file
        # What is added to the file goes into the open field.
        assert len(python_rows(text + "\nmore", delimiter)) == len(wanted) + 1, file
    elif wanted:
        assert len(python_rows(text + "\nmore", delimiter)) == len(wanted) + 1, file
    assert [decoded(row) for row in rows] == wanted, file
    for row in rows:
        raw = bytes.fromhex(row["raw"]).decode("latin-1")
        assert python_rows(raw, delimiter) == [(1, decoded(row)[1])], file


def compare_all(files, dice):
    answers = dump([(file, dice.choice([1, 2, 3, 7, 64, 1 << 20])) for file in files])
    for file, (delimiter, rows) in zip(files, answers):
        compare(file, delimiter, rows)
    return answers


def draw_soup(dice):
    """Bytes in any order, most of them ones that mean something."""
    weights = [dice.random() for _ in range(8)]
    pieces = dice.choices(['"', ",", ";", "\t", "\n", "\r", "\r\n", "a"], weights, k=dice.randrange(60))
    pieces += dice.choices([" ", "'", '""', "bcd efgh ijkl", "ä", "€", "\U0001f600", "\0", "\x85\u2028"],
                           k=dice.randrange(6))
    dice.shuffle(pieces)
    return "".join(pieces).encode()


def draw_bytes(dice):
    return bytes(dice.choice([dice.randrange(256), *b'",\n\r']) for _ in range(dice.randrange(80)))


def draw_field(dice):
    return dice.choice(["", "a", "jo@example.com", 'say "hello"', "a,b;c\td", "two\nlines", "two\r\nlines", "\r", '"',
                        " x ", "Łódź", '{"topics":{"topic_7":false,"topic_8":true}}', "x" * dice.randrange(200)])


def draw_table(dice):
    """What programs write."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=dice.choice(DELIMITERS), lineterminator=dice.choice(["\n", "\r\n", "\r"]),
                        quoting=dice.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    columns = dice.randrange(1, 8)
    writer.writerow([f"column{number}" for number in range(columns)])
    writer.writerows([[draw_field(dice) for _ in range(columns)] for _ in range(dice.randrange(12))])
    return out.getvalue().encode()


def draw_odd_table(dice):
    """What people write: quotes left out or put in, lines cut, line ends mixed."""
    text = list(draw_table(dice).decode())
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(text))
        if dice.random() < 0.4:
            del text[at]
        else:
            text.insert(at, dice.choice(['"', '"', "\r", "\n", "\r\n", ",", " "]))
        text = text or ["a"]
    return dice.choice(["", "", "\ufeff"]).encode() + "".join(text).encode()


@pytest.mark.parametrize("draw", [draw_soup, draw_bytes, draw_table, draw_odd_table])
def test_reads_as_python_does(dice, draw):
    answers = compare_all([draw(dice) for _ in range(FILES // 4)], dice)
    assert sum(len(rows) for _, rows in answers) > len(answers)


def test_unclosed_quotes_do_come_up(dice):
    answers = compare_all([draw_soup(dice) for _ in range(200)], dice)
    faults = sum("fault" in row for _, rows in answers for row in rows)
    assert 0 < faults < 200


def test_wide_and_long_fields(dice):
    files = []
    for _ in range(20):
        row = [dice.choice('x"\n') * dice.randrange(20000) for _ in range(5)] + [""] * dice.randrange(5000)
        out = io.StringIO(newline="")
        csv.writer(out).writerows([["a", "b"], row])
        files.append(out.getvalue().encode())
    compare_all(files, dice)
