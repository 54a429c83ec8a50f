"""`backfill list`: backfills, the newest first."""

from typing import TYPE_CHECKING, TypedDict

from sync.commands.parts.command import Command
from sync.commands.parts.runs import Shown, shown
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class Listed(TypedDict):
    runs: list[Shown]


class BackfillList(Command):
    """List backfills, the newest first, also those that ended within the last 90 days.

    Raises Retry if the table of runs does not answer.
    """

    def run(self, service: "Service", deadline: Deadline) -> Listed:
        runs = service.runs.runs(deadline)
        return {"runs": [shown(run, service.runs.segments(run.id, deadline)) for run in runs]}
