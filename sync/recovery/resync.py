"""Bringing sinks in line with the table, for single keys: the one way to recover.

    read the items → write what they say → read again; if they changed meanwhile, once more

It needs no order and no lock: the table is the truth. Parked keys, replayed dead letters, manual
calls and whole tables all go through here. Why verifying is needed, why a stale answer is never
the end, and why a parked key waits until its version is past: shown over every interleaving of a
small history (docs/guarantees.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sync.aws.items import Found, Items
from sync.aws.keys import Source
from sync.deadletters.brake import Brake
from sync.errors import (
    ModelBug,
    NotTried,
    RecordError,
    Refused,
    RegistryError,
    Retry,
    SyncError,
    Unavailable,
)
from sync.model.change import Change, Planned
from sync.model.registry import Registry
from sync.recovery.parking import Parked
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.fanout import Fanout
from sync.writing.ids import document_id
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import Sink

SLICE: Final = 100  # items in memory at once, of up to 400 KB each: one BatchGetItem
ROUNDS: Final = 3  # of writing and verifying, before an item that keeps changing is left for later


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No model wants the key, or its model does not feed the sink: there is nothing to do."""


Place = tuple[type[Sink], str, str]
"""A sink, and the target and id of what it holds there."""

Verdict = Done | Refused | RecordError | RegistryError | Retry | Unmatched
"""What became of a key: in line (Done), never (Refused, RecordError, RegistryError), not yet
(Retry), or nobody's (Unmatched)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A key, what became of it, and the op that decided so.

    *version* is that of the resync. *tried*: something was sent of which nobody knows whether it
    is, or will be, what the table says; somebody has to come again.
    """

    key: Parked
    verdict: Verdict
    found: Found = None
    op: Op | None = None
    sink: type[Sink] | None = None
    version: int = 0
    tried: bool = False


