"""Pages of a long list: a million recipients of one and the same time cost no more than any others."""
import base64
import binascii
import re
import socket
import statistics
import time

ROWS = 1_000_000
LIMIT = 1000
PAGES = 20  # from the start, and as many from the middle
PARTITIONS = 16
LOOKS = 30  # into one partition for one page: halving a million rows takes 20, and there is one to read the page
CHUNK = 5000  # rows in one command
TIME_MS = 1_732_285_840_999


def recipient(number):
    return b"%07d@example.com" % number


def bulk(word):
    return b"$%d\r\n%s\r\n" % (len(word), word)


def fill(redis, slug, name, score_of):
    """Puts the rows into the partitions' lists, as so many recorded choices would have."""
    partitions = [[] for _ in range(PARTITIONS)]
    for number in range(ROWS):
        member = recipient(number)
        # CRC-16/XMODEM, as common/project says.
        partitions[binascii.crc_hqx(member, 0) % PARTITIONS].append(bulk(b"%d" % score_of(number)) + bulk(member))
    commands = []
    for partition, rows in enumerate(partitions):
        key = bulk(b"cb:{%s:%02d}:optouts:%s" % (slug.encode(), partition, name.encode()))
        for start in range(0, len(rows), CHUNK):
            some = rows[start:start + CHUNK]
            commands.append(b"*%d\r\n" % (2 + 2 * len(some)) + bulk(b"ZADD") + key + b"".join(some))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(redis.socket))
        connection.sendall(b"".join(commands))
        answers = b""
        while answers.count(b"\n") < len(commands):
            answers += connection.recv(65536)
    assert sum(int(added) for added in re.findall(rb":(\d+)", answers)) == ROWS


def looks(redis):
    found = re.search(r"cmdstat_zrevrange:calls=(\d+)", redis.call("INFO", "commandstats"))
    return int(found.group(1)) if found else 0


def read_pages(stack, redis, slug, category, first, cursor):
    """Holds the pages against the numbers from `first` downwards; the time of each."""
    times = []
    for page in range(PAGES):
        path = f"/optouts/{slug}?category={category}&limit={LIMIT}" + (f"&cursor={cursor}" if cursor else "")
        before, begin = looks(redis), time.monotonic()
        answer = stack.get(path)
        times.append(time.monotonic() - begin)
        assert answer.status == 200, answer
        assert looks(redis) - before < PARTITIONS * LOOKS
        shown = answer.json()
        assert shown["count"] == ROWS
        start = first - page * LIMIT
        wanted = [recipient(number).decode() for number in range(start, start - LIMIT, -1)]
        assert [row["identifier"] for row in shown["results"]] == wanted
        cursor = shown["next_cursor"]
    return times


def place(score, number):
    """The cursor of the page behind that row. Its form is nobody's business, but a thousand pages would take long."""
    return base64.urlsafe_b64encode(b"%d %s" % (score, recipient(number))).decode().rstrip("=")


def median_ms(stack, redis, slug, category, score_of):
    fill(redis, slug, category, score_of)
    middle = ROWS // 2
    times = read_pages(stack, redis, slug, category, ROWS - 1, None)
    times += read_pages(stack, redis, slug, category, middle - 1, place(score_of(middle), middle))
    return statistics.median(times) * 1000


def test_a_million_rows_of_one_time(new_redis, new_stack):
    redis = new_redis()
    stack = new_stack(CIOBRIDGE_REDIS_URL=redis.url).start()
    slug = stack.project()
    equal = median_ms(stack, redis, slug, "$all", lambda number: TIME_MS)
    distinct = median_ms(stack, redis, slug, "$complaint", lambda number: TIME_MS + number)
    print(f"a page of {LIMIT} of {ROWS} rows: {equal:.1f} ms when all are of one time, {distinct:.1f} ms when none are")
