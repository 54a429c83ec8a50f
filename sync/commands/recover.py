"""What mends itself, looked after every quarter of an hour by a schedule (serverless.yml)."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sync.commands.arguments import Arguments
from sync.deadletters.table import Filter
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

MOST_RESULTS: Final = 2_000  # of one answer, which Lambda limits to 6 MB
_AT_ONCE: Final = 100
_PORTION_S: Final = 30.0  # for the resync of one portion


def recover(_given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "recover"}`: close the dead letters that need nobody, and finish what a call of
    a person left behind.

    An open dead letter is replayed if its item was corrected or deleted since it failed: then it
    closes, or says what is wrong now. So is one that failed for a reason that may have passed. The
    keys of a replay or resync that died half way are parked. Answers `{"looked_at", "results":
    [{"id", "result", "why"}], "counts": {result: n}, "parked"}`: dead letters that were looked at,
    those that were replayed, and how many keys were parked. Raises Retry where the dead-letter
    table does not answer.
    """
    parked = service.journal.take_over(service.parking, deadline)
    looked_at = 0
    results: list[dict[str, str]] = []
    cursor: str | None = None
    while True:
        rows, cursor = service.dead_letter_table.page(
            Filter(), limit=_AT_ONCE, cursor=cursor, deadline=deadline
        )
        looked_at += len(rows)
        changed = service.replay.changed(rows, deadline)
        within = deadline.within(_PORTION_S)
        results += [replayed.plain() for replayed in service.replay.run(changed, within)]
        full = len(results) >= MOST_RESULTS or deadline.remaining() < _PORTION_S
        if cursor is None or full:
            break
    counts = Counter(result["result"] for result in results)
    return {
        "looked_at": looked_at,
        "results": results,
        "counts": dict(counts),
        "parked": parked,
    }
