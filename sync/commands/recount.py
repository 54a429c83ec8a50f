"""`recount`: compare counters with the links that they count, and repair what differs."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

from pydantic import Field

from sync.commands.parts.argument import AtMost
from sync.commands.parts.command import Command
from sync.commands.parts.links import LinkDrift, Links, all_links
from sync.commands.parts.links import Recount as Counting
from sync.commands.parts.paging import Cursor, no_cursor
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.sinks.counters import Counters
from sync.sinks.counters.recount import CounterDrift

if TYPE_CHECKING:
    from sync.service import Service

MOST_ROWS: Final = 5_000  # of one answer, which Lambda limits to 6 MB


class Link(TypedDict):
    """A link whose contribution differs from its row. null: no counter, or no error."""

    family: str
    table: str
    keys: Any
    said: str | None  # sort key of the counter that its row names
    counted: str | None  # sort key of the counter that counts it
    mended: bool
    error: str | None  # why it was not repaired


class CounterRow(TypedDict):
    """A counter whose value is not the number of contributions to it."""

    family: str
    counter: str
    contributing: int
    held: int | None
    mended: bool


class Recounted(TypedDict):
    checked: int  # links and contributions
    links: list[Link]
    counters: list[CounterRow]
    cursor: str | None


class Recount(Command):
    """Compare counters with the links that they count, and repair what differs.

    Writes may go on meanwhile; then a link whose stream record is in flight may be reported. Raises
    ConfigError if no model feeds counters, or for a bad cursor; Retry if a table can't be read, or
    the contributions are too many for one call.
    """

    repair: bool = Field(False, description="repair what differs")
    limit: Annotated[int, AtMost(MOST_ROWS)] = Field(
        MOST_ROWS, ge=1, description="at most so many links and contributions"
    )
    cursor: Cursor = None

    def run(self, service: "Service", deadline: Deadline) -> Recounted:
        found = list(all_links(service.registry))
        at, start = _place(self.cursor, len(found))
        page = _counting(service, found[at]).page(
            start, repair=self.repair, limit=self.limit, deadline=deadline
        )
        cursor = [at, page.cursor] if page.cursor else [at + 1, None] if found[at + 1 :] else None
        family = found[at].target
        return {
            "checked": page.checked,
            "links": [_link(family, drift) for drift in page.links],
            "counters": [_counter(family, drift) for drift in page.counters],
            "cursor": None if cursor is None else strict(cursor),
        }


def _counting(service: "Service", links: Links) -> Counting:
    sink = service.sinks[Counters.name]
    if not isinstance(sink, Counters):
        raise ConfigError(f"{links.target} is written to by {type(sink).__name__}")
    return Counting(links, sink, service.registry, service.by_hand, service.clients)


def _link(family: str, drift: LinkDrift) -> Link:
    return {
        "family": family,
        "table": drift.source.table,
        "keys": drift.source.keys,
        "said": drift.said,
        "counted": drift.counted,
        "mended": drift.mended,
        "error": drift.error,
    }


def _counter(family: str, drift: CounterDrift) -> CounterRow:
    return {
        "family": family,
        "counter": drift.counter,
        "contributing": drift.contributing,
        "held": drift.held,
        "mended": drift.mended,
    }


def _place(cursor: str | None, count: int) -> tuple[int, str | None]:
    """The place of a family among *count*, and the cursor in it. Raises ConfigError."""
    if not count:
        raise ConfigError("no model feeds counters: there is nothing to count")
    if cursor is None:
        return 0, None
    try:
        at, start = json.loads(cursor)
    except (ValueError, TypeError) as error:
        raise no_cursor(cursor) from error
    if type(at) is not int or not 0 <= at < count or not isinstance(start, str | None):
        raise no_cursor(cursor)
    return at, start
