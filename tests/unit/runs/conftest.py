"""Runs over a table of products whose pages have two or three items."""

from collections.abc import Iterator
from unittest import mock

import pytest

from tests.doubles.account import Account
from tests.unit.runs.harness import Line


@pytest.fixture
def line(account: Account) -> Iterator[Line]:
    with mock.patch("tests.simulation.dynamodb.PAGE_BYTES", 200):
        yield Line(account)
