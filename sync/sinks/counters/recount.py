"""Counting anew what the counters sink keeps count of, and mending what differs.

    links ↔ contributions    each link row and its contribution, both ways
    contributions ↔ counters how many contributions name a counter, and what it holds

Counters are compared with the contributions, never with the links: those two change in one
transaction, while a link may have changed whose record is still on its way. A link that differs
goes the way of every recovery, resync, which brings its contribution and the counters along.

The stream may go on meanwhile, so only what differs in two readings counts as drift, and a counter
is mended only if the contributions to it were the very same, version by version, in both, and if it
still holds what was seen.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sync.aws.clients import CALL_S, Clients, failures
from sync.aws.items import Found, Items, text_only, wire
from sync.aws.keys import AttributeMap, Source
from sync.aws.transactions import transact
from sync.errors import ConfigError, RecordError, RegistryError, Retry, Unavailable
from sync.model.change import Change
from sync.model.patterns import literal
from sync.model.registry import Registry
from sync.recovery.by_hand import ByHand
from sync.recovery.parking import Parked
from sync.runtime.deadline import Deadline
from sync.sinks.counters.actions import replace
from sync.sinks.counters.rows import FAMILIES, Contribution, Counter, count_of, row_id, source_of
from sync.sinks.counters.sink import Counters, read
from sync.writing.ids import document_id
from sync.writing.op import Done

LINKS, CONTRIBUTIONS, COUNTERS = STAGES = ("links", "contributions", "counters")
PORTION_S: Final = 30.0  # the least time that another portion is begun with
_AT_ONCE: Final = 100  # one BatchGetItem


@dataclass(frozen=True, slots=True)
class Family:
    """Counters, and the links that they count: those in *partition* of *table*, by *hash_key*."""

    target: str
    table: str
    hash_key: str
    partition: str


@dataclass(frozen=True, slots=True)
class LinkDrift:
    """A link whose contribution is not what its row says. *said*, *counted*: sort keys of counters.

    *error*: why it is not mended, or why its row can't be read.
    """

    source: Source
    said: str | None
    counted: str | None
    mended: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CounterDrift:
    """A counter that does not hold the number of contributions to it."""

    counter: str
    contributing: int
    held: int
    mended: bool = False


@dataclass(slots=True)
class Page:
    """What a call found. *cursor* goes to the next call; None: that was the last."""

    checked: int = 0  # links and contributions
    links: list[LinkDrift] = field(default_factory=list)
    counters: list[CounterDrift] = field(default_factory=list)
    cursor: str | None = None


@dataclass(slots=True)
class Contributing:
    """The contributions to a counter in one reading; equal only if each is, in its version too."""

    count: int = 0
    print: int = 0

    def take(self, row: AttributeMap) -> None:
        self.count += 1
        self.print ^= hash((row["id"]["S"], row["version"]["N"]))


def families(registry: Registry) -> Iterator[Family]:
    """A family for each model that feeds the counters sink.

    Raises ConfigError for one whose links stand in more than one partition: these would have to be
    scanned for.
    """
    for model, table, target in registry.feeding(Counters):
        hash_key, pattern = next(iter(model.route.keys.items())) if model.route else ("", "")
        if (partition := literal(pattern)) is None:
            raise ConfigError(f"{model.__name__} has no one partition: {hash_key} is {pattern!r}")
        yield Family(target, table, hash_key, partition)


class Recount:
    """One family of counters and its links."""

    def __init__(
        self,
        family: Family,
        sink: Counters,
        registry: Registry,
        resync: ByHand,
        clients: Clients,
    ) -> None:
        self._family = family
        self._sink = sink
        self._registry = registry
        self._resync = resync
        self._clients = clients
        self._items = Items(clients)

    def page(self, cursor: str | None, *, repair: bool, limit: int, deadline: Deadline) -> Page:
        """Check at most about *limit* rows, from *cursor* on; with *repair* mend what differs.

        The last stage reads all contributions and counters, in a call of its own, and tells at
        most *limit* counters. Raises ConfigError for a bad cursor, Retry where a table can't be
        read or time runs out.
        """
        page = Page()
        stage, start = _place(cursor)
        if stage == COUNTERS:
            page.counters, last = self._check_counters(start, repair, limit, deadline)
            page.cursor = None if last is None else _cursor(COUNTERS, last)
            return page
        looked = 0
        while True:
            most = min(_AT_ONCE, limit - looked)
            if stage == LINKS:
                sources, start = self._links(start, most)
            else:
                sources, start = self._contributors(start, most)
            looked += most
            page.checked += len(sources)
            page.links += self._check_links(sources, repair, deadline)
            if start is None:
                stage = STAGES[STAGES.index(stage) + 1]
            if stage == COUNTERS or looked >= limit or deadline.remaining() < PORTION_S:
                page.cursor = _cursor(stage, start)
                return page

    def _links(self, start: Any, most: int) -> tuple[list[Source], Any]:
        """The items of the next *most* link rows, and where the ones after them begin."""
        family = self._family
        names = {f"#{n}": name for n, name in enumerate(self._registry.tables[family.table])}
        rows, start = self._read(
            "query",
            start,
            TableName=family.table,
            KeyConditionExpression="#0 = :partition",
            ExpressionAttributeNames=dict(names),
            ExpressionAttributeValues={":partition": {"S": family.partition}},
            ProjectionExpression=", ".join(names),
            Limit=most,
        )
        return [Source(family.table, row) for row in rows], start

    def _contributors(self, start: Any, most: int) -> tuple[list[Source], Any]:
        """The items that the next *most* contribution rows stand for, and where others begin."""
        rows, start = self._read("scan", start, **self._contributions(), Limit=most)
        return [source_of(row) for row in rows], start

    def _check_links(
        self, sources: Sequence[Source], repair: bool, deadline: Deadline
    ) -> list[LinkDrift]:
        drift = self._differing(sources, deadline)
        if drift:  # perhaps in between two readings
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
        """Those whose contribution is not what their rows say."""
        items = self._items.read(sources, deadline)
        drift = []
        said: dict[Source, tuple[Source, str | None]] = {}
        for source in sources:
            try:
                op_row, counter = self._said(source, _known(items[source]))
            except (RecordError, RegistryError) as error:
                drift.append(LinkDrift(source, None, None, error=f"{error}"))
                continue
            said[source] = op_row, counter
        rows = self._items.read([row for row, _ in said.values()], deadline)
        for source, (row, counter) in said.items():
            found = _known(rows[row])
            counted = Contribution.of(found).counter if found else None
            if counted != counter:
                drift.append(LinkDrift(source, counter, counted))
        return drift

    def _said(self, source: Source, item: AttributeMap | None) -> tuple[Source, str | None]:
        """Where the contribution of *source* stands, and the counter it should name.

        Raises RecordError for a row that does not satisfy its model, or that has none.
        """
        pattern = self._registry.match(source.table, source.keys)
        if pattern is not None:
            id_ = document_id(source.keys, pattern.names)
            change = Change(pattern.model, source, id_, 0, new_image=item)
            for op in pattern.model.plan(change):
                if op.sink == Counters.name and op.target == self._family.target:
                    counter = read(op).counter
                    row = Source(self._sink.contributions, {"id": {"S": row_id(op)}})
                    return row, counter.sort_key if counter else None
        raise RecordError(f"no model counts {source}")

    def _check_counters(
        self, start: str | None, repair: bool, limit: int, deadline: Deadline
    ) -> tuple[list[CounterDrift], str | None]:
        """The counters after *start* that differ, and the last of them where others are left."""
        before, held_before = self._tally(deadline), self._held(deadline)
        suspects = {key for key in _unequal(before, held_before) if start is None or key > start}
        if not suspects:
            return [], None
        after, held_after = self._tally(deadline), self._held(deadline)
        drift: list[CounterDrift] = []
        for sort_key in sorted(suspects):
            if drift and (len(drift) >= limit or deadline.remaining() < CALL_S):
                return drift, drift[-1].counter
            seen = held_after.get(sort_key)
            if before.get(sort_key) != after.get(sort_key) or held_before.get(sort_key) != seen:
                continue  # somebody is at it: not known to be wrong
            count = after.get(sort_key, Contributing()).count
            mended = repair and transact(
                self._clients,
                [replace(self._sink.counters, self._counter(sort_key), count, seen)],
                f"mending the counter {sort_key}",
            )
            drift.append(CounterDrift(sort_key, count, seen or 0, mended))
        return drift, None

    def _tally(self, deadline: Deadline) -> dict[str, Contributing]:
        """The contributions to each counter."""
        tally: dict[str, Contributing] = {}
        for row in self._all("scan", deadline, **self._contributions()):
            tally.setdefault(row["counter"]["S"], Contributing()).take(row)
        return tally

    def _held(self, deadline: Deadline) -> dict[str, int]:
        """What each counter holds."""
        rows = self._all(
            "query",
            deadline,
            TableName=self._sink.counters,
            KeyConditionExpression="PK = :partition",
            ExpressionAttributeValues={":partition": {"S": FAMILIES[self._family.target]}},
        )
        return {row["SK"]["S"]: count_of(row) for row in rows}

    def _counter(self, sort_key: str) -> Counter:
        return Counter(FAMILIES[self._family.target], sort_key)

    def _contributions(self) -> Mapping[str, Any]:
        """A scan of the family's contributions, without tombstones."""
        return {
            "TableName": self._sink.contributions,
            "FilterExpression": "begins_with(id, :target) AND attribute_exists(#counter)",
            "ExpressionAttributeNames": {"#counter": "counter"},
            "ExpressionAttributeValues": {":target": {"S": f"{self._family.target}#"}},
        }

    def _all(self, how: str, deadline: Deadline, **request: Any) -> Iterator[AttributeMap]:
        start = None
        while True:
            if not deadline.remaining():
                raise Unavailable(f"{request['TableName']}: not read to its end in the time given")
            rows, start = self._read(how, start, **request)
            yield from rows
            if start is None:
                return

    def _read(self, how: str, start: Any, **request: Any) -> tuple[list[AttributeMap], Any]:
        """A page of a query or scan, and where the next begins; None: that was the last."""
        if start is not None:
            request["ExclusiveStartKey"] = wire(start)
        with failures(f"reading {request['TableName']}"):
            client = self._clients("dynamodb")
            answer = getattr(client, how)(ConsistentRead=True, **request)
        last = answer.get("LastEvaluatedKey")
        return [text_only(row) for row in answer["Items"]], last and text_only(last)


def _unequal(tally: Mapping[str, Contributing], held: Mapping[str, int]) -> set[str]:
    """The counters that don't hold what contributes to them; one of 0 should not be there."""
    right = {sort_key: contributing.count for sort_key, contributing in tally.items()}
    return {key for key in {*right, *held} if right.get(key) != held.get(key)}


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
    return json.dumps({"stage": stage, "start": start}, separators=(",", ":"))


def _place(cursor: str | None) -> tuple[str, Any]:
    """The stage and the start in it that *cursor* stands for. Raises ConfigError."""
    if cursor is None:
        return LINKS, None
    try:
        value = json.loads(cursor)
        stage, start = value["stage"], value["start"]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}") from error
    kind = str if stage == COUNTERS else dict
    if stage not in STAGES or not isinstance(start, kind | None):
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}")
    return stage, start
