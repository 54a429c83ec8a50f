"""Backfill: writes the items that a table has to the sinks of their models.

    scan a page → write what it says → scan it again; what changed meanwhile is resynced by its keys

Live writes go on, and win: a page is written as a resync is (sync/recovery/resync.py), at a version
taken before its first reading. Items that appear meanwhile are the stream's.

A page that most of its items fail is not completed, but done again later: else a sink that is down
for an hour, or a wrong mapping, would have millions of keys parked. Fewer failures are parked or
become dead letters, and the backfill goes on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sync.aws.clients import Clients
from sync.aws.items import Found
from sync.aws.keys import AttributeMap, Source
from sync.errors import NotTried, RecordError, RegistryError, Retry
from sync.model.planner import Planner
from sync.recovery.parking import Parked
from sync.recovery.resync import Resync, Settled, Unmatched
from sync.recovery.settle import Ended, Settle
from sync.runs.rows import Run, Segment
from sync.runs.scan import Scan, Scanned
from sync.runs.worker import Begin, Page
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.writing.fanout import Fanout
from sync.writing.op import Done
from sync.writing.versions import SECOND

KIND: Final = "backfill"
SHARE: Final = 0.5  # of a page's documents; if so many fail, the page is done again
MANY: Final = 20  # documents that are worth waiting for without end
_MOST_BYTES: Final = 250_000  # of a page's keys as JSON, which have to fit into a row of 400 KB
_FEW_ITEMS: Final = 80  # whose keys fit, of up to 3 KB each
PATIENCE: Final = 8  # tries of a page with fewer, or with refused ones: about an hour


class Backfill:
    """A kind of run. Arguments: `keys` (the table's key attributes), and if given `model`,
    `prefix` or `partition` (of the partition key), `sinks` and `rate`."""

    def __init__(
        self,
        planner: Planner,
        resync: Resync,
        settle: Settle,
        fanout: Fanout,
        clients: Clients,
        clock: Clock,
    ) -> None:
        self._planner = planner
        self._resync = resync
        self._settle = settle
        self._fanout = fanout
        self._clients = clients
        self._clock = clock

    def page(
        self, run: Run, segment: Segment, deadline: Deadline, begin: Begin, *, last: bool
    ) -> Page:
        """Bring the sinks in line with the page at the cursor of *segment*. Raises Retry."""
        sinks = run.arguments.get("sinks")
        if not last and (refusal := self._refusal(sinks)) is not None:
            raise refusal
        version = self._clock.time_ns()  # taken first: the items read are at least as new
        if version <= segment.after:
            wait_s = (segment.after - version) / SECOND
            raise NotTried(f"its time comes in {wait_s:.0f} s")
        scan = Scan(self._clients, run, segment)
        names = run.arguments["keys"]
        first = scan.read(deadline)
        if len(strict([_key(names, row) for row in first.items])) > _MOST_BYTES:
            scan.limit(_FEW_ITEMS)
            first = scan.read(deadline)
        units = first.units
        items = {
            source: item
            for item in first.items
            if self._is_wanted(source := _source(run.table, names, item), run)
        }

        earlier = [Source(run.table, key) for key in segment.keys]
        gone = [source for source in earlier if source not in items]
        if items or gone:
            begin([source.keys for source in (*items, *gone)])

        def again() -> Mapping[Source, Found]:
            nonlocal units
            second = scan.read(deadline)
            units += second.units
            return _second(run.table, names, items, first, second)

        settled = list(self._resync.read(items, version, again, deadline, sinks=sinks))
        counts = Counter[str](read=len(first.items), unmatched=len(first.items) - len(items))
        counts.update(map(_count, settled))
        left = [Parked(source, segment.after) for source in gone]
        for result in self._resync.run(left, deadline, sinks=sinks):
            settled.append(result)
            if not isinstance(result.verdict, Done | Unmatched):
                counts[_count(result)] += 1
        tried = any(result.tried for result in settled)
        if not last and (held := _held(settled, segment.tries)) is not None:
            after = max(result.key.after_version for result in settled)
            return Page(segment.cursor, units=units, held=held, tried=tried, after=after)
        settlement = self._settle.run(_ended(settled, sinks))
        for _, error in settlement.again:  # neither parked nor a dead letter
            return Page(segment.cursor, units=units, held=error, tried=True)
        return Page(first.last, dict(counts), units)

    def _refusal(self, sinks: Iterable[str] | None) -> NotTried | None:
        """Why nothing is to be tried with one of *sinks* now; it saves the reading."""
        refusals = (self._fanout.refusal(sink) for sink in sinks or ())
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _is_wanted(self, source: Source, run: Run) -> bool:
        """Whether the item is of the model that *run* is about; also if that can't be told, so
        that it is reported."""
        if (model := run.arguments.get("model")) is None:
            return True
        try:
            pattern = self._planner.match(source)
        except (RecordError, RegistryError):
            return True
        return pattern is not None and pattern.model.__name__ == model


def _key(names: Iterable[str], item: AttributeMap) -> AttributeMap:
    return {name: item[name] for name in names}


def _source(table: str, names: Iterable[str], item: AttributeMap) -> Source:
    return Source(table, _key(names, item))


def _second(
    table: str,
    names: Iterable[str],
    items: Mapping[Source, AttributeMap],
    first: Scanned,
    second: Scanned,
) -> Mapping[Source, Found]:
    """What the second reading of a page says of *items*, which the first one found."""
    if second.items == first.items:  # nearly always
        return items
    return {_source(table, names, item): item for item in second.items}


def _held(settled: Iterable[Settled], tries: int) -> Exception | None:
    """Why the page with these results is to be done again; None if it is completed."""
    documents = [result for result in settled if not isinstance(result.verdict, Unmatched)]
    waiting = [each.verdict for each in documents if isinstance(each.verdict, Retry)]
    refused = [
        each.verdict for each in documents if not isinstance(each.verdict, Retry | Done | Unmatched)
    ]
    most = SHARE * len(documents)
    if waiting and len(waiting) >= most and (len(waiting) >= MANY or tries < PATIENCE):
        return waiting[0]
    if len(refused) >= max(most, MANY) and tries < PATIENCE:
        return refused[0]
    return None


def _ended(settled: Iterable[Settled], sinks: Sequence[str] | None) -> Iterator[Ended[None]]:
    """What is left to do for *settled*. A key is parked for each of *sinks*; a dead letter is of
    all of them."""
    each = (None,) if sinks is None else tuple(sinks)
    for result in settled:
        one = each if isinstance(result.verdict, Retry) or len(each) == 1 else (None,)
        for sink in one:
            if (ended := result.ended(sink, None)) is not None:
                yield ended


def _count(result: Settled) -> str:
    """What a result counts as."""
    if isinstance(result.verdict, Done):
        return "written"
    if isinstance(result.verdict, Unmatched):
        return "unmatched"
    return "parked" if isinstance(result.verdict, Retry) else "failed"
