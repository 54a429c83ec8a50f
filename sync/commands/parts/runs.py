"""What commands say of runs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias, TypedDict

from pydantic import Field, StringConstraints

from sync.commands.parts.argument import Positional
from sync.runs.rows import Run, Segment

_COUNTED: Final = ("read", "written", "unmatched", "parked", "failed")

RunId: TypeAlias = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    Positional(),
    Field(description="id of the backfill"),
]


class Turned(TypedDict):
    """A run, and what it is from now on."""

    id: str
    table: str
    status: str


class Totals(TypedDict):
    """What all segments of a run have done. *units*: read units that their scans consumed."""

    read: int
    written: int
    unmatched: int
    parked: int
    failed: int
    units: float


class Part(TypedDict):
    """A segment. *state*: "working", "waiting" for its next message, or "done". *cause*: why its
    page has to be done again."""

    segment: int
    state: str
    counts: Mapping[str, int]
    tries: int
    cause: str | None
    updated_at: str


class Shown(TypedDict):
    """A run. *items*: of its table, as DynamoDB estimated at the start; null: unknown."""

    id: str
    table: str
    status: str
    started_at: str
    finished_at: str | None
    arguments: Mapping[str, Any]
    items: int | None
    segments: int
    segments_done: int
    totals: Totals
    cause: str | None
    updated_at: str


def turned(run: Run) -> Turned:
    return {"id": run.id, "table": run.table, "status": run.status}


def shown(run: Run, segments: Sequence[Segment]) -> Shown:
    """*run* with the totals of its *segments*."""
    causes = (segment.cause for segment in segments if segment.cause is not None)
    return {
        "id": run.id,
        "table": run.table,
        "status": run.status,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "arguments": {name: value for name, value in run.arguments.items() if value is not None},
        "items": run.items,
        "segments": run.segments,
        "segments_done": sum(segment.done for segment in segments),
        "totals": _totals(segments),
        "cause": next(causes, None),
        "updated_at": max((segment.updated_at for segment in segments), default=run.started_at),
    }


def part(segment: Segment, now_s: float) -> Part:
    """*segment* as it is at *now_s* (epoch seconds)."""
    working = segment.is_held(now_s)
    return {
        "segment": segment.number,
        "state": "done" if segment.done else "working" if working else "waiting",
        "counts": segment.counts,
        "tries": segment.tries,
        "cause": segment.cause,
        "updated_at": segment.updated_at,
    }


def _totals(segments: Iterable[Segment]) -> Totals:
    counts = Counter[str]()
    units = 0.0
    for segment in segments:
        counts.update(segment.counts)
        units += segment.units
    read, written, unmatched, parked, failed = (counts[name] for name in _COUNTED)
    return {
        "read": read,
        "written": written,
        "unmatched": unmatched,
        "parked": parked,
        "failed": failed,
        "units": units,
    }
