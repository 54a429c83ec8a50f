"""What Lambda does next with one lane of one shard: no thread, no I/O and no clock of its own.

Ask `Lane.next(now)` for the step, carry it out, and say how it went. Each rule names the page of
the Lambda guide that it comes from: with-ddb (WD), services-ddb-params (PR),
services-ddb-batchfailurereporting (PB), services-dynamodb-errors (ER). Where no page says
anything, the rule says what it assumes.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from local.delivery.failures import RETRIES_EXHAUSTED, TOO_OLD, document
from local.delivery.ports import Answered, Discarded, NotInvoked, Result
from local.delivery.records import Record
from local.delivery.settings import INFINITE, MappingSettings

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024  # of one invocation, envelope included (WD)
DESTINATION_TRIES = 3
ENVELOPE = b'{"Records":[', b",", b"]}"


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the function with these, then `answered`."""

    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Discard:
    """Tell the on-failure destination of these, if there is one, then `told` or `untold`."""

    discarded: Discarded


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before *until*, unless records are offered."""

    until: float


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do until records are offered."""


Step = Invoke | Discard | Wait | Idle


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a batch waits before it is tried again: doubling from *first_s* to *cap_s*.

    Assumed: ER promises retries and no pace. A split is tried at once: it is not a retry (ER).
    """

    first_s: float = 0.1
    cap_s: float = 2.0

    def delay_s(self, tries: int) -> float:
        """The pause after the *tries*-th failure in a row."""
        return min(self.cap_s, self.first_s * 2.0 ** min(tries - 1, 32))


def payload(records: Iterable[Record]) -> bytes:
    """The event of one invocation, as JSON."""
    head, comma, tail = ENVELOPE
    return head + comma.join(record.payload for record in records) + tail


def checkpoint(answer: Answered, records: Sequence[Record], *, partial: bool) -> int | None:
    """How many of *records*, from the first, are done; None if the batch failed as a whole.

    Without ReportBatchItemFailures (*partial*) the body means nothing. With it, the lowest
    sequence number returned is the checkpoint, and everything from it on is tried again (PB);
    lowest is taken as earliest in the batch, since numbers compare only within one item.
    """
    if answer.error:
        return None
    if not partial:
        return len(records)
    failures = failed_items(answer.body)
    if failures is None:
        return None
    position = {record.sequence_number: at for at, record in enumerate(records)}
    try:
        return min((position[failure] for failure in failures), default=len(records))
    except KeyError:  # a number that is not in the batch
        return None


def failed_items(body: bytes) -> list[str] | None:
    """The item identifiers in a partial batch response; None if it is malformed (PB).

    Success: no response, a null or empty one, a null or empty list. Failure of the whole batch:
    an identifier that is empty or null, or an item without one. Assumed: so is a response that
    is neither null nor an object, and a response without the list is one whose list is null.
    """
    if not body.strip():
        return []
    try:
        response = json.loads(body)
    except ValueError:
        return None
    if response is None:
        return []
    if not isinstance(response, dict):
        return None
    items = response.get("batchItemFailures")
    if items is None:
        return []
    if not isinstance(items, list):
        return None
    identifiers: list[str] = []
    for item in items:
        identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or not identifier:
            return None
        identifiers.append(identifier)
    return identifiers


def exhausted(failures: int, maximum_retry_attempts: int) -> bool:
    """Whether *failures* leave no retry: the first try is not one (ER, PR)."""
    return maximum_retry_attempts != INFINITE and failures > maximum_retry_attempts


class _Pending(NamedTuple):
    record: Record
    since: float  # when it was offered


@dataclass(slots=True)
class _Batch:
    """Records that go to the function together."""

    records: Sequence[Record]
    failures: int = 0  # those that used up retries
    invocations: int = 0  # all that these records were part of, splits included
    tries: int = 0  # of exactly these records, for the backoff
    not_before: float = 0.0
    last: Answered | None = None
    discarded: Discarded | None = None
    untold: int = 0  # how often the destination could not be told of it

    def part(self, records: Sequence[Record], *, failures: int) -> "_Batch":
        return _Batch(records, failures, self.invocations, last=self.last)

    def delay(self, now: float, backoff: Backoff) -> None:
        self.tries += 1
        self.not_before = now + backoff.delay_s(self.tries)


class Lane:
    """One of a shard's lanes: a queue of records, of which one batch at a time is under way.

    Offered records wait for a batch; a batch that fails is tried again, split or given up before
    the next begins, so records are finished in the order in which they were offered (WD).
    *finished* is told of records that are delivered or discarded. *now* is seconds since the
    epoch, as in record ages, and never goes back.
    """

    def __init__(
        self,
        settings: MappingSettings,
        shard_id: str,
        *,
        backoff: Backoff | None = None,
        finished: Callable[[Sequence[Record]], object] = len,  # by default, nobody is told
    ) -> None:
        self._settings = settings
        self._shard_id = shard_id
        self._backoff = backoff or Backoff()
        self._finished = finished
        self._pending: deque[_Pending] = deque()
        self._pending_bytes = 0  # each with its comma
        self._batches: list[_Batch] = []  # the parts of one batch, earliest last
        self._invoking = False

    @property
    def idle(self) -> bool:
        """Whether every record that was offered is finished."""
        return not self._batches and not self._pending

    @property
    def invoking(self) -> bool:
        """Whether an invocation awaits its answer; there is no next step until it has one."""
        return self._invoking

    @property
    def backlog(self) -> int:
        """How many offered records are not finished."""
        return len(self._pending) + sum(len(batch.records) for batch in self._batches)

    def offer(self, records: Iterable[Record], now: float) -> None:
        """Queue *records*, which come after all those offered before."""
        for record in records:
            self._pending.append(_Pending(record, now))
            self._pending_bytes += len(record.payload) + 1

    def next(self, now: float) -> Step:
        """The step to take at *now*; after Invoke there is none until it is answered."""
        if self._invoking:
            raise RuntimeError(f"{self._shard_id}: the invocation at hand has no answer yet")
        if not self._batches and not self._gather(now):
            if not self._pending:
                return Idle()
            return Wait(self._pending[0].since + self._settings.window_s)
        self._expire(now)
        batch = self._batches[-1]
        if batch.not_before > now:
            if batch.discarded:
                return Wait(batch.not_before)
            return Wait(min(batch.not_before, self._expiry(batch.records[0])))
        if batch.discarded:
            return Discard(batch.discarded)
        self._invoking = True
        return Invoke(batch.records)

    def answered(self, result: Result, now: float) -> int:
        """Say how the invocation went; returns how many records it delivered.

        A function that was not invoked uses up no retry: its records are tried until they expire
        or exceed the maximum age (ER, "before invocation").
        """
        if not self._invoking:
            raise RuntimeError(f"{self._shard_id}: no invocation is at hand")
        self._invoking = False
        batch = self._batches[-1]
        if isinstance(result, NotInvoked):
            batch.delay(now, self._backoff)
            return 0
        batch.invocations += 1
        batch.last = result
        done = checkpoint(result, batch.records, partial=self._settings.partial_responses)
        if done:
            self._finished(batch.records[:done])
        if done == len(batch.records):
            self._batches.pop()
        elif parts := self.split(batch, done):
            self._batches[-1:] = reversed(parts)
        else:
            self._retry(batch, done or 0, now)
        return done or 0

    def told(self) -> None:
        """The destination knows of what `next` gave up; the lane moves on."""
        batch = self._batches.pop()
        if not batch.discarded:
            raise RuntimeError(f"{self._shard_id}: nothing was discarded")
        self._finished(batch.records)

    def untold(self, now: float) -> bool:
        """The destination could not be told: the same document is tried again, but not for ever.
        Returns whether it is lost, and the lane moves on.

        Assumed: after DESTINATION_TRIES; the guide says only that the metric
        DestinationDeliveryFailures counts such losses (Lambda guide, monitoring-metrics-types).
        """
        batch = self._batches[-1]
        batch.untold += 1
        if batch.untold < DESTINATION_TRIES:
            batch.delay(now, self._backoff)
            return False
        self.told()
        return True

    def split(self, batch: _Batch, done: int | None) -> list[_Batch]:
        """With bisect, what is left of *batch* as parts that have used no retry for it (ER).

        In halves if the batch failed as a whole, else at the returned number, before which
        everything is *done* (PB). Empty if that would not make it smaller. Assumed: parts keep
        the retries their batch had used before, and a malformed response halves like an error.
        """
        if not self._settings.bisect:
            return []
        records = batch.records
        if done:
            return [batch.part(records[done:], failures=batch.failures)]
        if done is None and (half := len(records) // 2):
            return [
                batch.part(part, failures=batch.failures)
                for part in (records[:half], records[half:])
            ]
        return []

    def _retry(self, batch: _Batch, done: int, now: float) -> None:
        """Try again from the checkpoint, or give up what no retry is left for.

        Assumed: progress made by a partial response does not give retries back.
        """
        if done:
            batch.records = batch.records[done:]
            batch.tries = 0
        batch.failures += 1
        if exhausted(batch.failures, self._settings.maximum_retry_attempts):
            batch.discarded = self._discard(batch, RETRIES_EXHAUSTED, now)
        else:
            batch.delay(now, self._backoff)

    def _gather(self, now: float) -> bool:
        """Start the next batch, if it is full or its window is over (WD).

        Full is the batch size or the payload limit, whichever comes first. The window opens when
        the first record is read; assumed: per lane. Assumed: a record beyond the limit by itself
        goes alone, and is for the invoker to refuse.
        """
        if not self._pending:
            return False
        size, window_s = self._settings.batch_size, self._settings.window_s
        room = PAYLOAD_LIMIT_BYTES - len(payload(())) + 1  # n records have n - 1 commas
        full = len(self._pending) >= size or self._pending_bytes > room
        if not full and now < self._pending[0].since + window_s:
            return False
        records: list[Record] = []
        while self._pending and len(records) < size:
            record = self._pending[0].record
            room -= len(record.payload) + 1
            if room < 0 and records:
                break
            self._pending.popleft()
            self._pending_bytes -= len(record.payload) + 1
            records.append(record)
        self._batches.append(_Batch(records))
        return True

    def _expire(self, now: float) -> None:
        """Give up the records at the head that are too old to send: PR's maximum record age, or
        the stream's 24 hours where it is infinite. Holds before a first try too.
        """
        batch = self._batches[-1]
        if batch.discarded:
            return
        old = 0
        for record in batch.records:
            if now < self._expiry(record):
                break
            old += 1
        if not old:
            return
        self._batches.pop()
        if rest := batch.records[old:]:
            kept = batch.part(rest, failures=batch.failures)
            kept.tries, kept.not_before = batch.tries, batch.not_before
            self._batches.append(kept)
        given_up = batch.part(batch.records[:old], failures=batch.failures)
        given_up.discarded = self._discard(given_up, TOO_OLD, now)
        self._batches.append(given_up)

    def _expiry(self, record: Record) -> float:
        return record.created_s + self._settings.lifetime_s

    def _discard(self, batch: _Batch, condition: str, now: float) -> Discarded:
        return Discarded(
            batch.records,
            document(
                self._settings,
                self._shard_id,
                batch.records,
                condition=condition,
                invocations=batch.invocations,
                last=batch.last,
                now=now,
            ),
        )
