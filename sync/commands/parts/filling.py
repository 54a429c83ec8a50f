"""The backfills that fill the next place of a target that is reindexed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sync.aws import tables
from sync.commands.parts.wanted import Wanted
from sync.runs.rows import Run
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

Fed = tuple[str, str | None]
"""A table that feeds a target, and the only model of it that does; None if several do."""


class Filling:
    """The backfills for the next place of *target* in *sink*, one for each table that feeds it.

    A run says in its arguments what it is for, so that a reindex goes on by whoever calls it, after
    any crash.
    """

    def __init__(self, service: "Service", sink: str, target: str, feeding: Sequence[Fed]) -> None:
        self._service = service
        self._sink = sink
        self._for = f"{sink}:{target}"
        self._feeding = feeding

    def forget(self, deadline: Deadline) -> None:
        """Let no earlier backfill count, as the place is made anew. Those that go on are
        cancelled."""
        for run in self._runs(deadline):
            self._service.runs.relabel(run.id, {**run.arguments, "reindex": None})
            if run.finished_at is None:
                self._service.runs.cancel(run.id)

    def ensure(self, rate: int | None, deadline: Deadline) -> list[Run]:
        """The backfills; those that there are not yet are started."""
        counting = {run.table: run for run in self._runs(deadline) if run.status != "cancelled"}
        for table, model in self._feeding:
            if table not in counting:
                wanted = Wanted(table, model, sinks=(self._sink,), rate=rate)
                arguments = {**wanted.arguments(self._service), "reindex": self._for}
                items = tables.known(self._service.clients, table).items
                counting[table] = wanted.begin(self._service, arguments, items)
        return list(counting.values())

    def _runs(self, deadline: Deadline) -> Iterator[Run]:
        """The oldest first."""
        for run in reversed(self._service.runs.runs(deadline)):
            if run.arguments.get("reindex") == self._for:
                yield run
