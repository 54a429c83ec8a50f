"""Discarding dead letters: those that are named, those that filters choose, or all."""

from typing import Any

import pytest

from tests.doubles.account import Account
from tests.doubles.trouble import SOUND, letter, one_letter, poison
from tests.records import PRODUCTS


@pytest.fixture
def letters(account: Account) -> list[str]:
    """Five of products, the oldest first; and one that nobody could read."""
    for number in range(1, 6):
        at = f"2026-11-21T08:00:0{number}+00:00"
        account.consume(letter(poison(f"p{number}", number=number), at=at), message_id=f"m{number}")
    account.consume("noise")
    return [row["id"] for row in account.rows() if row["kind"] == "quarantined"]


@pytest.mark.parametrize(
    "choice",
    [
        {"sink": "opensearch"},
        {"model": "Product"},
        {"error": "InvalidImage"},
        {"table": PRODUCTS},
        {"kind": "quarantined", "sink": "opensearch"},
    ],
)
def test_filters_choose_what_is_discarded(
    choice: dict[str, str], account: Account, letters: list[str]
) -> None:
    """As they choose what is replayed: a row has to pass all of them."""
    answer = account.call("dlq discard", **choice, reason="noise")
    assert answer["counts"] == {"discarded": 5}
    assert answer["cursor"] is None
    assert [row["id"] for row in account.rows("discarded")] == letters
    assert [row["kind"] for row in account.rows()] == ["unknown"]


def test_filters_that_nothing_passes_discard_nothing(account: Account, letters: list[str]) -> None:
    """One that passes some of them is not enough."""
    answer = account.call("dlq discard", sink="opensearch", kind="unknown", reason="x")
    assert answer == {"results": [], "counts": {}, "cursor": None}
    assert len(account.rows()) == 6


def test_all_are_discarded(account: Account, letters: list[str]) -> None:
    """Also those that no replay can close; a reason is asked for all the same."""
    assert account.call("dlq discard", all=True, reason="test data")["counts"] == {"discarded": 6}
    assert account.rows() == []
    assert {row["reason"] for row in account.rows("discarded")} == {"test data"}


@pytest.mark.parametrize("by_id", [False, True])
def test_a_discard_goes_on_from_its_cursor(
    by_id: bool, account: Account, letters: list[str]
) -> None:
    """Each once, the oldest first."""
    choice: dict[str, Any] = {"ids": letters} if by_id else {"model": "Product"}
    seen: list[str] = []
    cursor = None
    for expected in (2, 2, 1):
        page = account.call("dlq discard", **choice, reason="x", limit=2, cursor=cursor)
        assert page["counts"] == {"discarded": expected}
        seen += [result["id"] for result in page["results"]]
        cursor = page["cursor"]
    assert (seen, cursor) == (letters, None)


def test_a_dry_run_discards_nothing(account: Account, letters: list[str]) -> None:
    """It says which it would."""
    answer = account.call("dlq discard", all=True, reason="x", dry_run=True, limit=4)
    assert answer["counts"] == {"would be discarded": 4}
    assert len(account.rows()) == 6
    rest = account.call("dlq discard", all=True, reason="x", dry_run=True, cursor=answer["cursor"])
    assert rest["counts"] == {"would be discarded": 2}


def test_what_is_not_open_is_told(account: Account) -> None:
    """Unknown, closed before, or named twice: each id has one result."""
    id_ = one_letter(account)
    account.put("p", **SOUND)
    account.call("dlq replay", ids=[id_])
    answer = account.call("dlq discard", ids=[id_, "nope", id_], reason="x")
    assert [(one["id"], one["result"]) for one in answer["results"]] == [
        (id_, "not open"),
        ("nope", "not found"),
    ]
    assert answer["results"][0]["why"].startswith("replayed at ")
