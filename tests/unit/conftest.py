"""What stands in for AWS, in this process."""

from collections.abc import Iterator

import pytest

from tests.asked import unknown
from tests.doubles.account import Account
from tests.doubles.derived import Tables, in_process
from tests.doubles.in_process import mock_aws


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        account = Account()
        yield account
    assert unknown(account.asked.asks) == []


@pytest.fixture(scope="module")
def one_account() -> Iterator[None]:
    """One account for all tests of a file: for those that have tables of their own in it."""
    with mock_aws():
        yield


@pytest.fixture
def tables(one_account: None) -> Iterator[Tables]:
    """The tables that rows are derived in."""
    with in_process() as made:
        yield made