class Resync:
    """Writes outside the stream. Holds no state of a call."""

    def __init__(
        self,
        registry: Registry,
        fanout: Fanout,
        items: Items,
        clock: Clock,
        brake: Brake | None = None,
    ) -> None:
        """*brake*, if given, is told what models take and refuse."""
        self._registry = registry
        self._brake = brake
        self._fanout = fanout
        self._items = items
        self._clock = clock

    def run(
        self, keys: Sequence[Parked], deadline: Deadline, *, only: str | None = None
    ) -> Iterator[Settled]:
        """Bring the sinks of *keys* (or only the sink of that name) in line, and say how it went.

        A key is Done when every op that its item asks for is written and a second reading found
        the item unchanged. Where one sink refuses, or may yet take it, the others are verified all
        the same. Keys whose time has not come are Retry. Of keys of one item the one that has to
        wait longest stands for all.
        """
        latest: dict[Source, Parked] = {}
        for key in keys:
            if key.source not in latest or key.after > latest[key.source].after:
                latest[key.source] = key
        waiting = list(latest.values())
        for at in range(0, len(waiting), SLICE):
            yield from self._slice(waiting[at : at + SLICE], deadline, only)

    def _slice(
        self, waiting: list[Parked], deadline: Deadline, only: str | None
    ) -> Iterator[Settled]:
        refusal = self._fanout.refusal(only)
        if refusal is None and not deadline.remaining():
            refusal = NotTried("no time is left")
        if refusal is not None:
            yield from (Settled(key, refusal) for key in waiting)  # reading would be for nothing
            return
        for number in range(ROUNDS):
            if not waiting:
                return
            settled, written = self._write(waiting, deadline, only)
            yield from (replace(one, tried=one.tried or number > 0) for one in settled)
            waiting = []
            now = self._items.read([one.key.source for one in written], deadline)
            for one in written:
                again = now[one.key.source]
                if again == one.found:
                    yield replace(one, tried=one.tried or number > 0)
                elif isinstance(again, Retry):
                    yield replace(one, verdict=again, tried=True)
                elif isinstance(one.verdict, Retry):  # what was sent may land on a newer write
                    yield replace(one, tried=True)
                else:
                    waiting.append(one.key)
        for key in waiting:
            changed = Unavailable("the item changed each time it was verified")
            yield Settled(key, changed, tried=True)

    def _write(
        self, keys: Sequence[Parked], deadline: Deadline, only: str | None
    ) -> tuple[list[Settled], list[Settled]]:
        """Read and write *keys* once; returns what is settled, and what is so once verified."""
        settled: list[Settled] = []
        version = self._clock.time_ns()  # taken before reading: what is read is no older
        due = []
        for key in keys:
            if key.after < version:
                due.append(key)
            else:
                wait_s = (key.after - version) / 1e9
                settled.append(Settled(key, NotTried(f"its time comes in {wait_s:.0f} s")))
        items = self._items.read([key.source for key in due], deadline)
        ops: dict[Place, Op] = {}
        askers: dict[Place, list[Parked]] = {}  # several items may ask for one op
        asked: list[Parked] = []
        for key in due:
            found = items[key.source]
            if isinstance(found, Retry):
                settled.append(Settled(key, found))
                continue
            try:
                planned = self._plan(key.source, found, version, only)
            except (RecordError, RegistryError) as error:
                settled.append(Settled(key, error, found, version=version))
                continue
            if not planned:
                settled.append(Settled(key, Unmatched(), found, version=version))
                continue
            asked.append(key)
            for sink, op in planned:  # a sink that hands it on hands on its age
                ops[sink, op.target, op.id] = replace(op, since=key.since)
                askers.setdefault((sink, op.target, op.id), []).append(key)
        ended = {
            key: Settled(key, Done.WRITTEN, items[key.source], version=version) for key in asked
        }
        wrote: set[Parked] = set()
        tried: set[Parked] = set()
        for sink, outcome, key in self._outcomes(ops, askers, deadline):
            if outcome.result is Done.WRITTEN:
                wrote.add(key)
            elif isinstance(outcome.result, Retry) and not isinstance(outcome.result, NotTried):
                tried.add(key)
            if outcome.result is Done.WRITTEN or isinstance(ended[key].verdict, Retry):
                continue  # of several sinks' verdicts one that may yet pass decides
            verdict = _verdict(outcome)
            # What was tried may land yet: whoever resyncs next, by whatever clock, has to be above.
            above = max(key.after, version) if isinstance(verdict, Retry) else key.after
            ended[key] = Settled(
                replace(key, after=above), verdict, items[key.source], outcome.op, sink, version
            )
        to_verify: list[Settled] = []
        for key, one in ended.items():
            one = replace(one, tried=key in tried)
            again = isinstance(one.verdict, Retry) and key not in wrote
            (settled if again else to_verify).append(one)
        return settled, to_verify

    def _plan(self, source: Source, found: Found, version: int, only: str | None) -> list[Planned]:
        pattern = self._registry.match(source.table, source.keys)
        if pattern is None:
            return []
        change = Change(
            pattern.model,
            source,
            document_id(source.keys, pattern.names),
            version,
            new_image=None if isinstance(found, Retry) else found,
        )
        try:
            planned = list(pattern.model.plan(change))
        except SyncError as error:
            self._read(change, error)
            raise
        except Exception as error:
            # A batch of the stream is bisected until its bug is alone. Keys come from anywhere and
            # have nobody to do that, so it is told here and costs its own key.
            name = pattern.model.__name__
            extra = {"table": source.table, "keys": source.keys}
            logger.exception("plan of %s failed", name, extra=extra)
            bug = ModelBug(f"the plan of {name} failed: {error!r}")
            bug.model = name
            self._read(change, bug)
            raise bug from error
        self._read(change)
        return [(sink, op) for sink, op in planned if only in (None, sink.name)]

    def _read(self, change: Change[Any], error: Exception | None = None) -> None:
        if self._brake is not None:
            self._brake.read(change.model.__name__, change.id, error)

    def _outcomes(
        self,
        ops: Mapping[Place, Op],
        askers: Mapping[Place, Sequence[Parked]],
        deadline: Deadline,
    ) -> Iterator[tuple[type[Sink], Outcome, Parked]]:
        """Write *ops*; what became of each, for every key that asked for it."""
        by_sink: dict[type[Sink], list[Op]] = {}
        for (sink, _, _), op in ops.items():
            by_sink.setdefault(sink, []).append(op)
        for sink, outcome in self._fanout.write(by_sink, deadline):
            for key in askers[sink, outcome.op.target, outcome.op.id]:
                yield sink, outcome, key


def _verdict(outcome: Outcome) -> Refused | Retry:
    if isinstance(outcome.result, Done):
        logger.info("a resync was stale", extra={"document_id": outcome.op.id})
        return Unavailable("stale: the sink holds a newer version; it is tried again later")
    return outcome.result
