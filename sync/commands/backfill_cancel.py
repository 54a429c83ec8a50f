"""`backfill cancel`: end a backfill."""

from typing import TYPE_CHECKING

from sync.commands.parts.command import Command
from sync.commands.parts.runs import RunId, Turned, turned
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class BackfillCancel(Command):
    """End a backfill after the pages at hand; what it has written stays.

    Raises ConfigError for one that there is not, or that is over; Retry if AWS does not answer.
    """

    id: RunId

    def run(self, service: "Service", deadline: Deadline) -> Turned:  # noqa: ARG002
        return turned(service.runs.cancel(self.id))
