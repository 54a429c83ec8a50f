"""`backfill show`: one backfill, with its segments."""

from typing import TYPE_CHECKING, TypedDict

from sync.commands.parts.command import Command
from sync.commands.parts.runs import Part, RunId, Shown, part, shown
from sync.runtime.clock import now_s
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class ShownWhole(TypedDict):
    run: Shown
    segments: list[Part]


class BackfillShow(Command):
    """Show how far a backfill is, and what it waits for.

    Raises ConfigError for one that there is not; Retry if the table of runs does not answer.
    """

    id: RunId

    def run(self, service: "Service", deadline: Deadline) -> ShownWhole:
        run = service.runs.run(self.id)
        segments = service.runs.segments(self.id, deadline)
        now = now_s(service.clock)
        return {"run": shown(run, segments), "segments": [part(each, now) for each in segments]}
