"""Bringing sinks in line with the table, for single keys: the one way to recover.

    read the items → write what they say → read again; if they changed meanwhile, once more

It needs no order and no lock: the table is the truth. Parked keys, replayed dead letters, manual
calls and whole tables all go through here. Why verifying is needed, why a stale answer is never
the end, and why a parked key waits until its version is past: shown over every interleaving of a
small history (docs/guarantees.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sync.aws.items import Found, Items
from sync.aws.keys import Source
from sync.errors import NotTried, RecordError, Refused, RegistryError, Retry, SyncError, Unavailable
from sync.model.planner import Planner
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.fanout import Fanout
from sync.writing.op import Address, Done, Op, Outcome

SLICE: Final = 100  # items in memory at once, of up to 400 KB each: one BatchGetItem
ROUNDS: Final = 3  # of writing and verifying, before an item that keeps changing is left for later


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No model wants the key, or its model does not feed the sink: there is nothing to do."""


Verdict = Done | Refused | RecordError | RegistryError | Retry | Unmatched
"""What became of a key: in line (Done), never (Refused, RecordError, RegistryError), not yet
(Retry), or of no model (Unmatched)."""


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
    version: int = 0
    tried: bool = False

    def letter(self, error: SyncError, sink: str | None) -> DeadLetter:
        """A dead letter for the key, with the item as it was read. *sink*: the one it is for.

        Where the item had no part in the error it is left out: then a replay may end otherwise
        although the item has not changed.
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


@dataclass(slots=True)
class Asked:
    """What the items of some keys ask for, and what is settled without writing anything."""

    settled: list[Settled] = field(default_factory=list)
    keys: dict[Parked, Found] = field(default_factory=dict)  # those that ask for ops
    ops: dict[Address, Op] = field(default_factory=dict)
    askers: dict[Address, list[Parked]] = field(default_factory=dict)  # several may ask for one


class Resync:
    """Writes outside the stream. Holds no state of a call."""

    def __init__(self, planner: Planner, fanout: Fanout, items: Items, clock: Clock) -> None:
        self._planner = planner
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
            if key.source not in latest or key.after_version > latest[key.source].after_version:
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
            settled, written = self._round(waiting, deadline, only)
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

    def _round(
        self, keys: Sequence[Parked], deadline: Deadline, only: str | None
    ) -> tuple[list[Settled], list[Settled]]:
        """Read and write *keys* once; returns what is settled, and what is so once verified."""
        version = self._clock.time_ns()  # taken before reading: what is read is no older
        asked = self._ask(keys, version, deadline, only)
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
        for key, one in ended.items():
            again = isinstance(one.verdict, Retry) and key not in wrote
            (settled if again else to_verify).append(replace(one, tried=key in tried))
        return settled, to_verify

    def _ask(
        self, keys: Sequence[Parked], version: int, deadline: Deadline, only: str | None
    ) -> Asked:
        """Read the items of *keys* and plan their ops."""
        asked = Asked()
        due = []
        for key in keys:
            if key.after_version < version:
                due.append(key)
            else:
                wait_s = (key.after_version - version) / 1e9
                asked.settled.append(Settled(key, NotTried(f"its time comes in {wait_s:.0f} s")))
        items = self._items.read([key.source for key in due], deadline)
        for key in due:
            found = items[key.source]
            if isinstance(found, Retry):
                asked.settled.append(Settled(key, found))
                continue
            try:
                ops = self._plan(key, found, version, only)
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

    def _plan(self, key: Parked, found: Found, version: int, only: str | None) -> list[Op]:
        """The ops that *key*'s item asks for; a sink behind a queue passes on the key's age."""
        pattern = self._planner.match(key.source)
        if pattern is None:
            return []
        image = None if isinstance(found, Retry) else found
        plan = self._planner.plan(pattern, key.source, version, new_image=image)
        return [replace(op, since_s=key.since_s) for op in plan.ops if only in (None, op.sink)]


def _worse(so_far: Settled, outcome: Outcome, version: int) -> Settled:
    """*so_far*, or what *outcome* says: of several sinks' verdicts one that may pass decides."""
    if outcome.result is Done.WRITTEN or isinstance(so_far.verdict, Retry):
        return so_far
    key, verdict = so_far.key, _verdict(outcome)
    # What was tried may land yet: whoever resyncs next, by whatever clock, has to be above.
    above = max(key.after_version, version) if isinstance(verdict, Retry) else key.after_version
    return Settled(replace(key, after_version=above), verdict, so_far.found, outcome.op, version)


def _verdict(outcome: Outcome) -> Refused | Retry:
    if isinstance(outcome.result, Done):
        logger.info("a resync was stale", extra={"document_id": outcome.op.id})
        return Unavailable("stale: the sink holds a newer version; it is tried again later")
    return outcome.result
