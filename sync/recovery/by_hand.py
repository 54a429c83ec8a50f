"""Resyncs that a person starts: replays, commands, repairs. Safe while the stream goes on.

    write a note of the keys → resync → park what failed → delete the note

If a worker dies, SQS delivers its message again. If the call of a person dies, nobody repeats it,
and it may leave an older state in a sink or a request in flight. So the keys are written to a note
before anything else is written; `TableJournal.take_over` later parks the keys of notes that were
left behind.
"""

from collections.abc import Sequence
from typing import Protocol

from sync.errors import Retry
from sync.recovery.parking import Parked, Parking
from sync.recovery.resync import Resync, Settled
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger


class Journal(Protocol):
    """Keeps notes of the keys that calls are writing."""

    def begin(self, keys: Sequence[Parked], sink: str | None) -> str:
        """Write a note of *keys*; returns its id. Raises Retry."""
        ...

    def end(self, id_: str) -> None:
        """Delete the note *id_*. Raises Retry."""
        ...


class ByHand:
    """Resync for callers that do not retry. Stateless between calls."""

    def __init__(self, resync: Resync, parking: Parking, journal: Journal) -> None:
        self._resync = resync
        self._parking = parking
        self._journal = journal

    def run(
        self,
        keys: Sequence[Parked],
        deadline: Deadline,
        *,
        only: str | None = None,
        park_untried: bool = True,
    ) -> list[Settled]:
        """Resync *keys* as `Resync.run` does, and park those that end in Retry.

        *park_untried*: whether to park also the keys for which nothing was sent to a sink. Raises
        Retry if the note can't be written; then nothing else is written either.
        """
        if not keys:
            return []
        note = self._journal.begin(keys, only)
        results = list(self._resync.run(keys, deadline, only=only))
        failed = [
            result.key
            for result in results
            if isinstance(result.verdict, Retry) and (result.tried or park_untried)
        ]
        unparked = list(self._parking.park(only, failed))
        if unparked:
            logger.error(
                "keys could not be parked yet; they will be, from the note of their call",
                extra={"sink": only, "count": len(unparked), "note": note},
                exc_info=unparked[0][1],
            )
            return results
        try:
            self._journal.end(note)
        except Retry as error:  # then its keys are parked once more, which is harmless
            logger.warning(
                "the note of a call could not be deleted", extra={"note": note}, exc_info=error
            )
        return results
