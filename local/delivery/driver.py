"""Delivers a real stream to a deployed function by Lambda's rules, in threads.

A reader thread per mapping reads ahead; a worker thread per lane invokes. Shards share the
workers: on AWS each has its own, so here a slow function slows all of them. A batch under way
when the driver stops is not delivered twice if the same driver is started again.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from botocore.config import Config

from local.delivery.aws import EpochClock, LambdaInvoker, StreamReader, destination
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
from local.delivery.records import Record
from local.delivery.rules import Backoff, Discard, Invoke, Lane, Wait
from local.delivery.settings import MappingSettings
from local.delivery.shards import Delivery
from sync.errors import ConfigError

POLL_S = 0.05  # AWS polls four times a second (WD); here a test or a demo waits
BUSY_PAGE = 100  # a page of so many records is followed by the next at once
READ_AHEAD = 2_000  # records a shard may have waiting before it is read again
DISCOVER_S = 1.0  # between looks for new shards
LONGEST_INVOCATION_S = 900  # a function's longest timeout

log = logging.getLogger(__name__)

Observer = Callable[[Sequence[Record], Result | Discarded], object]
"""Is told of each invocation and each discarding after the rules are; called in a worker."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a driver has done so far, in records but for *invoked*, *failed* and *errors*."""

    read: int = 0
    filtered: int = 0
    delivered: int = 0
    discarded: int = 0
    lost: int = 0  # discarded, and the destination could not be told
    invoked: int = 0
    failed: int = 0  # invocations that did not deliver all of their records
    errors: int = 0  # of the parts: stream, function or destination unreachable


