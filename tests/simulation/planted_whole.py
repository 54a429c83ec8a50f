"""Bugs of what is done to whole tables, planted one at a time."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any, Final
from unittest import mock

from sync.commands.parts.comparison import Compared
from sync.commands.parts.filling import Filling
from sync.commands.reindex import Reindex
from sync.runs.backfill import Backfill
from sync.runs.table import RunsTable
from sync.runs.worker import Page
from sync.runtime.moments import iso
from sync.sinks.opensearch.request import Answered, Request
from sync.verify.looking import Look
from tests.simulation.whole_drawn import KIND

Planted = AbstractContextManager[object]


def a_cursor_skips() -> Planted:
    """A segment is over after its first page."""
    page = Backfill.page

    def first(self: Backfill, *given: Any, **more: Any) -> Page:
        made = page(self, *given, **more)
        return made if made.held is not None else replace(made, cursor=None, ahead=None)

    return mock.patch.object(Backfill, "page", first)


def a_run_ends_with_its_first_segment() -> Planted:
    """It is called done, and what is left of it stands still."""

    def finish(self: RunsTable, id_: str, deadline: Any) -> None:
        run = self.run(id_)
        if run is not None and run.finished_at is None:
            self.save(replace(run, status="done", finished_at=iso(self._clock.time_ns() / 1e9)))

    return mock.patch.object(RunsTable, "finish", finish)


def orphans_are_unseen() -> Planted:
    """Documents are not compared with the table."""
    return mock.patch.object(Look, "at_documents")


def swapped_before_it_is_filled() -> Planted:
    """A reindex does not wait for its backfills, nor compare."""

    def compare(_self: Reindex, *_: Any) -> tuple[Compared, int]:
        return Compared(None), 0

    both = ExitStack()
    both.enter_context(mock.patch.object(Filling, "ensure", return_value=[]))
    both.enter_context(mock.patch.object(Reindex, "_compare", compare))
    return both


def the_next_index_is_not_written() -> Planted:
    """The sink does not look for shadows, so that the next index stays empty."""
    read = Request.read

    def blind(self: Request, answer: Any) -> Answered:
        return replace(read(self, answer), shadowed=())

    return mock.patch.object(Request, "read", blind)


WHOLE_BUGS: Final[Mapping[Callable[[], Planted], str]] = dict.fromkeys(
    (
        a_cursor_skips,
        a_run_ends_with_its_first_segment,
        orphans_are_unseen,
        swapped_before_it_is_filled,
        the_next_index_is_not_written,
    ),
    KIND,
)
