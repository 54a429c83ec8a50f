"""Counting anew what counters hold, and mending what differs."""

import json
from typing import TYPE_CHECKING, Any, Final

from sync.commands.arguments import Arguments
from sync.commands.links import LinkDrift, Links, Recount, all_links
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters

if TYPE_CHECKING:
    from sync.service import Service

MOST_ROWS: Final = 5_000  # of one answer, which Lambda limits to 6 MB


def recount(given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "recount", "repair", "limit", "cursor"}`: compare links, contributions and
    counters, family by family; with `"repair": true` mend what differs.

    Answers `{"checked", "links": [{"family", "table", "keys", "said", "counted", "mended",
    "error"}], "counters": [{"family", "counter", "contributing", "held", "mended"}], "cursor"}`:
    how many links and contributions were looked at, and those that differ. *said* and *counted*
    are sort keys of counters: what the link's row says, and what it is counted as; null: nothing.
    *error* says why a link is not mended. Writing may go on meanwhile; a link whose record is on
    its way may be told. Raises ConfigError where no model feeds counters, or for a bad cursor;
    Retry where a table can't be read, or the contributions are too many for one call.
    """
    found = list(all_links(service.registry))
    at, start = _place(given.text("cursor"), len(found))
    page = _recount(service, found[at]).page(
        start,
        repair=given.flag("repair"),
        limit=given.count("limit", default=MOST_ROWS, most=MOST_ROWS),
        deadline=deadline,
    )
    cursor = [at, page.cursor] if page.cursor else [at + 1, None] if found[at + 1 :] else None
    family = found[at].target
    return {
        "checked": page.checked,
        "links": [{"family": family, **_link(drift)} for drift in page.links],
        "counters": [
            {
                "family": family,
                "counter": drift.counter,
                "contributing": drift.contributing,
                "held": drift.held,
                "mended": drift.mended,
            }
            for drift in page.counters
        ],
        "cursor": None if cursor is None else json.dumps(cursor, separators=(",", ":")),
    }


def _recount(service: "Service", links: Links) -> Recount:
    sink = service.sinks[Counters.name]
    if not isinstance(sink, Counters):
        raise ConfigError(f"{links.target} is written to by {type(sink).__name__}")
    return Recount(links, sink, service.registry, service.by_hand, service.clients)


def _link(drift: LinkDrift) -> dict[str, Any]:
    return {
        "table": drift.source.table,
        "keys": drift.source.keys,
        "said": drift.said,
        "counted": drift.counted,
        "mended": drift.mended,
        "error": drift.error,
    }


def _place(cursor: str | None, count: int) -> tuple[int, str | None]:
    """Which family, and the cursor in it. Raises ConfigError."""
    if not count:
        raise ConfigError("no model feeds counters: there is nothing to count")
    if cursor is None:
        return 0, None
    try:
        at, start = json.loads(cursor)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}") from error
    if type(at) is not int or not 0 <= at < count or not isinstance(start, str | None):
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}")
    return at, start
