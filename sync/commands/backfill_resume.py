"""`backfill resume`: let a paused backfill go on."""

from typing import TYPE_CHECKING

from sync.commands.parts.command import Command
from sync.commands.parts.runs import RunId, Turned, turned
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class BackfillResume(Command):
    """Let a paused backfill go on, or one that waits for a sink try again within a minute.

    Raises ConfigError for one that there is not, or that is over; Retry if AWS does not answer.
    """

    id: RunId

    def run(self, service: "Service", deadline: Deadline) -> Turned:
        return turned(service.runs.resume(self.id, deadline))
