"""Delivers a real stream to a deployed function by Lambda's rules, in threads.

Each mapping has a thread that reads ahead, and a thread for each lane that invokes the function.
All shards share these threads. On AWS each shard has its own; here a slow function slows all of
them. If a driver stops and is started again, it does not deliver a batch twice.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Self

from local.delivery.aws import EpochClock
from local.delivery.lane import Lane
from local.delivery.ports import (
    Answered,
    Clock,
    Destination,
    Discarded,
    Invoker,
    NotInvoked,
    Reader,
    Result,
    Unreachable,
)
from local.delivery.progress import Counts, Progress
from local.delivery.records import Record
from local.delivery.rules import Backoff
from local.delivery.settings import MappingSettings
from local.delivery.shards import Delivery
from local.delivery.steps import Discard, Invoke, Wait

POLL_S = 0.05  # AWS polls four times a second (WD); here a test or a demo waits
BUSY_PAGE = 100  # records in a page after which the next page is read at once
READ_AHEAD = 2_000  # unfinished records of a shard at which it is not read any further
DISCOVER_S = 1.0  # between two looks for new shards

log = logging.getLogger(__name__)

Observer = Callable[[Sequence[Record], Result | Discarded], object]
"""Called after each invocation and each discarded batch, in the thread of its lane."""


class StreamDriver:
    """Delivers one mapping's stream: `start` it, `drain` it or `wait_for` its counts, `stop` it."""

    def __init__(
        self,
        settings: MappingSettings,
        reader: Reader,
        invoker: Invoker,
        destination: Destination | None = None,
        *,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
        poll_s: float = POLL_S,
        observer: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._invoker = invoker
        self._destination = destination
        self._clock = clock or EpochClock()
        self._backoff = backoff or Backoff()
        self._poll_s = poll_s
        self._observer = observer
        self._progress = Progress(settings.stream_arn)
        self._changed = self._progress.changed  # the lock that guards everything below
        self._delivery = Delivery(settings, backoff=backoff)
        self._rounds = 0  # begun by the reader
        self._clean_round = 0  # the last round that found nothing to read and nothing unfinished
        self._draining = 0
        self._ready = False
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def counts(self) -> Counts:
        with self._changed:
            return self._progress.counts

    @property
    def last_error(self) -> str | None:
        """Why the last call without an answer failed."""
        return self._progress.last_error

    def start(self, timeout_s: float = 30) -> Self:
        """Start, and return once the position in the stream is fixed: later writes will be seen.

        Raises Unreachable if the stream gives no answer within *timeout_s*.
        """
        if self._threads:
            raise RuntimeError(f"{self._settings.stream_arn}: its driver is started already")
        self._stopping.clear()
        lanes = range(self._settings.parallelization_factor)
        self._threads = [self._thread("read", self._read)] + [
            self._thread(f"lane-{lane}", self._work, lane) for lane in lanes
        ]
        for thread in self._threads:
            thread.start()
        try:
            ready = self._progress.wait(lambda: self._ready, timeout_s)
        except BaseException:
            self.stop()
            raise
        if not ready:
            self.stop()
            raise Unreachable(self.last_error or f"{self._settings.stream_arn}: no answer")
        return self

    def stop(self) -> None:
        """Wait for the invocations at hand, and end every thread."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._progress.raise_crash()

    def __enter__(self) -> Self:
        return self if self._threads else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, condition: Callable[[Counts], bool], timeout_s: float) -> bool:
        """Wait until *condition* holds for the counts; False if it doesn't within *timeout_s*."""
        return self._progress.wait(lambda: condition(self._progress.counts), timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything written before this call is delivered or discarded.

        False if that takes longer than *timeout_s*; `last_error` may say why. Takes an empty page
        for the end of a shard, which is true of emulators.
        """
        with self._changed:
            began = self._rounds
            self._draining += 1
        try:
            return self._progress.wait(lambda: self._clean_round > began, timeout_s)
        finally:
            with self._changed:
                self._draining -= 1

    def _thread(self, name: str, run: Callable[..., None], *args: object) -> threading.Thread:
        def guarded() -> None:
            try:
                run(*args)
            except BaseException as error:  # raised again in whoever waits
                self._stopping.set()
                self._progress.crashed(name, error)

        table = self._settings.stream_arn.split("/")[1:2]
        # Daemons, so that a program that fails before it stops its driver can still end.
        return threading.Thread(
            target=guarded, name="-".join(["stream", *table, name]), daemon=True
        )

    def _read(self) -> None:
        tries = 0
        discover_at = 0.0
        while not self._stopping.is_set():
            now = self._clock.now()
            with self._changed:
                self._rounds += 1
                discover = now >= discover_at or self._draining > 0
            try:
                if discover:
                    self._discover()
                    discover_at = now + DISCOVER_S
                most, closed = self._round(discover)
            except Unreachable as error:
                tries += 1
                self._progress.unreachable(str(error))
                self._stopping.wait(self._backoff.delay_s(tries))
                continue
            tries = 0
            if closed:
                discover_at = 0.0  # its children exist by now
            elif most < BUSY_PAGE:
                self._stopping.wait(self._poll_s)

    def _discover(self) -> None:
        shards = self._reader.shards()
        with self._changed:
            self._delivery.discover(shards)
            self._ready = True
            self._changed.notify_all()

    def _round(self, discovered: bool) -> tuple[int, bool]:
        """Read a page of each shard that is not read too far ahead.

        Returns the length of the longest page, and whether a shard closed.
        """
        with self._changed:
            number = self._rounds
            readable = self._delivery.readable()
            roomy = [shard for shard in readable if shard.backlog < READ_AHEAD]
            waiting = [shard for shard in self._delivery.shards if not shard.finished]
        most, closed, clean = 0, False, discovered and len(waiting) == len(roomy)
        for shard in roomy:
            if self._stopping.is_set():
                return 0, False
            page = self._reader.read(shard.info.id)
            most = max(most, len(page.records))
            closed = closed or page.closed
            with self._changed:
                passed = shard.offer(page.records, self._clock.now())
                shard.closed = page.closed
                self._progress.add(read=len(page.records), filtered=len(page.records) - passed)
        with self._changed:
            if clean and not most and not closed and self._delivery.idle:
                self._clean_round = number
                self._changed.notify_all()
        return most, closed

    def _work(self, number: int) -> None:
        turn = 0
        while taken := self._take(number, turn):
            turn, lane, step = taken
            if isinstance(step, Invoke):
                self._invoke(lane, step.records)
            else:
                self._discard(lane, step.discarded)

    def _take(self, number: int, turn: int) -> tuple[int, Lane, Invoke | Discard] | None:
        """Wait for the next step of lane *number* of any shard; the shards take turns.

        None if the driver stops.
        """
        with self._changed:
            while not self._stopping.is_set():
                now = self._clock.now()
                until: float | None = None
                shards = self._delivery.shards
                for offset in range(len(shards)):
                    at = (turn + offset) % len(shards)
                    lane = shards[at].lanes[number]
                    step = lane.next(now)
                    if isinstance(step, Invoke | Discard):
                        return at + 1, lane, step
                    if isinstance(step, Wait):
                        until = step.until if until is None else min(until, step.until)
                self._changed.wait(None if until is None else max(0.0, until - now))
        return None

    def _invoke(self, lane: Lane, records: Sequence[Record]) -> None:
        result = self._invoker.invoke(records)
        with self._changed:
            delivered = lane.answered(result, self._clock.now())
            failed = delivered < len(records)
            if isinstance(result, Answered):
                self._progress.add(invoked=1, delivered=delivered, failed=int(failed))
        if isinstance(result, NotInvoked):
            self._progress.unreachable(result.reason)
        elif failed:
            self._log_failure(records, delivered, result)
        self._observe(records, result)

    def _log_failure(self, records: Sequence[Record], delivered: int, answer: Answered) -> None:
        log.warning(
            "%s: %s of %s records from %s failed (%s)",
            self._settings.function_arn,
            len(records) - delivered,
            len(records),
            records[delivered].sequence_number,
            answer.error or "reported by the function",
        )

    def _discard(self, lane: Lane, discarded: Discarded) -> None:
        try:
            if self._destination:
                self._destination.send(discarded)
        except Unreachable as error:
            with self._changed:
                lost = lane.not_sent(self._clock.now())
                self._progress.add(lost=len(discarded.records) if lost else 0)
            self._progress.unreachable(str(error))
            if lost:  # on AWS the metric DestinationDeliveryFailures, and an alarm
                log.error("the on-failure document of %s is lost", discarded.document)
            return
        with self._changed:
            lane.sent()
            self._progress.add(discarded=len(discarded.records))
        log.error(
            "%s: discarded %s records: %s",
            self._settings.function_arn,
            len(discarded.records),
            {**discarded.document["requestContext"], **discarded.document["DDBStreamBatchInfo"]},
        )
        self._observe(discarded.records, discarded)

    def _observe(self, records: Sequence[Record], what: Result | Discarded) -> None:
        if self._observer:
            self._observer(records, what)
