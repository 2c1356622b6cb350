"""Many acts at once from several clients, each with recipients of its own: whoever acts finds his act in force, and in
the end every list, check and history tells the same story."""
import json
import time

import feed
from feed import Client, Feed, Load, event

THREADS = 8
RECIPIENTS = 12  # of each thread
ANSWERS = int(2500 * feed.SCALE)
ALL = "$all"
CATEGORIES = {  # key: (type, subscribed by default)
    "news": ("marketing", True),
    "offers": ("marketing", True),
    "beta": ("marketing", False),
    "receipts": ("transactional", True),
}
MARKETING = [key for key, (kind, _) in CATEGORIES.items() if kind == "marketing"]
KEYS = [ALL, *CATEGORIES]


class Recipient:
    """What should be true of one recipient."""

    def __init__(self, address):
        self.address = address
        self.choices = {}  # key: "out" or "in"
        self.changes = {key: 0 for key in KEYS}  # those that are effective

    def is_out(self, key):
        default = "in" if CATEGORIES.get(key, (None, True))[1] else "out"
        return self.choices.get(key, default) == "out"

    def choose(self, key, value):
        """Whether it changed anything."""
        changed = self.is_out(key) != (value == "out")
        self.choices[key] = value
        self.changes[key] += changed
        return changed

    def opt_in(self, key):
        """With all marketing out, opting in to one category is not opting in to the others."""
        pinned = key in MARKETING and self.is_out(ALL)
        if pinned:
            self.choose(ALL, "in")
            for other in MARKETING:
                if other != key:
                    self.choose(other, "out")
        return self.choose(key, "in") or pinned

    def expected(self, key):
        """(allowed, reason)"""
        if CATEGORIES.get(key, ("",))[0] == "transactional":
            return True, "transactional"
        if self.is_out(ALL):
            return False, "opted_out_all"
        if self.is_out(key):
            return False, "opted_out_category" if key in self.choices else "not_opted_in"
        return True, "subscribed"


class Owner:
    """One client and its recipients."""

    def __init__(self, project):
        self.project = project
        self.recipients = [Recipient(project.new_address()) for _ in range(RECIPIENTS)]

    def act(self, client, chance):
        recipient, key = chance.choice(self.recipients), chance.choice(KEYS)
        act = chance.choice([self.opt_out, self.opt_in, self.opt_out, self.opt_in, self.report_late, self.bulk])
        act(client, chance, recipient, key)
        self.check(client, recipient, key)
        self.check(client, recipient, chance.choice(KEYS))
        if chance.random() < 0.05:
            self.check_all(client, key)

    def opt_out(self, client, chance, recipient, key):
        record = self.project.opt_out(client, recipient.address.upper(), key)
        assert answer(record) == {"changed": recipient.choose(key, "out")}, (record, recipient.choices)

    def opt_in(self, client, chance, recipient, key):
        record = self.project.opt_in(client, recipient.address, key)
        assert answer(record) == {"changed": recipient.opt_in(key)}, (record, recipient.choices)

    def report_late(self, client, chance, recipient, key):
        """What Customer.io knows of an hour ago changes nothing that was chosen here since."""
        if ALL in recipient.choices:
            metric = chance.choice(["subscribed", "unsubscribed"])
            body = event(metric, recipient.address, int(time.time()) - 3600)
            assert answer(self.project.send(client, body)) == {"status": "unchanged"}

    def bulk(self, client, chance, recipient, key):
        entries = [(chance.choice(self.recipients), chance.choice(KEYS)) for _ in range(chance.randrange(6))]
        body = {"category": key, "opt_outs": [{"identifier": recipient.address}, *(
            {"identifier": other.address, "category": other_key} for other, other_key in entries)]}
        record = client.ask("POST", f"/optouts/{self.project.slug}/bulk", body)
        changed = sum(other.choose(other_key, "out") for other, other_key in [(recipient, key), *entries])
        assert answer(record) == {"total": len(entries) + 1, "opted_out": changed,
                                  "unchanged": len(entries) + 1 - changed, "errors": []}, record

    def check(self, client, recipient, key):
        found = answer(self.project.check(client, recipient.address, key))
        assert (found["allowed"], found["reason"]) == recipient.expected(key), (found, recipient.choices)

    def check_all(self, client, key):
        body = {"category": key, "identifiers": [recipient.address for recipient in self.recipients]}
        found = answer(client.ask("POST", f"/optouts/{self.project.slug}/check", body))["results"]
        assert [(row["identifier"], row["allowed"], row["reason"]) for row in found] == \
            [(recipient.address, *recipient.expected(key)) for recipient in self.recipients]


