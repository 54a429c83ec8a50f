"""`verify`: compare tables and sinks both ways, values included, and repair what differs."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypedDict

from pydantic import Field

from sync.commands.parts.argument import AtMost
from sync.commands.parts.command import Command
from sync.commands.parts.comparison import MOST, MOST_SAMPLE, Comparison, Place, Step
from sync.commands.parts.differences import Difference
from sync.commands.parts.keys import check_sink, key_names
from sync.commands.parts.paging import Cursor, no_cursor
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.writing.comparing import Comparable, compared_by

if TYPE_CHECKING:
    from sync.service import Service


class Checked(TypedDict):
    """How many items were compared with sinks, and how many documents with tables."""

    items: int
    documents: int


class Verified(TypedDict):
    """What differs. *repaired* counts those of missing, extra and different that were repaired.

    Not counted there: *busy* documents, whose items changed at each look; *invalid* items, which
    their models refuse; *untraced* documents, whose ids say nothing of a key. *not_compared* says
    for each other sink what to run instead, or why it could not be read; *unread* names those of
    them that should have been read: their documents may differ.
    """

    checked: Checked
    missing: int
    extra: int
    different: int
    repaired: int
    busy: int
    invalid: int
    untraced: int
    not_compared: dict[str, str]
    unread: list[str]
    differences: list[Difference]
    cursor: str | None


class Verify(Command):
    """Compare tables and sinks both ways, values included, and repair what differs.

    Writes may go on meanwhile: what differs is looked at again after a pause, and counts only if
    its item has not changed. A sink that can't be read does not stop the comparison of the others.
    Raises ConfigError for a table or sink that no model has, or a sink that can't be compared;
    Retry if a table can't be read, or the sink that is named.
    """

    table: str | None = Field(None, description="full name of one table; without it all tables")
    sink: str | None = Field(None, description="compare this sink alone")
    sample: int | None = Field(
        None,
        ge=1,
        description="look only at so many items of each table, and documents of each target, "
        f"others each time; at most {MOST_SAMPLE:,}",
    )
    repair: bool = Field(False, description="resync what differs")
    limit: Annotated[int, AtMost(MOST)] = Field(
        MOST, ge=1, description="at most so many items and documents; a sample has its own"
    )
    cursor: Cursor = None

    def run(self, service: "Service", deadline: Deadline) -> Verified:
        comparison = Comparison(
            service.verify,
            list(self._steps(service)),
            {*service.sinks} if self.sink is None else {self.sink},
            self.sample,
            self.repair,
            self.limit,
        )
        made = comparison.run(service, self._place(service, comparison.steps), deadline)
        if self.sink in made.faults:
            raise made.faults[self.sink]
        counts, unread = made.counts, {sink: str(error) for sink, error in made.unread.items()}
        return {
            "checked": {"items": counts["items"], "documents": counts["documents"]},
            "missing": counts["missing"],
            "extra": counts["extra"],
            "different": counts["different"],
            "repaired": counts["repaired"],
            "busy": counts["busy"],
            "invalid": counts["invalid"],
            "untraced": counts["untraced"],
            "not_compared": self._not_compared(service) | unread,
            "unread": sorted(made.faults),
            "differences": made.differences,
            "cursor": None if made.next is None else strict(made.next),
        }

    def _steps(self, service: "Service") -> Iterator[Step]:
        """First the tables, then the targets of each sink. Raises ConfigError."""
        check_sink(service, self.sink)
        if self.table is not None:
            key_names(service, self.table)
        targets: list[Step] = []
        tables: set[str] = set()
        for kind in service.registry.sinks:
            if self.sink not in (None, kind.name):
                continue
            if not isinstance(service.sinks[kind.name], Comparable):
                if self.sink is not None:
                    raise ConfigError(f"{kind.name} can't be compared; run: {compared_by(kind)}")
                continue
            for _, table, target in service.registry.feeding(kind):
                if self.table in (None, table):
                    tables.add(table)
                    targets.append(Step(None, kind.name, target))
        if not targets:
            raise ConfigError("no model feeds a sink that can be compared")
        yield from (Step(table) for table in sorted(tables))
        yield from sorted(set(targets), key=str)

    def _not_compared(self, service: "Service") -> dict[str, str]:
        return {
            kind.name: f"run: {compared_by(kind)}"
            for kind in service.registry.sinks
            if self.sink is None and not isinstance(service.sinks[kind.name], Comparable)
        }

    def _place(self, service: "Service", steps: Sequence[Step]) -> Place:
        """Where in *steps* the cursor is. Raises ConfigError."""
        if self.cursor is None:
            return Place(0)
        try:
            place = Place(*json.loads(self.cursor))
        except (ValueError, TypeError) as error:
            raise no_cursor(self.cursor) from error
        if not place.is_of(service, steps):
            raise no_cursor(self.cursor)
        return place
