"""The deployed service, for the tests that need all of it."""

from collections.abc import Iterator

import pytest

from local.paths import STATE
from local.stack import Stack

pytest.register_assert_rewrite("tests.integ.template")  # promises say why they are broken


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A deployed stack of its own, shared by the session."""
    with Stack(say=lambda _: None, logs=STATE / "test-logs", alone=False) as running:
        yield running
