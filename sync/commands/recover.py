"""`recover`: what mends itself, looked after every 15 minutes by a schedule (serverless.yml)."""

from collections import Counter
from typing import TYPE_CHECKING, Final, TypedDict, cast

from sync.commands.parts.command import Command
from sync.commands.parts.letters import Result
from sync.commands.parts.paging import PORTION_S
from sync.deadletters.table import Filter
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

MOST_RESULTS: Final = 2_000  # of one answer, which Lambda limits to 6 MB
_AT_ONCE: Final = 100


class Recovered(TypedDict):
    looked_at: int  # open dead letters
    results: list[Result]  # of those that were replayed
    counts: dict[str, int]  # by result
    parked: int  # keys that a call which died left behind


class Recover(Command):
    """Close dead letters whose items were corrected or deleted, and park what dead calls left.

    A dead letter is replayed if its item has changed since it failed: then it closes, or says what
    is wrong now. So is one that failed for a reason that may have passed. The keys of a replay or
    resync that died half way are parked. Raises Retry where the dead-letter table does not answer.
    """

    def run(self, service: "Service", deadline: Deadline) -> Recovered:
        parked = service.journal.take_over(service.parking, deadline)
        looked_at = 0
        results: list[Result] = []
        cursor: str | None = None
        while True:
            rows, cursor = service.dead_letter_table.page(
                Filter(), limit=_AT_ONCE, cursor=cursor, deadline=deadline
            )
            looked_at += len(rows)
            changed = service.replay.changed(rows, deadline)
            within = deadline.within(PORTION_S)
            results += [cast(Result, one.plain()) for one in service.replay.run(changed, within)]
            full = len(results) >= MOST_RESULTS or deadline.remaining() < PORTION_S
            if cursor is None or full:
                break
        return {
            "looked_at": looked_at,
            "results": results,
            "counts": dict(Counter(result["result"] for result in results)),
            "parked": parked,
        }
