"""The worker of runs: handles the messages that drive the segments.

A segment has one message at a time that counts, that of its row's `hop`. A worker

    claims the segment → works page after page → sets the hop one higher and releases the segment
    → sends the message of that hop → notes that it is sent → lets SQS delete its own message

and saves the cursor after each page. Each write of the row needs the one before (`revision`), so
whoever is too late does nothing. SQS delivers every message at least once, and again after the
queue's visibility timeout if its worker died. What the chain of messages survives:

- *The worker dies at a page.* Its message comes again. By then its claim is over, and so is the
  effect of its requests (sync/runtime/waits.py): a claim lasts longer than its worker and these.
  The page is done once more. Until then nobody else claims the segment, so a state that the dead
  worker wrote can't stay: the same items are read and written again before the segment moves on.
  Their keys are in the row since before the first was written, since an item that was deleted
  meanwhile is in no scan.
- *The worker dies before it sends the next message, or that can't be sent.* Its own message comes
  again, and is older than the row's hop, of which no message is known to be sent: it sends that.
- *A message comes twice.* An older one sends nothing if the next is known to be sent; if its
  worker may be sending it just now (`held_until` without a holder), it comes again. One of a
  segment that another message's worker has claimed is deleted: that other message remains. If it
  is the very message that the claim names, it is left in the queue, as deleting one copy of a
  message deletes all.
- *The sending was not noted.* Then the message is sent twice, and the second is one that comes
  twice. Its successors are noted again, so a chain that forked ends in one.
- *A message is lost for good*, in the dead-letter queue for instance. `Control.revive` sends the
  next one of a segment that stands still, as it does for a `start` or `resume` that died half way.

tests/proofs/test_runs.py shows it over every order of these events.

Pausing and cancelling change the run's row, which is read before each page. Then a message ends
without a successor, unless the segment's page has begun: that is settled first, since nobody may
come again to verify it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from random import uniform
from typing import Any, Final, Protocol

from sync.aws.keys import AttributeMap
from sync.aws.responses import BatchResponse, failures_of
from sync.errors import RecordError, Retry, Unavailable
from sync.recovery.parking import LONGEST_DELAY_S
from sync.runs.messages import RunMessage, RunQueue
from sync.runs.rows import Run, Segment
from sync.runs.table import RunsTable
from sync.runtime.clock import Clock, now_s
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.metrics import Metrics

PAGE_S: Final = 30.0  # a page is not begun with less time left
LONGEST_CAUSE: Final = 500  # characters
SENDING_S: Final = 30.0  # from releasing a segment until its next message is sent, or never is
_CLAIMS: Final = 4  # tries to claim a segment whose row is changed meanwhile


@dataclass(frozen=True, slots=True)
class Page:
    """What became of a page.

    *cursor*: where the next page begins; None: this was the last. *held*: why the page is not
    completed; then it is done again, and the counts are not added. *tried*, if held: something was
    sent, so the page has begun. *after*, if held: the next try needs a version above this one.
    *ahead*: what the kind has prepared of the next page. It gets that back if the same worker does
    that page next.
    """

    cursor: AttributeMap | None
    counts: Mapping[str, int] = field(default_factory=dict)
    units: float = 0.0
    held: Exception | None = None
    tried: bool = False
    after: int = 0
    ahead: Any = None


Begin = Callable[[Sequence[AttributeMap]], None]
"""Notes the keys of a page in its segment's row. Raises Retry."""


class Kind(Protocol):
    """What a run does with its pages."""

    def page(
        self,
        run: Run,
        segment: Segment,
        deadline: Deadline,
        begin: Begin,
        *,
        last: bool,
        ahead: Any = None,
    ) -> Page:
        """Do the page at the cursor of *segment*. Raises Retry if nothing was written.

        *begin* has to be called with the keys of all items before anything is written for one, and
        keys that *segment* has from an earlier try belong to the page. *last*: nobody comes
        again, as the run was paused or cancelled. Then the page is completed, whatever its outcome.
        *ahead*: of the page before.
        """
        ...


