"""`recover`: close what needs no person; a schedule runs it every 15 minutes (serverless.yml)."""

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
    results: list[Result]  # of the dead letters that were replayed
    counts: dict[str, int]  # by result
    parked: int  # keys of replays and resyncs that died half way
    revived: int  # segments of runs whose messages were lost


class Recover(Command):
    """Close dead letters of corrected or deleted items, and park the keys of calls that died.

    Replays a dead letter if its item has changed since it failed, or if the reason for its failure
    may have passed: then it closes, or gets the new error. Parks the keys of replays and resyncs
    that died half way. Has runs go on whose messages were lost. Raises Retry if the dead-letter
    table or the table of runs does not answer.
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
            "revived": service.runs.revive(deadline) if service.config.runs_table else 0,
        }
