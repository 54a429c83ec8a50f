"""Backfill: writes the items that a table has to the sinks of their models.

    scan a page → write what it says → scan it again; what changed meanwhile is resynced by its keys
                  └ meanwhile, scan the next page

Live writes go on, and win: a page is written as a resync is (sync/recovery/resync.py), at a version
taken before its first reading. Items that appear meanwhile are the stream's.

A page that most of its items fail is not completed, but done again later: else a sink that is down
for an hour, or a wrong mapping, would have millions of keys parked. Fewer failures are parked or
become dead letters, and the backfill goes on.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sync.aws.clients import Clients
from sync.aws.items import Found
from sync.aws.keys import AttributeMap, Source
from sync.errors import NotTried, RecordError, RegistryError, Retry
from sync.model.planner import Planner
from sync.recovery.parking import Parked
from sync.recovery.resync import Asked, Resync, Settled, Tried, Unmatched
from sync.recovery.settle import Ended, Settle
from sync.runs.rows import Run, Segment
from sync.runs.scan import TRIES, Scan, Scanned
from sync.runs.worker import PAGE_S, Begin, Page
from sync.runtime.clock import Clock
from sync.runtime.collector import paused_collector
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.writing.fanout import AtOnce, Fanout, in_threads
from sync.writing.op import Done
from sync.writing.versions import SECOND

KIND: Final = "backfill"
SHARE: Final = 0.5  # of a page's documents; if so many fail, the page is done again
MANY: Final = 20  # documents that are worth waiting for without end
_MOST_BYTES: Final = 250_000  # of a page's keys as JSON, which have to fit into a row of 400 KB
_FEW_ITEMS: Final = 80  # whose keys fit, of up to 3 KB each
PATIENCE: Final = 8  # tries of a page with fewer, or with refused ones: about an hour


@dataclass(frozen=True, slots=True)
class _Read:
    """A page that has been read once: its *items* that *arguments* of the run want, and what they
    ask for."""

    arguments: Mapping[str, Any]
    scan: Scan
    first: Scanned
    items: Mapping[Source, AttributeMap]
    asked: Asked
    units: float


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
        *,
        at_once: AtOnce = in_threads,
    ) -> None:
        self._planner = planner
        self._resync = resync
        self._settle = settle
        self._fanout = fanout
        self._clients = clients
        self._clock = clock
        self._at_once = at_once

    @paused_collector()
    def page(
        self,
        run: Run,
        segment: Segment,
        deadline: Deadline,
        begin: Begin,
        *,
        last: bool,
        ahead: "_Read | None" = None,
    ) -> Page:
        """Bring the sinks in line with the page at the cursor of *segment*. Raises Retry."""
        sinks = run.arguments.get("sinks")
        if not last and (refusal := self._refusal(sinks)) is not None:
            raise refusal
        if ahead is None or ahead.arguments != run.arguments:
            page = self._read(run, segment, deadline)
            units = page.units
        else:
            page, units = ahead, 0.0  # the page before has counted its units
        earlier = [Source(run.table, key) for key in segment.keys]
        gone = [source for source in earlier if source not in page.items]
        if page.items or gone:
            begin([source.keys for source in (*page.items, *gone)])

        def again() -> Mapping[Source, Found]:
            nonlocal units
            second = page.scan.read(deadline)
            units += second.units
            return _second(run, page, second)

        def write() -> Tried:
            return self._resync.write(page.asked, again, deadline)

        def read_on() -> _Read | None:
            return self._ahead(run, replace(segment, cursor=page.first.last, after=0), deadline)

        parts: dict[str, Callable[[], Any]] = {"write": write}
        if not last and not segment.tries and page.first.last is not None:
            parts["read on"] = read_on
        did = dict(self._at_once(lambda part: parts[part](), parts))
        if (next_page := did.get("read on")) is not None:
            units += next_page.units
        settled = list(self._resync.verify(did["write"], deadline, sinks))
        read = len(page.first.items)
        counts = Counter[str](read=read, unmatched=read - len(page.items))
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
        return Page(page.first.last, dict(counts), units, ahead=next_page)

    def _read(self, run: Run, segment: Segment, deadline: Deadline, tries: int = TRIES) -> "_Read":
        """Read the page at the cursor of *segment*, and plan what to write. Raises Retry."""
        version = self._clock.time_ns()  # taken first: the items read are at least as new
        if version <= segment.after:
            wait_s = (segment.after - version) / SECOND
            raise NotTried(f"its time comes in {wait_s:.0f} s")
        scan = Scan(self._clients, run, segment)
        first = scan.read(deadline, tries)
        names = run.arguments["keys"]
        if len(strict([_key(names, item) for item in first.items])) > _MOST_BYTES:
            scan.limit(_FEW_ITEMS)
            first = scan.read(deadline, tries)
        items = {
            source: item
            for item in first.items
            if self._is_wanted(source := _source(run.table, names, item), run)
        }
        asked = self._resync.plan(items, version, run.arguments.get("sinks"))
        return _Read(run.arguments, scan, first, items, asked, first.units)

    def _ahead(self, run: Run, segment: Segment, deadline: Deadline) -> "_Read | None":
        """The page at the cursor of *segment*, read while the one before is written. None if it is
        to be read in its turn: to keep a rate, or as this worker may not come to it, or since
        DynamoDB failed, which is then said of that page."""
        if run.arguments.get("rate") or deadline.remaining() < 2 * PAGE_S:
            return None
        try:
            return self._read(run, segment, deadline, tries=1)
        except Retry:
            return None

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


def _second(run: Run, page: _Read, second: Scanned) -> Mapping[Source, Found]:
    """What the *second* reading of *page* says of its items."""
    if second.items == page.first.items:  # nearly always
        return page.items
    return {_source(run.table, run.arguments["keys"], item): item for item in second.items}


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
