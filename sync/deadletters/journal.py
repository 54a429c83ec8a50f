"""Notes of the keys that a person's call is writing, as rows of the dead-letter table."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from sync.deadletters.row import RUNNING, Row
from sync.deadletters.table import DeadLetterTable, Filter
from sync.recovery.parking import Parked, ParkedMessage, Parking
from sync.runtime.clock import Clock, now_s
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.runtime.moments import epoch, iso

LONGEST_CALL_S: Final = 900  # the longest timeout of a function (Lambda quotas)
_PAGE: Final = 100


class TableJournal:
    """Keeps each note as a row of kind `by-hand` and status `running`; its body is a ParkedMessage.

    A call deletes its note when it ends.
    """

    def __init__(self, table: DeadLetterTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def begin(self, keys: Sequence[Parked], sink: str | None) -> str:
        """Write a note of *keys*; returns its id. Raises Retry."""
        at_s = now_s(self._clock)
        note = Row(
            id=uuid4().hex,
            kind="by-hand",
            first_at=iso(at_s),
            last_at=iso(at_s),
            status=RUNNING,
            sink=sink,
            body=ParkedMessage(sink, tuple(keys), 0, at_s).body(),
        )
        self._table.add(note)
        return note.id

    def end(self, id_: str) -> None:
        """Delete the note *id_*. Raises Retry."""
        self._table.remove(id_)

    def take_over(self, parking: Parking, deadline: Deadline) -> int:
        """Park the keys of calls that died, and delete their notes; returns the number of keys.

        Raises Retry.
        """
        parked = 0
        cursor: str | None = None
        while True:
            notes, cursor = self._table.page(
                Filter(status=RUNNING), limit=_PAGE, cursor=cursor, deadline=deadline
            )
            for note in notes:
                age_s = now_s(self._clock) - epoch(note.first_at)
                if age_s > LONGEST_CALL_S:
                    parked += self._park(note.id, parking)
            if cursor is None or not deadline.remaining():
                return parked

    def _park(self, id_: str, parking: Parking) -> int:
        note = self._table.get(id_)  # pages of rows lack the bodies
        if note is None or note.body is None:
            return 0
        message = ParkedMessage.read(note.body)
        logger.warning(
            "a call died; its keys are parked",
            extra={"sink": message.sink, "count": len(message.keys), "note": id_},
        )
        for _, error in parking.park(message.sink, message.keys):
            raise error
        self._table.remove(id_)
        return len(message.keys)