class RunWorker:
    """Handles the messages of all runs. *kinds*: by the name in a run's row.

    *margin_s*: how long after the deadline a claim lasts, until the function is over, and whatever
    it sent.
    """

    def __init__(
        self,
        table: RunsTable,
        queue: RunQueue,
        kinds: Mapping[str, Kind],
        clock: Clock,
        metrics: Metrics,
        *,
        margin_s: float,
        wait_s: float,
    ) -> None:
        self._table = table
        self._queue = queue
        self._kinds = kinds
        self._clock = clock
        self._metrics = metrics
        self._margin_s = margin_s
        self._wait_s = wait_s

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> BatchResponse:
        """Handle SQS *records*; returns the messages that SQS is to deliver again."""
        failed = [r["messageId"] for r in records if not self._handle(r, deadline)]
        return failures_of(failed)

    def _handle(self, record: Mapping[str, Any], deadline: Deadline) -> bool:
        """Whether SQS may delete the message."""
        id_ = str(record["messageId"])
        try:
            message = RunMessage.read(record["body"])
        except RecordError as error:  # comes again, and then to the dead-letter queue
            logger.error("unreadable message", extra={"id": id_}, exc_info=error)
            return False
        try:
            return self._take(message, id_, deadline)
        except Retry as error:
            logger.error(
                "a message of a run comes again",
                extra={"run": message.run, "segment": message.segment, "hop": message.hop},
                exc_info=error,
            )
            return False

    def _take(self, message: RunMessage, id_: str, deadline: Deadline) -> bool:
        """Whether SQS may delete *message*, whose id is *id_*. Raises Retry."""
        for _ in range(_CLAIMS):
            run = self._table.run(message.run)
            segment = self._table.segment(message.run, message.segment)
            if run is None or segment is None:
                logger.warning(
                    "a message of a run that is not there",
                    extra={"run": message.run, "segment": message.segment},
                )
                return True
            if segment.done:
                self._table.finish(run.id, deadline)
                return True
            now = now_s(self._clock)
            if message.hop < segment.hop:
                if segment.sent == segment.hop:
                    return True
                if segment.held_until > now:  # its worker may be sending it
                    return False
                self._go_on(segment, 0.0)
                return True
            if segment.is_held(now):
                return segment.holder != id_
            if run.status != "running" and not segment.begun:
                return True
            claimed = self._claim(segment, message.hop, id_, deadline)
            if claimed is not None:
                return self._work(run, claimed, deadline)
        return False

    def _claim(self, segment: Segment, hop: int, id_: str, deadline: Deadline) -> Segment | None:
        """The segment as claimed for the message *id_*; None if its row was changed meanwhile."""
        lasts_s = deadline.remaining() + self._margin_s
        return self._table.save(
            replace(
                segment,
                hop=hop,
                sent=max(hop, segment.sent),
                holder=id_,
                held_until=ceil(now_s(self._clock) + lasts_s),
            )
        )

    def _work(self, run: Run, segment: Segment, deadline: Deadline) -> bool:
        """Do pages of the claimed *segment*, then send the next message. Raises Retry."""
        counts = Counter[str]()
        ahead = None
        while True:
            began_s = self._clock.monotonic()
            page, segment = self._page(run, segment, deadline, ahead)
            ahead = page.ahead
            if page.held is not None:
                wait_s = self._holding_s(segment.tries)
                self._metrics.count(None, "run_waits")
                break
            counts.update({**page.counts, "pages": 1})
            self._metrics.count(None, "run_pages")
            self._metrics.count(None, "run_items", page.counts.get("read", 0))
            wait_s = _pace_s(run, page, self._clock.monotonic() - began_s)
            if segment.done or deadline.remaining() < PAGE_S + wait_s:
                break
            saved = self._table.save(segment)
            if saved is None:
                return False
            segment = saved
            if wait_s:
                deadline.pause(wait_s)
            run = self._table.run(run.id) or run
            if run.status != "running":
                break
        self._log(run, segment, counts)
        until = ceil(now_s(self._clock) + SENDING_S)
        released = self._table.save(
            replace(segment, hop=segment.hop + 1, holder=None, held_until=until)
        )
        if released is None:
            return False
        if released.done:
            self._table.finish(run.id, deadline)
            return True
        run = self._table.run(run.id) or run  # it may have been resumed since
        if run.status == "running" or released.begun:
            self._go_on(released, wait_s)
        return True

    def _page(
        self, run: Run, segment: Segment, deadline: Deadline, ahead: Any
    ) -> tuple[Page, Segment]:
        """Do the next page of *segment*; returns what became of it, and of the segment."""
        begun = segment

        def begin(keys: Sequence[AttributeMap]) -> None:
            nonlocal begun
            saved = self._table.save(replace(begun, keys=tuple(keys)))
            if saved is None:
                raise Unavailable("the segment was taken over by another worker")
            begun = saved

        try:
            kind = self._kinds[run.kind]
            last = run.status != "running"
            page = kind.page(run, segment, deadline, begin, last=last, ahead=ahead)
        except Retry as error:
            page = Page(segment.cursor, held=error)
        kept = begun.keys if page.tried else segment.keys
        return page, _advanced(replace(begun, keys=kept), page)

    def _go_on(self, segment: Segment, delay_s: float) -> None:
        """Send the message of the hop of *segment*, and note it. Raises Retry if it is not sent."""
        self._queue.send([RunMessage(segment.run, segment.number, segment.hop)], delay_s)
        note_sent(self._table, segment)

    def _holding_s(self, tries: int) -> float:
        """Seconds until a page is tried again, twice as long each time: longer than any request
        that was sent for it may take effect."""
        doubled = self._wait_s * 2.0 ** min(tries - 1, 10) * uniform(1.0, 1.5)  # noqa: S311 - no secret
        return max(self._wait_s, min(LONGEST_DELAY_S, doubled))

    def _log(self, run: Run, segment: Segment, counts: Mapping[str, int]) -> None:
        where = {"run": run.id, "table": run.table, "segment": segment.number, "hop": segment.hop}
        logger.info("run", extra={**where, **counts})
        if segment.cause is not None:
            logger.warning(
                "a run waits: %s", segment.cause, extra={**where, "tries": segment.tries}
            )


