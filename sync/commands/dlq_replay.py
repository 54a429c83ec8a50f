"""`dlq replay`: bring sinks in line with the table, for open dead letters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from sync.commands.parts.letters import Chosen, Result, Results
from sync.commands.parts.paging import PORTION_S
from sync.deadletters.row import Row
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class DlqReplay(Chosen):
    """Bring sinks in line with the table for open dead letters, and close those that succeed.

    Writes what the table says now, never what the dead letter holds. A result is "replayed",
    "failed" (it stays open, with the new error), "no keys" (it can only be discarded), "not open",
    "not found", or "would be replayed" in a dry run. Raises Retry if the dead-letter table does not
    answer.
    """

    def run(self, service: "Service", deadline: Deadline) -> Results:
        def replay(rows: Sequence[Row]) -> list[Result]:
            if self.dry_run:
                return [_would(row) for row in rows]
            within = deadline.within(PORTION_S)
            return [cast(Result, one.plain()) for one in service.replay.run(rows, within)]

        return self.each(service.dead_letter_table, deadline, replay)


def _would(row: Row) -> Result:
    return {
        "id": row.id,
        "result": "would be replayed" if row.keys else "no keys",
        "why": row.error,
    }
