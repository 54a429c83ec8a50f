"""How a letter gets into its row."""

import json
from typing import Any

import pytest

from sync.deadletters.consumer import INLINE_BYTES
from sync.deadletters.table import DeadLetterTable
from tests.doubles.account import LETTERS, Account
from tests.doubles.trouble import letter, poison


def test_a_body_of_the_most_bytes_stays_in_its_row(account: Account) -> None:
    """Each byte of its JSON counts."""
    spare = INLINE_BYTES - len(json.dumps(poison(text=""), separators=(",", ":")))
    account.consume(letter(poison(text="x" * spare)), letter(poison("q", text="x" * (spare + 1))))
    for row in account.rows():
        item = account.dynamodb.get_item(TableName=LETTERS, Key={"id": {"S": row["id"]}})["Item"]
        kept = len(item["body"]["S"]) if "body" in item else None
        assert kept == (INLINE_BYTES if row["keys"] == {"productId": {"S": "p"}} else None)


def test_a_row_is_merged_with_what_was_read_of_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows of a message are read at once, and not again one by one."""
    account.consume(letter(poison()))
    given: list[tuple[Any, ...]] = []
    record = DeadLetterTable.record

    def told(self: DeadLetterTable, *arguments: Any) -> Any:
        given.append(arguments)
        return record(self, *arguments)

    monkeypatch.setattr(DeadLetterTable, "record", told)
    account.consume(letter(poison(text="other", number=2)), message_id="two")
    ((_, known, deadline),) = given
    assert known.letter
    assert deadline.remaining() > 0