class StreamDriver:
    """One mapping under way. `start`, then `drain` or `wait_for` what is expected, then `stop`."""

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
        self.last_error: str | None = None
        self._settings = settings
        self._reader = reader
        self._invoker = invoker
        self._destination = destination
        self._clock = clock or EpochClock()
        self._backoff = backoff or Backoff()
        self._poll_s = poll_s
        self._observer = observer
        # The lock guards everything below; no part is called while it is held.
        self._changed = threading.Condition()
        self._delivery = Delivery(settings, backoff=backoff)
        self._counts = Counts()
        self._rounds = 0  # of the reader, begun
        self._clean_round = 0  # the last that found nothing to read and nothing unfinished
        self._draining = 0
        self._ready = False
        self._stopping = threading.Event()
        self._crash: BaseException | None = None
        self._threads: list[threading.Thread] = []

    @property
    def counts(self) -> Counts:
        with self._changed:
            return self._counts

    def start(self, timeout_s: float = 30) -> Self:
        """Start, and return once the position in the stream is taken: later writes are seen.

        Raises Unreachable if the stream cannot be found within *timeout_s*.
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
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._crash is not None, timeout_s)
        if not self._ready:
            self.stop()
            raise Unreachable(self.last_error or f"{self._settings.stream_arn}: no answer")
        return self

    def stop(self) -> None:
        """Let the invocations at hand finish, and join every thread."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._raise_crash()

    def __enter__(self) -> Self:
        return self if self._threads else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, condition: Callable[[Counts], bool], timeout_s: float) -> bool:
        """Wait until *condition* holds for the counts; False if it doesn't within *timeout_s*."""
        return self._wait(lambda: condition(self._counts), timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """Wait until all that was written before this call is delivered or discarded.

        False if *timeout_s* pass before; `last_error` may say why. Relies on an empty page
        meaning the end of a shard, as it does on emulators.
        """
        with self._changed:
            began = self._rounds
            self._draining += 1
        try:
            return self._wait(lambda: self._clean_round > began, timeout_s)
        finally:
            with self._changed:
                self._draining -= 1

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with self._changed:
            met = self._changed.wait_for(lambda: condition() or self._crash is not None, timeout_s)
        self._raise_crash()
        return met

    def _raise_crash(self) -> None:
        if self._crash:
            raise RuntimeError(f"{self._settings.stream_arn}: the driver broke") from self._crash

    def _thread(self, name: str, run: Callable[..., None], *args: object) -> threading.Thread:
        def guarded() -> None:
            try:
                run(*args)
            except BaseException as error:  # raised again where somebody waits
                log.exception("%s: %s broke", self._settings.stream_arn, name)
                self._stopping.set()
                with self._changed:
                    self._crash = error
                    self._changed.notify_all()

        table = self._settings.stream_arn.split("/")[1:2]
        # Daemons, so that a program that breaks before it stops its driver ends all the same.
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
                self._unreachable(str(error))
                self._stopping.wait(self._backoff.delay_s(tries))
                continue
            tries = 0
            if closed:
                discover_at = 0.0  # its children are there by now
            elif most < BUSY_PAGE:
                self._stopping.wait(self._poll_s)

    def _discover(self) -> None:
        shards = self._reader.shards()
        with self._changed:
            self._delivery.discover(shards)
            self._ready = True
            self._changed.notify_all()

    def _round(self, discovered: bool) -> tuple[int, bool]:
        """Read each shard that has room; returns the longest page and whether a shard closed."""
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
                self._count(read=len(page.records), filtered=len(page.records) - passed)
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
        """The next step of any shard's lane *number*, shards taking turns; None to stop."""
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
                self._count(invoked=1, delivered=delivered, failed=int(failed))
        if isinstance(result, NotInvoked):
            self._unreachable(result.reason)
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
                lost = lane.untold(self._clock.now())
                self._count(lost=len(discarded.records) if lost else 0)
            self._unreachable(str(error))
            if lost:  # on AWS the metric DestinationDeliveryFailures, and an alarm
                log.error("the on-failure document of %s is lost", discarded.document)
            return
        with self._changed:
            lane.told()
            self._count(discarded=len(discarded.records))
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

    def _unreachable(self, reason: str) -> None:
        log.warning("%s; it is tried again", reason)
        with self._changed:
            self.last_error = reason
            self._count(errors=1)

    def _count(self, **more: int) -> None:
        """Add to the counts and wake whoever waits for them; the lock is held."""
        if any(more.values()):
            sums = {name: getattr(self._counts, name) + value for name, value in more.items()}
            self._counts = replace(self._counts, **sums)
            self._changed.notify_all()


class _Clients:
    """Makes clients whose calls are never repeated unseen, and wait as long as a function runs."""

    def __init__(self, session: Any, endpoint_url: str | None) -> None:
        self._session = session
        self._endpoint_url = endpoint_url

    def client(self, service: str) -> Any:
        config = Config(
            connect_timeout=5,
            read_timeout=LONGEST_INVOCATION_S + 10 if service == "lambda" else 10,
            retries={"total_max_attempts": 1},
        )
        return self._session.client(service, endpoint_url=self._endpoint_url, config=config)


def take_over(
    function_name: str,
    session: Any,
    *,
    endpoint_url: str | None = None,
    observer: Observer | None = None,
) -> list[StreamDriver]:
    """Disable the stream mappings of *function_name*, and return a driver for each, not started.

    *session* is a boto3.Session. Raises ConfigError if there is no such mapping, or if one has
    settings that these rules don't know; then none is disabled.
    """
    clients = _Clients(session, endpoint_url)
    functions, streams = clients.client("lambda"), clients.client("dynamodbstreams")
    pages = functions.get_paginator("list_event_source_mappings").paginate(
        FunctionName=function_name
    )
    mappings = [
        MappingSettings.from_answer(answer)
        for page in pages
        for answer in page["EventSourceMappings"]
        if answer["EventSourceArn"].split(":")[2] == "dynamodb"
    ]
    if not mappings:
        raise ConfigError(f"{function_name}: no DynamoDB stream is mapped to it")
    drivers = []
    for settings in mappings:
        clock = EpochClock()
        drivers.append(
            StreamDriver(
                settings,
                StreamReader(streams, settings.stream_arn, settings.starting_position, clock),
                LambdaInvoker(functions, settings.function_arn),
                destination(settings, clients, clock),
                clock=clock,
                observer=observer,
            )
        )
    for settings in mappings:
        functions.update_event_source_mapping(UUID=settings.uuid, Enabled=False)
    return drivers
