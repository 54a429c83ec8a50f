"""`backfill start`: begin to write what a table holds to the sinks of its models."""

from typing import TYPE_CHECKING, Final, TypedDict

from pydantic import Field

from sync.aws import tables
from sync.commands.parts.command import Command
from sync.commands.parts.keys import Table
from sync.commands.parts.wanted import Wanted
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

MOST_SEGMENTS: Final = 200
_UNIT_BYTES: Final = 4096  # that one read unit reads (DynamoDB guide, read-write-operations)
_READINGS: Final = 2  # of each page


class Started(TypedDict):
    """*id*: null in a dry run. *items* and *units*, the read units it takes, are estimates; null:
    unknown. *beside*: other backfills of the table that are not over."""

    id: str | None
    table: str
    segments: int
    items: int
    units: int | None
    beside: list[str]


class BackfillStart(Command):
    """Begin to write the items that a table has to the sinks of their models.

    It goes on by itself, in segments that are scanned side by side, while the table is written to.
    It does not find documents without an item. Raises ConfigError for a table, model or sink that
    there is not, or if another backfill of the table is not over; Retry if AWS does not answer.
    """

    table: Table
    model: str | None = Field(None, min_length=1, description="only the items of this model")
    prefix: str | None = Field(
        None, min_length=1, description="only items whose partition key begins with this text"
    )
    sinks: list[str] = Field([], description="write to this sink alone")
    segments: int | None = Field(
        None,
        ge=1,
        le=MOST_SEGMENTS,
        description=f"scan so many parts of the table side by side, at most {MOST_SEGMENTS}",
    )
    rate: int | None = Field(
        None,
        ge=1,
        description="consume at most so many read units a second; else as many as can be",
    )
    also: bool = Field(False, description="start it also beside another backfill of the table")
    dry_run: bool = Field(False, description="say what would be done, and start nothing")

    def run(self, service: "Service", deadline: Deadline) -> Started:
        wanted = Wanted(
            self.table, self.model, self.prefix, tuple(self.sinks), self.segments, self.rate
        )
        arguments = wanted.arguments(service)
        runs = service.runs.runs(deadline)
        beside = [run.id for run in runs if run.table == self.table and run.finished_at is None]
        if beside and not self.also and not self.dry_run:
            raise ConfigError(
                f"a backfill of {self.table} is not over: {', '.join(beside)}; with --also this "
                "one is started beside it"
            )
        about = tables.known(service.clients, self.table)
        segments = wanted.parts(arguments, about.items)
        id_ = None if self.dry_run else wanted.begin(service, arguments, about.items).id
        return {
            "id": id_,
            "table": self.table,
            "segments": segments,
            "items": about.items,
            "units": None if "partition" in arguments else _units(about.bytes),
            "beside": beside,
        }


def _units(size_bytes: int) -> int:
    return -(-size_bytes // _UNIT_BYTES) * _READINGS
