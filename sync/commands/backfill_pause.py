"""`backfill pause`: let a backfill end, until it is resumed."""

from typing import TYPE_CHECKING

from sync.commands.parts.command import Command
from sync.commands.parts.runs import RunId, Turned, turned
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class BackfillPause(Command):
    """Let a backfill end after the pages at hand, until it is resumed.

    Raises ConfigError for one that there is not, or that is over; Retry if AWS does not answer.
    """

    id: RunId

    def run(self, service: "Service", deadline: Deadline) -> Turned:  # noqa: ARG002
        return turned(service.runs.pause(self.id))