def answer(record):
    assert record.status == 200, record
    return json.loads(record.body)


def pages(client, project, key, limit):
    cursor, rows = None, []
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = answer(client.ask("GET", f"/optouts/{project.slug}?category={key}&limit={limit}{more}"))
        assert len(page["results"]) <= limit
        rows += page["results"]
        cursor = page["next_cursor"]
        if cursor is None:
            return page["count"], rows


def verify_list(client, project, recipients, key, limit):
    count, rows = pages(client, project, key, limit)
    out = [recipient.address for recipient in recipients if recipient.choices.get(key) == "out"]
    assert sorted(row["identifier"] for row in rows) == sorted(out)
    assert count == len(out)
    times = [row["opted_out_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    if key != ALL:
        shown = answer(client.ask("GET", f"/optouts/{project.slug}/categories/{key}"))
        assert shown["opted_out_count"] == len(out)


def verify_history(client, project, recipient):
    shown = answer(client.ask("GET", f"/optouts/{project.slug}/recipients/{recipient.address}"))
    states = {row["category"]: row["state"] for row in shown["categories"]}
    for key in KEYS:
        entries = [entry for entry in shown["history"] if entry["category"] == key]
        assert states[key] == ("out" if recipient.is_out(key) else "in")
        assert not entries or entries[0]["new"] == states[key]
        assert all(newer["new"] != older["new"] for newer, older in zip(entries, entries[1:]))
        assert {entry["source"] for entry in entries} <= {"api"}
        if shown["history_complete"]:
            assert len(entries) == recipient.changes[key]


def test_many_acts_at_once(stack):
    project, chance = Feed(stack), feed.dice("many")
    client = Client(stack)
    for key, (kind, default) in CATEGORIES.items():
        made = client.ask("POST", f"/optouts/{project.slug}/categories",
                          {"key": key, "type": kind, "subscribed_by_default": default})
        assert made.status == 201, made
    owners = {}

    def work(owner, chance):
        owners.setdefault(owner, Owner(project)).act(owner, chance)

    with Load(stack, work, THREADS, "many") as load:
        load.wait_for(ANSWERS)

    recipients = [recipient for owner in owners.values() for recipient in owner.recipients]
    for key in KEYS:
        verify_list(client, project, recipients, key, chance.randint(1, 40))
        verify_list(client, project, recipients, key, 1000)
        assert project.still_allowed((recipient.address for recipient in recipients), key) == \
            [recipient.address for recipient in recipients if recipient.expected(key)[0]]
    for recipient in recipients:
        verify_history(client, project, recipient)
    client.close()


def test_many_act_on_the_same_recipients(stack):
    """Nobody knows who comes last, but every effective change is told to exactly one, and history has them all."""
    project = Feed(stack)
    recipients = {address: [] for address in (project.new_address() for _ in range(5))}

    def work(client, chance):
        address = chance.choice(list(recipients))
        act = chance.choice([project.opt_out, project.opt_in])
        if answer(act(client, address))["changed"]:
            recipients[address].append("out" if act == project.opt_out else "in")

    with Load(stack, work, THREADS, "same") as load:
        load.wait_for(ANSWERS // 4)

    client = Client(stack)
    for address, changes in recipients.items():
        shown = answer(client.ask("GET", f"/optouts/{project.slug}/recipients/{address}"))
        told = [entry["new"] for entry in shown["history"]]
        assert all(newer != older for newer, older in zip(told, told[1:]))
        assert not shown["history_complete"] or sorted(told) == sorted(changes)
        assert project.allowed(address) == (told[0] == "in")
    count, rows = pages(client, project, ALL, 2)
    assert count == len(rows) == len(recipients) - len(project.still_allowed(recipients))
    client.close()
