"""Categories that are made at the same time, by many."""
import collections
import threading

from feed import Client
from stack import PACE

AT_ONCE = 12  # clients
TOPICS = 40


def at_once(stack, slug, bodies):
    """The status of each POST, all sent at the same moment on connections that are open already."""
    barrier, statuses = threading.Barrier(len(bodies)), [None] * len(bodies)

    def post(index, body):
        client = Client(stack)
        assert client.ask("GET", f"/optouts/{slug}/categories?limit=1").status == 200
        barrier.wait(20 * PACE)
        statuses[index] = client.ask("POST", f"/optouts/{slug}/categories", body).status
        client.close()

    threads = [threading.Thread(target=post, args=pair) for pair in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return collections.Counter(statuses)


def topics_of(stack, slug):
    found, cursor = [], ""
    while cursor is not None:
        page = stack.get(f"/optouts/{slug}/categories?limit=1000&cursor={cursor}").json()
        found += [category["topic"] for category in page["results"]]
        cursor = page["next_cursor"]
    return collections.Counter(found)


def test_a_topic_has_one_category(stack):
    slug = stack.project()
    for number in range(TOPICS):
        bodies = [{"key": f"c{number}-{client}", "topic": f"topic_{number}"} for client in range(AT_ONCE)]
        assert at_once(stack, slug, bodies) == {201: 1, 409: AT_ONCE - 1}
    assert topics_of(stack, slug) == {f"topic_{number}": 1 for number in range(TOPICS)}


def test_a_key_has_one_category(stack):
    slug = stack.project()
    for number in range(TOPICS):
        bodies = [{"key": f"c{number}", "name": f"by {client}"} for client in range(AT_ONCE)]
        assert at_once(stack, slug, bodies) == {201: 1, 409: AT_ONCE - 1}


def test_different_ones_are_all_made(stack):
    slug = stack.project()
    for number in range(TOPICS):
        bodies = [{"key": f"c{number}-{client}", "topic": f"topic_{number * AT_ONCE + client}"}
                  for client in range(AT_ONCE)]
        assert at_once(stack, slug, bodies) == {201: AT_ONCE}
    assert topics_of(stack, slug) == {f"topic_{number}": 1 for number in range(TOPICS * AT_ONCE)}
