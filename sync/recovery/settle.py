"""What becomes of a key that a sink does not have yet: the one place that decides it.

    the result of a write                         what becomes of its key
    stale                                         parked: what the sink holds may be late, not newer
    may pass (Retry)                              parked; for a strict sink, its cause comes again
    may pass, and was parked 14 days ago          dead letter
    never (Refused, RecordError, RegistryError)   dead letter; parked while the brake is on

A cause is what asked for the write: a stream record or a message. It comes again, too, where its
key can be neither parked nor published.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sync.errors import Held, RecordError, Refused, RegistryError, Retry, SyncError, Throttled
from sync.recovery.brake import Brake
from sync.recovery.letters import DeadLetter, DeadLetters
from sync.recovery.parking import Parked, ParkedMessage, Parking, expiry
from sync.recovery.resync import Settled, Unmatched
from sync.runtime.log import logger
from sync.writing.op import Done

C = TypeVar("C")

Unsettled = Done | Refused | RecordError | RegistryError | Retry

STALE: Final = Throttled("stale: the sink holds a newer version")
_SHOWN: Final = 10  # keys in one line of the log; an outage has millions


@dataclass(frozen=True, slots=True)
class Ended(Generic[C]):
    """A write of *key* to *sink* (None: to every sink of its model) that did not end in WRITTEN.

    *letter* makes the dead letter for it, if there is to be one.
    """

    sink: str | None
    key: Parked
    result: Unsettled
    cause: C
    letter: Callable[[SyncError], DeadLetter]


@dataclass(slots=True)
class Settlement(Generic[C]):
    """What became of keys. *again*: the causes that have to come again, each with the reason."""

    parked: int = 0
    quarantined: int = 0
    again: list[tuple[C, Exception]] = field(default_factory=list)


class Settle:
    """Parks keys and publishes dead letters. *strict* names sinks whose keys are not parked."""

    def __init__(
        self,
        parking: Parking,
        dead_letters: DeadLetters,
        brake: Brake,
        *,
        strict: Collection[str] = (),
    ) -> None:
        self._parking = parking
        self._dead_letters = dead_letters
        self._brake = brake
        self._strict = strict

    def run(
        self, ended: Iterable[Ended[C]], *, message: ParkedMessage | None = None
    ) -> Settlement[C]:
        """Settle the keys of *ended*. *message*: the one whose keys they are, if they were parked;
        then they are parked for longer than the last time."""
        waiting: list[tuple[Ended[C], Retry]] = []
        letters: dict[int, Ended[C]] = {}  # by the id() of a letter
        refused: list[DeadLetter] = []
        kept: list[DeadLetter] = []
        for one in ended:
            error = STALE if isinstance(one.result, Done) else one.result
            old = one.key.since_s is not None and self._parking.expired(one.key.since_s)
            if isinstance(error, Retry) and not old:
                waiting.append((one, error))
                continue
            letter = one.letter(expiry(error) if isinstance(error, Retry) else error)
            letters[id(letter)] = one
            (kept if old else refused).append(letter)
        taken, held = self._brake.sift(refused)
        waiting += [(letters[id(letter)], error) for letter, error in held]
        kept = [*taken, *kept]
        settlement: Settlement[C] = Settlement(quarantined=len(kept))
        self._park(waiting, message, settlement)
        for letter, error in self._dead_letters.publish(kept):
            settlement.again.append((letters[id(letter)].cause, error))
        return settlement

    def _park(
        self,
        waiting: Sequence[tuple[Ended[C], Retry]],
        message: ParkedMessage | None,
        settlement: Settlement[C],
    ) -> None:
        by_sink: dict[str | None, list[tuple[Ended[C], Retry]]] = {}
        for one, error in waiting:
            by_sink.setdefault(one.sink, []).append((one, error))
        for sink, members in by_sink.items():
            _log(sink, [each for each in members if each[1] is not STALE], logging.ERROR)
            _log(sink, [each for each in members if each[1] is STALE], logging.WARNING)
            causes: dict[Parked, list[C]] = {}
            for one, error in members:
                if sink in self._strict and error is not STALE and not isinstance(error, Held):
                    settlement.again.append((one.cause, error))
                else:
                    causes.setdefault(one.key, []).append(one.cause)
            settlement.parked += len(causes)
            for key, reason in self._send(sink, list(causes), message):
                logger.error(
                    "not parked; its cause comes again",
                    extra={"table": key.source.table, "keys": key.source.keys, "sink": sink},
                    exc_info=reason,
                )
                settlement.again += [(cause, reason) for cause in causes[key]]

    def _send(
        self, sink: str | None, keys: Sequence[Parked], message: ParkedMessage | None
    ) -> Iterator[tuple[Parked, Retry]]:
        if message is None:
            return self._parking.park(sink, keys)
        return self._parking.again(message, keys)


def ended_of(settled: Settled, sink: str | None, cause: C) -> Ended[C] | None:
    """What is left to do about *settled*, a key of *sink*; None: nothing."""
    verdict = settled.verdict
    if isinstance(verdict, Done | Unmatched):
        return None

    def letter(error: SyncError) -> DeadLetter:
        return settled.letter(error, sink)

    return Ended(sink, settled.key, verdict, cause, letter)


def _log(sink: str | None, failures: Sequence[tuple[Ended[C], Retry]], level: int) -> None:
    """One line for each error: how many items wait for it, ten of them, and its trace once."""
    by_error: dict[str, tuple[Retry, list[Ended[C]]]] = {}
    for one, error in failures:
        by_error.setdefault(f"{type(error)} {error}", (error, []))[1].append(one)
    for error, members in by_error.values():
        sources = [one.key.source for one in members]
        extra = {
            "sink": sink,
            "error": type(error).__name__,
            "count": len(sources),
            "items": [{"table": one.table, "keys": one.keys} for one in sources[:_SHOWN]],
        }
        logger.log(level, "not written yet: %s", error, extra=extra, exc_info=error)
