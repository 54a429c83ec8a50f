"""Resync: brings sinks up to date with the table, for given keys. The one way to recover.

    read the items → write what they say → read again; if an item changed meanwhile, start over

It needs no order and no lock, since the table is the source of truth. Parked keys, replayed dead
letters, manual calls and whole tables are all resynced here. tests/proofs/ shows over every
interleaving of a small history why the second reading is needed, why a stale result is retried,
and why a parked key waits until its version has passed (docs/guarantees.md).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from sync.aws.items import Found, Items
from sync.aws.keys import AttributeMap, Source
from sync.errors import NotTried, RecordError, Refused, RegistryError, Retry, SyncError, Unavailable
from sync.model.planner import Planner
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.recovery.settle import Ended
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.fanout import Fanout
from sync.writing.op import Address, Done, Op, Outcome
from sync.writing.versions import SECOND

C = TypeVar("C")

SLICE: Final = 100  # items in memory at once, of up to 400 KB each: one BatchGetItem
_UNREAD: Final = object()  # stands for what a second reading did not give; equals no item
ROUNDS: Final = 3  # of writing and verifying; an item that still changes then ends in Retry


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No model matches the key, or the model does not feed the sink: there is nothing to write."""


Sinks = Collection[str] | None
"""Names of the sinks to write to; None: to all sinks of a model."""

Verdict = Done | Refused | RecordError | RegistryError | Retry | Unmatched
"""The result of a resync of a key: written (Done), can never be (Refused, RecordError,
RegistryError), may succeed later (Retry), or nothing to do (Unmatched)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of a resync for one key.

    *found*: the item as read. *op*: the one that failed, if one did. *version*: of the resync.
    *tried*, with the verdict Retry: something was sent, so a sink may hold, or may yet apply, a
    state other than the item's; the key has to be resynced again.
    """

    key: Parked
    verdict: Verdict
    found: Found = None
    op: Op | None = None
    version: int = 0
    tried: bool = False

    def letter(self, error: SyncError, sink: str | None) -> DeadLetter:
        """The dead letter of the key. *sink*: the one that was resynced; None: all of its model.

        It contains the item, unless the verdict is Retry: such an error does not come from the
        item, so a replay may succeed although the item is unchanged.
        """
        source = self.key.source
        raw: dict[str, Any] = {"table": source.table, "keys": source.keys}
        if not isinstance(self.verdict, Retry):
            raw["item"] = self.found
        return DeadLetter(
            raw,
            error,
            table=source.table,
            keys=source.keys,
            sink=self.op.sink if self.op else sink,
            target=self.op.target if self.op else None,
            document_id=self.op.id if self.op else None,
            version=self.version,
        )

    def ended(self, sink: str | None, cause: C) -> Ended[C] | None:
        """This result of a resync to *sink* as input for `Settle.run`; None: nothing is left to do.

        *cause*: what asked for the resync.
        """
        if isinstance(self.verdict, Done | Unmatched):
            return None

        def letter(error: SyncError) -> DeadLetter:
            return self.letter(error, sink)

        return Ended(sink, self.key, self.verdict, cause, letter)


