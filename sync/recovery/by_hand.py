"""Resyncs that a person asks for: replays, commands, repairs. Safe beside a stream that goes on.

    note the keys → resync → park what did not end well → forget the note

A message of the resync queue comes again if its worker dies; nobody calls again for a person whose
call died half way, with an older state written behind a newer one, or a request under way. So the
keys are noted before anything is written; what is found noted long after is parked.
"""

from collections.abc import Sequence
from typing import Protocol

from sync.errors import Retry
from sync.recovery.parking import Parked, Parking
from sync.recovery.resync import Resync, Settled
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger


class Journal(Protocol):
    """Where keys are noted while they are written."""

    def begin(self, keys: Sequence[Parked], sink: str | None) -> str:
        """Note *keys*; returns the note's id. Raises Retry."""
        ...

    def end(self, id_: str) -> None:
        """Forget a note. Raises Retry."""
        ...


class ByHand:
    """Resync, for those who do not come again. Holds no state of a call."""

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
        """As `Resync.run`; keys that end in Retry are parked, and will be in line by and by.

        *park_untried*: also those of which nothing was sent; their sinks are as they were. Raises
        Retry where the keys can't be noted: then nothing is written.
        """
        if not keys:
            return []
        note = self._journal.begin(keys, only)
        settled = list(self._resync.run(keys, deadline, only=only))
        left = [
            one.key
            for one in settled
            if isinstance(one.verdict, Retry) and (one.tried or park_untried)
        ]
        unparked = list(self._parking.park(only, left))
        if unparked:
            logger.error(
                "keys could not be parked; they will be, from the note of their call",
                extra={"sink": only, "count": len(unparked), "note": note},
                exc_info=unparked[0][1],
            )
            return settled
        try:
            self._journal.end(note)
        except Retry as error:  # then they are parked once more, which does no harm
            logger.warning("the note of a call stays", extra={"note": note}, exc_info=error)
        return settled
