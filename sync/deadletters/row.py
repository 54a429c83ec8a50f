"""A row of the dead-letter table, and what becomes of it when another letter of it comes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from sync.aws.keys import AttributeMap
from sync.recovery.bodies import Payload

OPEN, REPLAYED, DISCARDED = STATUSES = ("open", "replayed", "discarded")
RUNNING: Final = "running"  # not of a letter: keys that a command is writing, see journal.py
CLOCKS_NS: Final = 300 * 10**9  # by how much the clocks of two machines may differ

_JSON: Final = frozenset({"keys", "payload"})  # attributes that are kept as JSON text


@dataclass(frozen=True, slots=True)
class Row:
    """The letters of one key and sink, as they stand in the table: the newest of them, whole.

    What is about no item has a row for each letter. Moments are ISO 8601, UTC, to the millisecond.
    The attributes have the same names. The index `by-status` lacks body, payload and trace.
    """

    id: str  # sync/recovery/letters.py, row_id
    kind: str  # sync/deadletters/rows.py lists them
    first_at: str
    last_at: str
    status: str = OPEN
    seen: int = 1  # how many letters there were
    letter: str = ""  # the id of the one that this row holds
    table: str | None = None
    keys: AttributeMap | None = None  # None: it is about no item, or about one that can't be told
    sink: str | None = None  # None: every sink that its model feeds
    model: str | None = None
    target: str | None = None
    document_id: str | None = None
    error_class: str = ""
    error: str = ""
    trace: str | None = None
    version: int = 0  # of the write that failed
    after: int = 0  # a resync of its key has to have a version above this one
    state: str | None = None  # of the item when it last failed (state_of); None: not known
    body: str | None = None  # what could not be written, as JSON; None: see payload
    payload: Payload | None = None
    replays: int = 0  # how many failed
    replayed_at: str | None = None  # the last that failed
    reason: str | None = None  # how it was resolved
    resolved_at: str | None = None
    wrote: int = 0  # the version of what the replay wrote that resolved it
    erased_at: str | None = None  # when body, payload and trace were removed on request
    expires_at: int | None = None  # epoch seconds; then DynamoDB removes it (TTL)

    def summary(self) -> dict[str, Any]:
        """What lists show: all but body, payload and trace, and what only the service needs."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("body", "payload", "trace", "letter", "state", "wrote"):
            del shown[name]
        return {name: value for name, value in shown.items() if value is not None}


def merged(row: Row | None, letter: Row) -> Row | None:
    """What *row* becomes now that *letter*, a row of one letter, has come; None: it stays.

    A letter that was delivered before changes nothing. Nor does one about a write that is older
    than what resolved the row: what was written since covers it. That is told by the versions of
    the writes, never by when anybody heard of them: a replay that goes by a queue is refused after
    it was resolved, or before. Where the clocks of two machines leave a doubt, the row opens.
    """
    if row is None:
        return letter
    if letter.letter == row.letter:
        return None
    newest = letter
    if row.status == OPEN and letter.version < row.version:
        newest = row
    elif (row.status == REPLAYED and letter.version < row.wrote - CLOCKS_NS) or (
        row.status == DISCARDED and letter.version <= row.version
    ):
        return None
    elif letter.state is None and letter.version == row.wrote:
        newest = replace(letter, state=row.state)  # a replay wrote this very state
    return replace(
        newest,
        first_at=min(row.first_at, letter.first_at),
        last_at=max(row.last_at, letter.last_at),
        status=OPEN,
        seen=row.seen + 1,
        after=max(row.after, letter.after),
        replays=row.replays,
        replayed_at=row.replayed_at,
    )


def to_item(row: Row) -> dict[str, Any]:
    """*row* as DynamoDB keeps it. Lone surrogates, which it refuses, become escapes."""
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
            yield field.name, {"S": value.encode("utf-8", "backslashreplace").decode()}


def from_item(item: Mapping[str, Mapping[str, str]]) -> Row:
    """The row that `to_item` gave; an item of the index lacks some of it."""
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
