"""Compares the items that contribute to counters (links) with their contributions.

    links ↔ contributions      here: each link's row and its contribution row, both ways
    contributions ↔ counters   sync/sinks/counters/recount.py

A link that differs is repaired by a resync, which also corrects its contribution and the counters.
A link whose stream record is in flight differs for a moment, so links that differ are read twice.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sync.aws.clients import Clients
from sync.aws.items import Found, Items
from sync.aws.keys import AttributeMap, Source
from sync.aws.pages import page
from sync.commands.parts.paging import PORTION_S, no_cursor
from sync.errors import ConfigError, RecordError, RegistryError, Retry
from sync.model.patterns import literal
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.recovery.by_hand import ByHand
from sync.recovery.parking import Parked
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.sinks.counters import Counters
from sync.sinks.counters.recount import CounterDrift, Tallies
from sync.sinks.counters.rows import Contribution, row_id
from sync.sinks.counters.sink import read
from sync.writing.op import Done

LINKS, CONTRIBUTIONS, COUNTERS = STAGES = ("links", "contributions", "counters")
_AT_ONCE: Final = 100  # links of one portion: one BatchGetItem reads them


@dataclass(frozen=True, slots=True)
class Links:
    """The links that the counters of *target* count: those in *partition* of *table*."""

    target: str
    table: str
    hash_key: str
    partition: str


@dataclass(frozen=True, slots=True)
class LinkDrift:
    """A link whose contribution differs from its row.

    *said*: the sort key of the counter that its row names; *counted*: that of the counter in its
    contribution; None: no counter. *error*: why it was not repaired, or why its row can't be read.
    """

    source: Source
    said: str | None
    counted: str | None
    mended: bool = False
    error: str | None = None


@dataclass(slots=True)
class Page:
    """What one call found. *cursor* is for the next call; None: this was the last."""

    checked: int = 0  # links and contributions
    links: list[LinkDrift] = field(default_factory=list)
    counters: list[CounterDrift] = field(default_factory=list)
    cursor: str | None = None


def all_links(registry: Registry) -> Iterator[Links]:
    """The links of each model that feeds the counters sink.

    Raises ConfigError for a model whose links have more than one partition key: to find them would
    take a scan.
    """
    for model, table, target in registry.feeding(Counters):
        hash_key, pattern = next(iter(model.route.keys.items())) if model.route else ("", "")
        if (partition := literal(pattern)) is None:
            raise ConfigError(f"{model.__name__} has no one partition: {hash_key} is {pattern!r}")
        yield Links(target, table, hash_key, partition)


class Recount:
    """Compares the counters of one family with their links."""

    def __init__(
        self,
        links: Links,
        sink: Counters,
        registry: Registry,
        resync: ByHand,
        clients: Clients,
    ) -> None:
        self._links = links
        self._contributions = sink.contributions
        self._tallies = Tallies(
            clients, links.target, contributions=sink.contributions, counters=sink.counters
        )
        self._names = registry.tables[links.table]
        self._planner = Planner(registry)
        self._resync = resync
        self._clients = clients
        self._items = Items(clients)

    def page(self, cursor: str | None, *, repair: bool, limit: int, deadline: Deadline) -> Page:
        """Check about *limit* rows at most, from *cursor* on; *repair* repairs what differs.

        The last stage, in a call of its own, reads all contributions and counters, and returns at
        most *limit* counters. Raises ConfigError for a bad cursor, Retry if a table can't be read
        or time runs out.
        """
        found = Page()
        stage, start = _place(cursor)
        if stage == COUNTERS:
            found.counters, last = self._tallies.check(
                start, repair=repair, limit=limit, deadline=deadline
            )
            found.cursor = None if last is None else _cursor(COUNTERS, last)
            return found
        looked = 0
        while True:
            most = min(_AT_ONCE, limit - looked)
            if stage == LINKS:
                sources, start = self._page_of_links(start, most)
            else:
                sources, start = self._tallies.contributors(start, most)
            looked += most
            found.checked += len(sources)
            found.links += self._check(sources, repair, deadline)
            if start is None:
                stage = STAGES[STAGES.index(stage) + 1]
            if stage == COUNTERS or looked >= limit or deadline.remaining() < PORTION_S:
                found.cursor = _cursor(stage, start)
                return found

    def _page_of_links(self, start: Any, most: int) -> tuple[list[Source], Any]:
        """The keys of the next *most* links, and where the page after them starts."""
        names = {f"#{n}": name for n, name in enumerate(self._names)}
        rows, start = page(
            self._clients,
            "query",
            start,
            TableName=self._links.table,
            KeyConditionExpression="#0 = :partition",
            ExpressionAttributeNames=dict(names),
            ExpressionAttributeValues={":partition": {"S": self._links.partition}},
            ProjectionExpression=", ".join(names),
            Limit=most,
        )
        return [Source(self._links.table, row) for row in rows], start

    def _check(
        self, sources: Sequence[Source], repair: bool, deadline: Deadline
    ) -> list[LinkDrift]:
        drift = self._differing(sources, deadline)
        if drift:  # perhaps for a moment only
            drift = self._differing([each.source for each in drift], deadline)
        if not repair:
            return drift
        readable = [Parked(each.source) for each in drift if each.error is None]
        verdicts = {
            settled.key.source: settled.verdict
            for settled in self._resync.run(readable, deadline, only=Counters.name)
        }
        return [_mended(each, verdicts.get(each.source)) for each in drift]

    def _differing(self, sources: Sequence[Source], deadline: Deadline) -> list[LinkDrift]:
        """Those of *sources* whose contribution differs from their row."""
        items = self._items.read(sources, deadline)
        drift = []
        said: dict[Source, tuple[Source, str | None]] = {}
        for source in sources:
            try:
                said[source] = self._said(source, _known(items[source]))
            except (RecordError, RegistryError) as error:
                drift.append(LinkDrift(source, None, None, error=f"{error}"))
        rows = self._items.read([row for row, _ in said.values()], deadline)
        for source, (row, counter) in said.items():
            found = _known(rows[row])
            counted = Contribution.of(found).counter if found else None
            if counted != counter:
                drift.append(LinkDrift(source, counter, counted))
        return drift

    def _said(self, source: Source, item: AttributeMap | None) -> tuple[Source, str | None]:
        """The contribution row of *source*, and the sort key of the counter that it should name.

        Raises RecordError for an item that does not satisfy its model, or has no model.
        """
        pattern = self._planner.match(source)
        if pattern is not None:
            for op in self._planner.plan(pattern, source, 0, new_image=item).ops:
                if (op.sink, op.target) == (Counters.name, self._links.target):
                    counter = read(op).counter
                    row = Source(self._contributions, {"id": {"S": row_id(op)}})
                    return row, counter.sort_key if counter else None
        raise RecordError(f"no model counts {source}")


def _known(found: Found) -> AttributeMap | None:
    if isinstance(found, Retry):
        raise found
    return found


def _mended(drift: LinkDrift, verdict: object) -> LinkDrift:
    if drift.error is not None:
        return drift
    if isinstance(verdict, Done):
        return LinkDrift(drift.source, drift.said, drift.counted, mended=True)
    why = f"{type(verdict).__name__}: {verdict}"
    return LinkDrift(drift.source, drift.said, drift.counted, error=why)


def _cursor(stage: str, start: Any) -> str:
    return strict({"stage": stage, "start": start})


def _place(cursor: str | None) -> tuple[str, Any]:
    """The stage that *cursor* names, and the start in it. Raises ConfigError."""
    if cursor is None:
        return LINKS, None
    try:
        value = json.loads(cursor)
        stage, start = value["stage"], value["start"]
    except (ValueError, TypeError, KeyError) as error:
        raise no_cursor(cursor) from error
    kind = str if stage == COUNTERS else dict
    if stage not in STAGES or not isinstance(start, kind | None):
        raise no_cursor(cursor)
    return stage, start
