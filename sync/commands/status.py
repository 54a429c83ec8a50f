"""`status`: the state of sinks, queues, dead letters and streams, in one answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

from sync.aws.clients import queue_name
from sync.commands.parts import problems
from sync.commands.parts.cloudwatch import Metric, latest
from sync.commands.parts.command import Command
from sync.commands.parts.problems import Level, Problem
from sync.commands.parts.queues import UNKNOWN, Waiting, total, waiting
from sync.deadletters.table import Filter
from sync.errors import Retry
from sync.runtime.clock import now_s
from sync.runtime.deadline import Deadline
from sync.runtime.moments import iso
from sync.service import lane_name

if TYPE_CHECKING:
    from sync.service import Service

T = TypeVar("T")

_MOST_COUNTED: Final = 5_000  # open dead letters; if there are more, no total is known


class SinkState(TypedDict):
    """The state of a sink. null: unknown, or never happened."""

    sink: str
    last_success_at: str | None
    lag_s: int | None  # age of the oldest change in the last write that was noted
    breaker: str  # "closed", or "open until" a moment
    broken_by: str | None
    dead: int | None  # its open dead letters


class QueueState(Waiting):
    """A queue of a sink, or its dead-letter queue."""

    sink: str
    queue: str
    dead_letters: bool


class LetterState(TypedDict, total=False):
    """Dead letters: open ones in the table, and those still on its queue."""

    open: int
    counted_all: bool  # false: there are more open ones
    oldest: str | None
    queued: int | None
    lasting: bool | None


class StreamState(TypedDict):
    iterator_age_ms: int | None


class State(TypedDict):
    """null or missing: could not be read, and a problem says why."""

    level: Level
    problems: list[Problem]
    sinks: list[SinkState]
    queues: list[QueueState]
    parked: Waiting | dict[str, Any]  # messages of all sinks: SQS can't count by sink
    dead_letters: LetterState
    stream: StreamState
    at: str


class Status(Command):
    """Show sinks, queues, parked keys, dead letters, and how late the streams are.

    A sink with a queue of its own has two entries in "sinks": "NAME queue", which the stream writes
    to, and "NAME" behind it. Yellow: a person should look. Red: records may be lost.
    """

    def run(self, service: "Service", deadline: Deadline) -> State:
        found: list[Problem] = []
        at_s = now_s(service.clock)
        config, clients = service.config, service.clients
        letters = _asked(found, lambda: _dead_letters(service, deadline))
        parked: Waiting | dict[str, Any] = (
            _asked(found, lambda: waiting(clients, config.resync_queue_url, at_s)) or {}
        )
        queued = _asked(found, lambda: waiting(clients, config.dead_letter_queue_url, at_s))
        age_ms = _asked(found, lambda: _iterator_age_ms(service, at_s))
        rows = _asked(found, lambda: service.state.read() if service.state else {}) or {}
        dead: LetterState
        dead, by_sink = letters or ({}, None)
        sinks = [
            _sink(
                name,
                rows.get(name, {}),
                by_sink[name] if has_letters and by_sink is not None else None,
                at_s,
            )
            for name, has_letters in sorted(_names(service))
        ]
        queues = [
            _queue(sink, url, dead_letters, _asked(found, partial(waiting, clients, url, at_s)))
            for sink, url, dead_letters in _queues(service)
        ]
        dead["queued"] = total(queued) if queued else None
        dead["lasting"] = queued["lasting"] if queued else None
        found += [
            *problems.of_streams(age_ms, config.iterator_age_alarm_ms, [*service.registry.tables]),
            *problems.of_sinks(sinks),
            *problems.of_parked(parked),
            *problems.of_queues(queues),
            *problems.of_dead_letters(dead),
        ]
        return {
            "level": problems.worst(found),
            "problems": found,
            "sinks": sinks,
            "queues": queues,
            "parked": parked,
            "dead_letters": dead,
            "stream": {"iterator_age_ms": age_ms},
            "at": iso(at_s),
        }


def _asked(found: list[Problem], ask: Callable[[], T]) -> T | None:
    """The result of *ask*; None if it raises Retry, which is added to *found* as a problem."""
    try:
        return ask()
    except Retry as error:
        found.append(problems.yellow(f"could not be read: {error}"))
        return None


def _names(service: "Service") -> Iterator[tuple[str, bool]]:
    """Each name of the state table, and whether dead letters can have it as their sink."""
    yield from ((name, True) for name in service.sinks)
    yield from ((lane_name(name), False) for name in service.senders)


def _queues(service: "Service") -> Iterator[tuple[str, str, bool]]:
    """Of each sink's queues: the sink, the URL, and whether it is a dead-letter queue."""
    for name, sender in service.senders.items():
        yield name, sender.queue_url, False
        yield name, sender.dead_letter_queue_url, True


def _queue(sink: str, url: str, dead_letters: bool, held: Waiting | None) -> QueueState:
    held = held or UNKNOWN
    return {"sink": sink, "queue": queue_name(url), "dead_letters": dead_letters, **held}


def _sink(name: str, row: Mapping[str, Any], dead: int | None, now_s: float) -> SinkState:
    success, broken = row.get("last_success_at"), row.get("broken_at")
    # A success at another target does not end the pause of one target's breaker.
    is_news = broken and (row.get("broken_target") or broken > (success or ""))
    open_until = row.get("broken_until") if is_news else None
    if open_until and open_until <= iso(now_s):
        open_until = None
    return {
        "sink": name,
        "last_success_at": success,
        "lag_s": int(row["lag_s"]) if "lag_s" in row else None,
        "breaker": f"open until {open_until}" if open_until else "closed",
        "broken_by": row.get("broken_by") if open_until else None,
        "dead": dead,
    }


def _dead_letters(
    service: "Service", deadline: Deadline
) -> tuple[LetterState, Counter[str | None] | None]:
    """The state of the open dead letters, and their number by sink."""
    rows, more = service.dead_letter_table.page(
        Filter(), limit=_MOST_COUNTED, cursor=None, deadline=deadline
    )
    letters: LetterState = {
        "open": len(rows),
        "counted_all": more is None,
        "oldest": rows[0].first_at if rows else None,
    }
    return letters, Counter(row.sink for row in rows)


def _iterator_age_ms(service: "Service", now_s: float) -> int | None:
    function = f"stream-sync-{service.config.stage}-stream"
    age = Metric("AWS/Lambda", "IteratorAge", ("FunctionName", function))
    return latest(service.clients, age, now_s)
