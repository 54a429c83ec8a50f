"""The rows of a run: one of the run itself, and one of each of its segments."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from zlib import compress, decompress

from sync.aws.keys import AttributeMap
from sync.runtime.jsontext import strict

RUN: Final = "run"  # the sort key of the run's own row; those of segments are numbers

Status: TypeAlias = Literal["running", "paused", "cancelled", "done"]


@dataclass(frozen=True, slots=True)
class Run:
    """A run of *kind* over *table*. *arguments*: what it was started with, as JSON has it.

    *revision* counts the writes of the row, which each need the one before.
    """

    id: str
    kind: str
    table: str
    arguments: Mapping[str, Any]
    segments: int
    items: int | None  # of the table, as DynamoDB estimated at the start; None: unknown
    started_at: str
    status: Status = "running"
    finished_at: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """How far a segment is.

    *cursor*: the key after which its next page starts; None: its first page, or none if *done*.
    *hop*: the number of the message that is to be handled next; *sent*: of the last message that
    was sent for certain. *holder* (an id of SQS) is the message that a worker handles, until
    *held_until* (epoch seconds) at most; without a holder, its worker may be sending the next one
    until then. *keys*: of the items of a page that may be written in part, by a worker that died or
    to a sink that did not answer. *tries*: how often the next page was not completed, and *cause*
    why. *after*: its next try needs a version above this one.
    """

    run: str
    number: int
    cursor: AttributeMap | None = None
    done: bool = False
    hop: int = 0
    sent: int = -1
    holder: str | None = None
    held_until: int = 0
    keys: tuple[AttributeMap, ...] = ()
    tries: int = 0
    cause: str | None = None
    after: int = 0
    units: float = 0.0  # read units consumed by scans
    counts: Mapping[str, int] = field(default_factory=dict)
    updated_at: str = ""
    revision: int = 0

    @property
    def begun(self) -> bool:
        """Whether its next page may be written in part."""
        return bool(self.keys)

    def is_held(self, now_s: float) -> bool:
        """Whether a worker has claimed it at *now_s* (epoch seconds)."""
        return self.holder is not None and self.held_until > now_s


def run_item(run: Run) -> dict[str, Any]:
    """*run* as an item, without its expiry."""
    return _item(run.id, RUN, run, {"arguments": strict(run.arguments)})


def segment_item(segment: Segment) -> dict[str, Any]:
    """*segment* as an item, without its expiry."""
    texts = {
        "cursor": None if segment.cursor is None else strict(segment.cursor),
        "counts": strict(segment.counts),
        "keys": _packed(segment.keys) if segment.keys else None,
    }
    return _item(segment.run, part_of(segment.number), segment, texts)


def part_of(number: int) -> str:
    """The sort key of the row of a segment."""
    return f"{number:04d}"


def run_of(item: AttributeMap) -> Run:
    """The run that `run_item` wrote."""
    values = _values(item)
    return Run(
        id=values["run"],
        kind=values["kind"],
        table=values["table"],
        arguments=json.loads(values["arguments"]),
        segments=int(values["segments"]),
        items=int(values["items"]) if "items" in values else None,
        started_at=values["started_at"],
        status=values["status"],
        finished_at=values.get("finished_at"),
        revision=int(values["revision"]),
    )


def segment_of(item: AttributeMap) -> Segment:
    """The segment that `segment_item` wrote."""
    values = _values(item)
    return Segment(
        run=values["run"],
        number=int(values["part"]),
        cursor=json.loads(values["cursor"]) if "cursor" in values else None,
        done=values["done"],
        hop=int(values["hop"]),
        sent=int(values["sent"]),
        holder=values.get("holder"),
        held_until=int(values["held_until"]),
        keys=_unpacked(values["keys"]) if "keys" in values else (),
        tries=int(values["tries"]),
        cause=values.get("cause"),
        after=int(values["after"]),
        units=float(values["units"]),
        counts=json.loads(values["counts"]),
        updated_at=values["updated_at"],
        revision=int(values["revision"]),
    )


def _item(run: str, part: str, row: Run | Segment, texts: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__slots__ if name not in ("id", "number")}
    values |= {**texts, "run": run, "part": part}
    return {name: _value(value) for name, value in values.items() if value is not None}


def _packed(keys: Sequence[AttributeMap]) -> str:
    """*keys* as text, so that those of a page fit into a row."""
    return b64encode(compress(strict(list(keys)).encode())).decode()


def _unpacked(text: str) -> tuple[AttributeMap, ...]:
    return tuple(json.loads(decompress(b64decode(text))))


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": repr(value)}


def _values(item: AttributeMap) -> dict[str, Any]:
    return {name: next(iter(av.values())) for name, av in item.items()}