@dataclass(slots=True)
class Asked:
    """The ops that some items ask for at *version*, and the results of keys that need no write."""

    version: int
    settled: list[Settled] = field(default_factory=list)
    keys: dict[Parked, Found] = field(default_factory=dict)  # those with ops, and their items
    ops: dict[Address, Op] = field(default_factory=dict)
    askers: dict[Address, list[Parked]] = field(default_factory=dict)  # keys that share an op


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a write: results that are final, those to verify, and what a second reading
    found. If that failed, the latter end in its error."""

    settled: Sequence[Settled]
    written: Sequence[Settled]
    now: Mapping[Source, Found] | Retry


class Resync:
    """Writes outside the stream. Stateless between calls."""

    def __init__(self, planner: Planner, fanout: Fanout, items: Items, clock: Clock) -> None:
        self._planner = planner
        self._fanout = fanout
        self._items = items
        self._clock = clock

    def run(
        self,
        keys: Sequence[Parked],
        deadline: Deadline,
        *,
        only: str | None = None,
        sinks: Sinks = None,
    ) -> Iterator[Settled]:
        """Resync *keys* to every sink of their models, to the sink *only*, or to *sinks*; yields a
        result for each item.

        A key is Done when every op of its item is written and a second reading found the item
        unchanged. If one sink fails, the writes of the others are still verified. A key whose
        *after_version* has not passed ends in Retry. Of several keys of one item only the one with
        the highest *after_version* is resynced.
        """
        yield from self._run(keys, deadline, sinks if only is None else (only,))

    def plan(self, items: Mapping[Source, AttributeMap], version: int, sinks: Sinks) -> Asked:
        """What *items* ask for, which the caller has read after it took *version* from the clock,
        of every sink of their models, or of *sinks* alone. To be written, then verified."""
        return self._planned(
            {Parked(source): item for source, item in items.items()}, version, sinks
        )

    def write(
        self, asked: Asked, again: Callable[[], Mapping[Source, Found]], deadline: Deadline
    ) -> Tried:
        """Write what was planned. *again* reads the items a second time."""
        settled, written = self._write(asked, deadline)
        try:
            return Tried(settled, written, again() if written else {})
        except Retry as error:
            return Tried(settled, written, error)

    def verify(self, tried: Tried, deadline: Deadline, sinks: Sinks) -> Iterator[Settled]:
        """Yields a result for each item that was planned. One that the second reading did not give,
        or gave changed, is resynced by its key."""
        yield from tried.settled
        if isinstance(tried.now, Retry):
            error = tried.now
            yield from (replace(result, verdict=error, tried=True) for result in tried.written)
            return
        verified, changed = _compare(tried.written, tried.now)
        yield from verified
        for result in self._run(changed, deadline, sinks):
            yield replace(result, tried=True)

    def _run(self, keys: Sequence[Parked], deadline: Deadline, sinks: Sinks) -> Iterator[Settled]:
        rising = sorted(keys, key=lambda key: key.after_version)
        waiting = list({key.source: key for key in rising}.values())  # the highest of each stays
        for at in range(0, len(waiting), SLICE):
            yield from self._slice(waiting[at : at + SLICE], deadline, sinks)

    def _slice(self, waiting: list[Parked], deadline: Deadline, sinks: Sinks) -> Iterator[Settled]:
        (only,) = sinks if sinks is not None and len(sinks) == 1 else (None,)
        refusal = self._fanout.refusal(only)
        if refusal is None and not deadline.remaining():
            refusal = NotTried("no time is left")
        if refusal is not None:
            yield from (Settled(key, refusal) for key in waiting)  # saves the reading
            return
        for number in range(ROUNDS):
            if not waiting:
                return
            settled, written = self._round(waiting, deadline, sinks)
            yield from (replace(result, tried=result.tried or number > 0) for result in settled)
            now = self._items.read([result.key.source for result in written], deadline)
            verified, waiting = _compare(written, now)
            yield from (replace(result, tried=result.tried or number > 0) for result in verified)
        for key in waiting:
            changed = Unavailable("the item changed each time it was verified")
            yield Settled(key, changed, tried=True)

    def _round(
        self, keys: Sequence[Parked], deadline: Deadline, sinks: Sinks
    ) -> tuple[list[Settled], list[Settled]]:
        """Read and write *keys* once; returns the results that are final, and those to verify."""
        version = self._clock.time_ns()  # taken first: the items read are at least as new
        due = []
        early = []
        for key in keys:
            if key.after_version < version:
                due.append(key)
            else:
                wait_s = (key.after_version - version) / SECOND
                early.append(Settled(key, NotTried(f"its time comes in {wait_s:.0f} s")))
        items = self._items.read([key.source for key in due], deadline)
        asked = self._planned({key: items[key.source] for key in due}, version, sinks)
        settled, written = self._write(asked, deadline)
        return [*early, *settled], written

    def _write(self, asked: Asked, deadline: Deadline) -> tuple[list[Settled], list[Settled]]:
        """Write what is *asked*; returns the results that are final, and those to verify."""
        version = asked.version
        ended = {
            key: Settled(key, Done.WRITTEN, found, version=version)
            for key, found in asked.keys.items()
        }
        wrote: set[Parked] = set()
        tried: set[Parked] = set()
        for outcome in self._fanout.write(asked.ops.values(), deadline):
            for key in asked.askers[outcome.op.address]:
                if outcome.result is Done.WRITTEN:
                    wrote.add(key)
                elif isinstance(outcome.result, Retry) and not isinstance(outcome.result, NotTried):
                    tried.add(key)
                ended[key] = _worse(ended[key], outcome, version)
        settled = asked.settled
        to_verify: list[Settled] = []
        for key, result in ended.items():
            nothing_written = isinstance(result.verdict, Retry) and key not in wrote
            result = replace(result, tried=True) if key in tried else result
            (settled if nothing_written else to_verify).append(result)
        return settled, to_verify

    def _planned(self, items: Mapping[Parked, Found], version: int, sinks: Sinks) -> Asked:
        """Plan the ops of *items*, by their keys."""
        asked = Asked(version)
        for key, found in items.items():
            if isinstance(found, Retry):
                asked.settled.append(Settled(key, found))
                continue
            try:
                ops = self._plan(key, found, version, sinks)
            except (RecordError, RegistryError) as error:
                asked.settled.append(Settled(key, error, found, version=version))
                continue
            if not ops:
                asked.settled.append(Settled(key, Unmatched(), found, version=version))
                continue
            asked.keys[key] = found
            for op in ops:
                asked.ops[op.address] = op
                asked.askers.setdefault(op.address, []).append(key)
        return asked

    def _plan(self, key: Parked, item: AttributeMap | None, version: int, sinks: Sinks) -> list[Op]:
        """The ops for *key*, whose item is *item*; each carries *since_s* of the key."""
        pattern = self._planner.match(key.source)
        if pattern is None:
            return []
        plan = self._planner.plan(pattern, key.source, version, new_image=item)
        ops = [op for op in plan.ops if sinks is None or op.sink in sinks]
        if key.since_s is None:
            return ops
        return [replace(op, since_s=key.since_s) for op in ops]


def _compare(
    written: Sequence[Settled], now: Mapping[Source, Found]
) -> tuple[list[Settled], list[Parked]]:
    """Split results by a second reading: those that are final, and the keys to write once more."""
    verified: list[Settled] = []
    changed: list[Parked] = []
    for result in written:
        item = now.get(result.key.source, _UNREAD)
        if item == result.found:
            verified.append(result)
        elif isinstance(item, Retry):
            verified.append(replace(result, verdict=item, tried=True))
        elif isinstance(result.verdict, Retry):  # its request may overwrite a newer state
            verified.append(replace(result, tried=True))
        else:
            changed.append(result.key)
    return verified, changed


def _worse(so_far: Settled, outcome: Outcome, version: int) -> Settled:
    """The result of a key after *outcome* of one of its ops: Retry beats a refusal, which beats
    Done."""
    if outcome.result is Done.WRITTEN or isinstance(so_far.verdict, Retry):
        return so_far
    key, verdict = so_far.key, _verdict(outcome)
    # A failed request may still take effect: the next resync needs a higher version, on any clock.
    above = max(key.after_version, version) if isinstance(verdict, Retry) else key.after_version
    return Settled(replace(key, after_version=above), verdict, so_far.found, outcome.op, version)


def _verdict(outcome: Outcome) -> Refused | Retry:
    if isinstance(outcome.result, Done):
        logger.info("a resync was stale", extra={"document_id": outcome.op.id})
        return Unavailable("stale: the sink holds a newer version; the key is resynced again later")
    return outcome.result
