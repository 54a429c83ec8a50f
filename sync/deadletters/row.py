"""A row of the dead-letter table, and merging another letter into it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from sync.aws.keys import AttributeMap
from sync.recovery.bodies import Payload

OPEN, REPLAYED, DISCARDED = ("open", "replayed", "discarded")
RUNNING: Final = "running"  # a note of a running call, not a letter: see journal.py
CLOCKS_NS: Final = 300 * 10**9  # the most by which the clocks of two machines may differ

_JSON: Final = frozenset({"keys", "payload"})  # attributes stored as JSON text


@dataclass(frozen=True, slots=True)
class Row:
    """The dead letters of one key and sink: the newest of them, and a count.

    Letters without a key have a row each. Fields are the attributes of the table; those that end in
    `_at` are ISO 8601, UTC, with milliseconds. The index `by-status` lacks body, payload and trace.
    """

    id: str  # sync/recovery/letters.py, row_id
    kind: str  # sync/deadletters/rows.py lists them
    first_at: str
    last_at: str
    status: str = OPEN
    seen: int = 1  # the number of letters merged
    letter: str = ""  # the id of the newest letter, whose error and body the row contains
    table: str | None = None
    keys: AttributeMap | None = None  # None: about no item, or about an unknown one
    sink: str | None = None  # None: all sinks of its model
    model: str | None = None
    target: str | None = None
    document_id: str | None = None
    error_class: str = ""
    error: str = ""
    trace: str | None = None
    version: int = 0  # of the failed write
    after: int = 0  # a resync of the key needs a higher version than this
    state: str | None = None  # of the item when it last failed (state_of); None: unknown
    body: str | None = None  # the record, or what is known of it, as JSON; None: see payload
    payload: Payload | None = None
    replays: int = 0  # the number of failed replays
    replayed_at: str | None = None  # when the last one failed
    reason: str | None = None  # how it was resolved
    resolved_at: str | None = None
    wrote: int = 0  # the version of the replay that resolved it
    erased_at: str | None = None  # when body, payload and trace were removed on request
    expires_at: int | None = None  # epoch seconds; DynamoDB deletes it then (TTL)

    def summary(self) -> dict[str, Any]:
        """The fields for lists: without body, payload, trace and internal fields."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("body", "payload", "trace", "letter", "state", "wrote"):
            del shown[name]
        return {name: value for name, value in shown.items() if value is not None}


def merged(row: Row | None, letter: Row) -> Row | None:
    """*row* after merging *letter*, a new row; None if *row* does not change.

    A redelivered letter changes nothing. Neither does the letter of a write that is older than the
    replay that resolved the row, or not newer than the write whose letter was discarded. Versions
    decide that, not the order of arrival: a replay through a lane may be refused before or after
    its row is resolved. A row opens again if clocks that differ by CLOCKS_NS may explain the order.
    """
    if row is None:
        return letter
    if letter.letter == row.letter:
        return None
    newest = letter  # which is open, as all letters are
    if row.status == OPEN and letter.version < row.version:
        newest = row
    elif (row.status == REPLAYED and letter.version < row.wrote - CLOCKS_NS) or (
        row.status == DISCARDED and letter.version <= row.version
    ):
        return None
    elif letter.state is None and letter.version == row.wrote:
        newest = replace(letter, state=row.state)  # the replay wrote this state, and was refused
    return replace(
        newest,
        first_at=min(row.first_at, letter.first_at),
        last_at=max(row.last_at, letter.last_at),
        seen=row.seen + letter.seen,
        after=max(row.after, letter.after),
        replays=row.replays,
        replayed_at=row.replayed_at,
    )


def folded(letters: Iterable[Row]) -> list[Row]:
    """One row for each id in *letters*: what merging them one by one comes to."""
    rows: dict[str, Row] = {}
    for letter in letters:
        row = rows.get(letter.id)
        rows[letter.id] = merged(row, letter) or row or letter
    return list(rows.values())


def to_item(row: Row) -> dict[str, Any]:
    """*row* as a DynamoDB item. Lone surrogates, which DynamoDB refuses, are escaped."""
    return dict(_attributes(row))


def _attributes(row: Row) -> Iterator[tuple[str, dict[str, str]]]:
    for field in fields(row):
        value = getattr(row, field.name)
        if value is None:
            continue
        if isinstance(value, Payload):
            value = value.plain()
        if field.name in _JSON:
            yield field.name, {"S": json.dumps(value, separators=(",", ":"), sort_keys=True)}
        elif isinstance(value, int):
            yield field.name, {"N": str(value)}
        else:
            yield field.name, {"S": value.encode(errors="backslashreplace").decode()}


def from_item(item: Mapping[str, Mapping[str, str]]) -> Row:
    """The inverse of `to_item`. *item* may lack attributes, as items of the index do."""
    values: dict[str, Any] = {}
    for field in fields(Row):
        if (attribute := item.get(field.name)) is None:
            continue
        ((tag, text),) = attribute.items()
        if field.name in _JSON:
            values[field.name] = json.loads(text)
        else:
            values[field.name] = int(text) if tag == "N" else text
    if "payload" in values:
        values["payload"] = Payload.read(values["payload"])
    return Row(**values)
