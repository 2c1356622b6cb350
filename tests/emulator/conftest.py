"""The emulator, shared by all its tests; each has an account of its own."""
import secrets

import pytest

from caller import Caller
from customerio import Emulator


@pytest.fixture(scope="session")
def cio():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def account(cio):
    yield cio.account(name="t" + secrets.token_hex(6), app_rate={"limit": 1000})
    cio.heal()


@pytest.fixture
def call(cio, account):
    return Caller(cio, account)
