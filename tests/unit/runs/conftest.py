"""Runs over a table of products whose pages have two or three items."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest import mock

import pytest

from tests.doubles.account import Account
from tests.doubles.in_process import mock_aws
from tests.unit.runs.harness import Line


@pytest.fixture
def new_account(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], AbstractContextManager[Account]]:
    """Makes an account of its own, for a test that plays several histories."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")

    @contextmanager
    def made() -> Iterator[Account]:
        with mock_aws():
            yield Account()

    return made


@pytest.fixture
def line(account: Account) -> Iterator[Line]:
    with mock.patch("tests.simulation.dynamodb.PAGE_BYTES", 200):
        yield Line(account)
