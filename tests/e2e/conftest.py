"""What end-to-end tests start with: the service, shared by all tests or for one alone."""
import pytest

from customerio import Emulator
from stack import Redis, Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """One service that all tests share; they keep apart by projects of their own and leave it as it is."""
    service = Stack(tmp_path_factory.mktemp("stack"))
    try:
        yield service.start()
        service.stop()
    finally:
        service.abandon()


@pytest.fixture
def new_stack(tmp_path_factory):
    """Makes services that one test may break: new_stack() is not started yet, new_stack(NAME=value) sets a variable."""
    made = []

    def make(*, directory=None, **options):
        made.append(Stack(directory or tmp_path_factory.mktemp("stack"), **options))
        return made[-1]

    yield make
    for service in made:
        service.abandon()


@pytest.fixture
def own_stack(new_stack):
    """A running service of one test's own."""
    return new_stack().start()


@pytest.fixture
def customerio():
    """A Customer.io of one test's own."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def new_redis(tmp_path_factory):
    """Starts redis-servers: new_redis(appendonly="yes")."""
    made = []

    def make(**options):
        made.append(Redis(tmp_path_factory.mktemp("redis"), **options))
        return made[-1].start()

    yield make
    for redis in made:
        redis.stop()
