"""Pages and samples of a comparison, from tables to sinks and from sinks to tables."""

import random
from collections.abc import Collection, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, Final

from sync.aws import tables
from sync.aws.clients import Clients
from sync.aws.items import Items
from sync.aws.keys import AttributeMap, Source
from sync.aws.pages import page as scanned
from sync.model.registry import Registry
from sync.runtime.deadline import Deadline
from sync.verify.confirm import ROUNDS, SETTLE_S, Confirm
from sync.verify.expected import Expected
from sync.verify.findings import Page
from sync.verify.looking import Look
from sync.verify.reading import Reading
from sync.writing.comparing import Comparable

AT_ONCE: Final = 100  # items or ids in memory at once
CONFIRM_S: Final = ROUNDS * SETTLE_S + 20.0  # at the end of a page: for looking again
SEGMENT: Final = 25  # items in one segment of a sample, about
MOST_SEGMENTS: Final = 500_000  # a scan takes a million (API reference, Scan)
LEAST_SEGMENTS: Final = 16  # whatever the number of items: it may be hours old


class Verify:
    """Compares the *sinks* that can be read with the tables of *registry*. Writes nothing.

    Every method raises Retry if a table can't be read. A sink that can't is in the page's `unread`:
    the page says nothing else of its documents, and tells what it found of other sinks.

    *instead*: targets to be read in place of others, such as an index that is being filled, by the
    sink's name and the other's: {("opensearch", "products"): "products-v2"}. If there are any, only
    the documents of these others are compared. Pages and arguments name the others.
    """

    def __init__(
        self,
        registry: Registry,
        sinks: Mapping[str, Comparable],
        items: Items,
        clients: Clients,
        instead: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._registry = registry
        self._items = items
        self._clients = clients
        self._expected = Expected(registry, clients)
        self._reading = Reading(sinks, instead)
        self._confirm = Confirm(self._expected, self._reading, items)

    def items(
        self,
        table: str,
        start: AttributeMap | None,
        limit: int,
        deadline: Deadline,
        *,
        only: Collection[str] | None = None,
        segment: tuple[int, int] | None = None,
    ) -> Page:
        """About *limit* items of *table*, from *start* on, against what the sinks hold.

        *only*: the names of the sinks to compare; None: all. *segment*: its number and how many
        there are, as a parallel scan takes them.
        """
        look = self._look(deadline, only)
        while True:
            left = limit - look.page.items
            start = self._scan(look, table, start, left, segment)
            if start is None or look.page.items >= limit or _ends(look, deadline):
                look.page.next = start
                return self._confirmed(look, deadline)

    def sample_items(
        self, table: str, count: int, deadline: Deadline, *, only: Collection[str] | None = None
    ) -> Page:
        """At most *count* items of *table*, others each time, against what the sinks hold."""
        look = self._look(deadline, only)
        about = tables.known(self._clients, table).items // SEGMENT
        least = min(MOST_SEGMENTS, max(LEAST_SEGMENTS, about))
        # Another number of segments moves their bounds, so that other items come first in each.
        segments = random.randint(least, 2 * least)  # noqa: S311 - not a secret
        tries = min(segments, max(count, 2 * LEAST_SEGMENTS))  # of a small table: all
        for segment in random.sample(range(segments), tries):
            self._scan(look, table, None, count - look.page.items, (segment, segments))
            if look.page.items >= count or _ends(look, deadline):
                break
        return self._confirmed(look, deadline)

    def documents(
        self, sink: str, target: str, start: str | None, limit: int, deadline: Deadline
    ) -> Page:
        """About *limit* documents in *target* of *sink*, from *start* on: is each asked for?"""
        look = self._look(deadline)
        with closing(self._reading.ids(sink, target, start, look.page, deadline)) as ids:
            while found := list(islice(ids, min(AT_ONCE, limit - look.page.documents))):
                look.at_documents(sink, target, [id_ for id_, _ in found])
                if look.page.documents >= limit or _ends(look, deadline):
                    look.page.next = found[-1][1]
                    break
        return self._confirmed(look, deadline)

    def sample_documents(self, sink: str, target: str, count: int, deadline: Deadline) -> Page:
        """At most *count* documents in *target* of *sink*, others each time: is each asked for?"""
        look = self._look(deadline)
        ids = self._reading.sample(sink, target, count, look.page, deadline)
        for at in range(0, len(ids), AT_ONCE):
            look.at_documents(sink, target, ids[at : at + AT_ONCE])
            if sink in look.page.unread or _ends(look, deadline):
                break
        return self._confirmed(look, deadline)

    def _look(self, deadline: Deadline, only: Collection[str] | None = None) -> Look:
        return Look(self._expected, self._reading, self._items, deadline, only)

    def _scan(
        self,
        look: Look,
        table: str,
        start: AttributeMap | None,
        most: int,
        segment: tuple[int, int] | None,
    ) -> AttributeMap | None:
        """Look at the next AT_ONCE items at most; returns where those after them start."""
        request: dict[str, Any] = {"TableName": table, "Limit": min(AT_ONCE, most)}
        if segment is not None:
            request["Segment"], request["TotalSegments"] = segment
        # Half the price of a consistent read, which the second look is.
        rows, start = scanned(self._clients, "scan", start, ConsistentRead=False, **request)
        names = self._registry.tables[table]
        look.at_items({Source(table, {name: row[name] for name in names}): row for row in rows})
        return start

    def _confirmed(self, look: Look, deadline: Deadline) -> Page:
        self._confirm.run(look.suspects.values(), look.page, deadline)
        return look.page


def _ends(look: Look, deadline: Deadline) -> bool:
    """Whether a page has to end before its limit."""
    return look.is_full or deadline.remaining() < CONFIRM_S