def note_sent(table: RunsTable, segment: Segment) -> None:
    """Note that the message of the hop of *segment* is sent. Only logs an error: without the note
    the message may be sent once more, which is harmless."""
    try:
        table.save(replace(segment, sent=segment.hop, held_until=0))
    except Retry as error:
        extra = {"run": segment.run, "segment": segment.number}
        logger.warning("not noted that a message was sent", extra=extra, exc_info=error)


def _advanced(segment: Segment, page: Page) -> Segment:
    """*segment* after *page*."""
    units = segment.units + page.units
    if page.held is not None:
        cause = f"{type(page.held).__name__}: {page.held}"[:LONGEST_CAUSE]
        after = max(segment.after, page.after)
        return replace(segment, units=units, tries=segment.tries + 1, cause=cause, after=after)
    counts = Counter(segment.counts)
    counts.update(page.counts)
    return replace(
        segment,
        cursor=page.cursor,
        done=page.cursor is None,
        units=units,
        counts=dict(counts),
        keys=(),
        tries=0,
        cause=None,
        after=0,
    )


def _pace_s(run: Run, page: Page, took_s: float) -> float:
    """Seconds to wait after *page*, which took *took_s*, so that the rate of *run* is kept."""
    rate = run.arguments.get("rate")
    if rate is None:
        return 0.0
    due_s: float = page.units * run.segments / rate - took_s
    return max(0.0, due_s)
