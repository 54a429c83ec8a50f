"""Decides what becomes of a key whose write did not succeed: for the stream, the resync queue and
lanes.

    result of the write                       what becomes of the key
    stale                                     parked: the sink may hold an older write, come late
    Retry                                     parked; for a strict sink, its cause comes again
    Refused, RecordError, RegistryError       dead letter; parked while the brake is on
    any, if first parked 14 days ago          dead letter

A cause is the stream record or SQS message that asked for the write. "Comes again" means that it is
reported as failed, so that Lambda or SQS delivers it again. A cause also comes again if its key
can't be parked, or its dead letter can't be published.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sync.aws.keys import Source
from sync.errors import Held, RecordError, Refused, RegistryError, Retry, SyncError, Throttled
from sync.recovery.brake import Brake
from sync.recovery.letters import DeadLetter, DeadLetters
from sync.recovery.parking import Parked, ParkedMessage, Parking, expiry
from sync.runtime.log import logger
from sync.writing.op import Done

C = TypeVar("C")

Unsettled = Done | Refused | RecordError | RegistryError | Retry
"""A result that leaves something to do. Of Done only STALE."""

STALE: Final = Throttled("stale: the sink holds a newer version")
_SHOWN: Final = 10  # keys in one log line; an outage parks millions


@dataclass(frozen=True, slots=True)
class Ended(Generic[C]):
    """A write of *key* to *sink* (None: to all sinks of its model) that did not end in WRITTEN.

    *cause*: the stream record or message that asked for it. *letter* builds its dead letter.
    """

    sink: str | None
    key: Parked
    result: Unsettled
    cause: C
    letter: Callable[[SyncError], DeadLetter]


@dataclass(slots=True)
class Settlement(Generic[C]):
    """What became of keys.

    *parked*, *quarantined*: how many keys were to be parked, and dead letters to be published,
    including those that failed. *again*: the causes that have to come again, each with the reason;
    a cause of several keys may be listed several times.
    """

    parked: int = 0
    quarantined: int = 0
    again: list[tuple[C, Exception]] = field(default_factory=list)


class Settle:
    """Parks keys and publishes dead letters. One for each warm container.

    *strict* names sinks for which Lambda retries the record instead (STRICT_SINKS).
    """

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
        """Park, or publish a dead letter for, each key of *ended*.

        *message*: the message of the resync queue that held the keys, if one did; then they are
        parked again, for longer than before.
        """
        waiting: list[tuple[Ended[C], Retry]] = []
        letters: dict[int, Ended[C]] = {}  # by id() of the dead letter
        refused: list[DeadLetter] = []
        expired: list[DeadLetter] = []  # the brake must not hold them
        for write in ended:
            error = STALE if isinstance(write.result, Done) else write.result
            old = write.key.since_s is not None and self._parking.expired(write.key.since_s)
            if isinstance(error, Retry) and not old:
                waiting.append((write, error))
                continue
            letter = write.letter(expiry(error) if isinstance(error, Retry) else error)
            letters[id(letter)] = write
            (expired if old else refused).append(letter)
        passed, held = self._brake.sift(refused)
        waiting += [(letters[id(letter)], error) for letter, error in held]
        to_publish = [*passed, *expired]
        settlement: Settlement[C] = Settlement(quarantined=len(to_publish))
        self._park(waiting, message, settlement)
        for letter, error in self._dead_letters.publish(to_publish):
            settlement.again.append((letters[id(letter)].cause, error))
        return settlement

    def _park(
        self,
        waiting: Sequence[tuple[Ended[C], Retry]],
        message: ParkedMessage | None,
        settlement: Settlement[C],
    ) -> None:
        """Log *waiting* and park its keys, sink by sink; adds to *settlement* what became of them.

        A strict sink's keys are parked only if another delivery would end the same way: if they
        are stale or held by the brake.
        """
        by_sink: dict[str | None, list[tuple[Ended[C], Retry]]] = {}
        for write, error in waiting:
            by_sink.setdefault(write.sink, []).append((write, error))
        for sink, failures in by_sink.items():
            _log(sink, [each for each in failures if each[1] is not STALE], logging.ERROR)
            _log(sink, [each for each in failures if each[1] is STALE], logging.WARNING)
            causes: dict[Parked, list[C]] = {}
            for write, error in failures:
                if sink in self._strict and error is not STALE and not isinstance(error, Held):
                    settlement.again.append((write.cause, error))
                else:
                    causes.setdefault(write.key, []).append(write.cause)
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


def _log(sink: str | None, failures: Sequence[tuple[Ended[C], Retry]], level: int) -> None:
    """Log one line for each error: the number of items, ten of them, and the trace."""
    by_error: dict[str, tuple[Retry, list[Source]]] = {}
    for write, error in failures:
        by_error.setdefault(f"{type(error)} {error}", (error, []))[1].append(write.key.source)
    for error, sources in by_error.values():
        extra = {
            "sink": sink,
            "error": type(error).__name__,
            "count": len(sources),
            "items": [{"table": item.table, "keys": item.keys} for item in sources[:_SHOWN]],
        }
        logger.log(level, "not written yet: %s", error, extra=extra, exc_info=error)
