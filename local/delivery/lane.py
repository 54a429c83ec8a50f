"""What Lambda does next with one lane of one shard, without threads, I/O or a clock.

Call `Lane.next(now)` for the next step, carry it out, and report its result. Rules name pages of
the Lambda guide by the letters of rules.py; where the pages are silent, they say what they assume.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from local.delivery import rules
from local.delivery.batch import Batch
from local.delivery.failures import RETRIES_EXHAUSTED, TOO_OLD, document
from local.delivery.ports import Discarded, NotInvoked, Result
from local.delivery.records import Record
from local.delivery.rules import Backoff
from local.delivery.settings import MappingSettings
from local.delivery.steps import Discard, Idle, Invoke, Step, Wait


class _Pending(NamedTuple):
    record: Record
    since: float  # when it was offered


class Lane:
    """One lane of a shard: a queue of records, sent to the function in one batch at a time.

    A batch that fails is tried again, split or given up before the next one is sent, so records
    are finished in the order in which they were offered (WD). *finished* is called with records
    that were delivered or discarded. *now* is in seconds since the epoch and never goes back.
    """

    def __init__(
        self,
        settings: MappingSettings,
        shard_id: str,
        *,
        backoff: Backoff | None = None,
        finished: Callable[[Sequence[Record]], object] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._shard_id = shard_id
        self._backoff = backoff or Backoff()
        self._finished = finished
        self._pending: deque[_Pending] = deque()
        self._pending_bytes = 0  # with a comma for each
        self._batches: list[Batch] = []  # the parts of one batch; the earliest is last
        self._invoking = False

    @property
    def idle(self) -> bool:
        """Whether every record that was offered is finished."""
        return not self._batches and not self._pending

    @property
    def invoking(self) -> bool:
        """Whether an invocation has no answer yet; until then there is no next step."""
        return self._invoking

    @property
    def backlog(self) -> int:
        """How many offered records are not finished."""
        return len(self._pending) + sum(len(batch.records) for batch in self._batches)

    def offer(self, records: Iterable[Record], now: float) -> None:
        """Queue *records*, which follow all those offered before in the stream."""
        for record in records:
            self._pending.append(_Pending(record, now))
            self._pending_bytes += len(record.payload) + 1

    def next(self, now: float) -> Step:
        """The step to take at *now*. After an Invoke, `answered` has to be called first."""
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
        """Report the result of the last Invoke; returns how many records it delivered.

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
        done = rules.checkpoint(result, batch.records, partial=self._settings.partial_responses)
        if done:
            self._finished(batch.records[:done])
        if done == len(batch.records):
            self._batches.pop()
        elif parts := self.split(batch, done):
            self._batches[-1:] = reversed(parts)
        else:
            self._retry(batch, done or 0, now)
        return done or 0

    def sent(self) -> None:
        """The on-failure document of the last Discard was sent; the lane goes on."""
        batch = self._batches.pop()
        if not batch.discarded:
            raise RuntimeError(f"{self._shard_id}: nothing was discarded")
        self._finished(batch.records)

    def not_sent(self, now: float) -> bool:
        """The on-failure document of the last Discard could not be sent.

        It is sent again later, but lost after DESTINATION_TRIES; then this returns True, and the
        lane goes on. That number is assumed: the guide says only that the metric
        DestinationDeliveryFailures counts lost documents (Lambda guide, monitoring-metrics-types).
        """
        batch = self._batches[-1]
        batch.not_sent += 1
        if batch.not_sent < rules.DESTINATION_TRIES:
            batch.delay(now, self._backoff)
            return False
        self.sent()
        return True

    def split(self, batch: Batch, done: int | None) -> list[Batch]:
        """With bisect, the rest of *batch* in parts; the split itself costs no retry (ER).

        A batch that failed as a whole (*done* is None) is halved. Otherwise its first *done*
        records succeeded, and the rest becomes one part (PB). Empty if no part would be smaller
        than the batch. Assumed: a part keeps the failures of its batch, and a malformed response
        halves a batch as an error does.
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

    def _retry(self, batch: Batch, done: int, now: float) -> None:
        """Try *batch* again after its first *done* records, or give it up if no retry is left.

        Assumed: a partial success does not give retries back.
        """
        if done:
            batch.records = batch.records[done:]
            batch.tries = 0
        batch.failures += 1
        if rules.exhausted(batch.failures, self._settings.maximum_retry_attempts):
            batch.discarded = self._discard(batch, RETRIES_EXHAUSTED, now)
        else:
            batch.delay(now, self._backoff)

    def _gather(self, now: float) -> bool:
        """Start the next batch if it is full or its window is over (WD); returns whether it did.

        A batch is full at the batch size or the payload limit, whichever comes first. The window
        opens when the first record is read; assumed: per lane. Assumed: a record that exceeds the
        limit alone is sent alone, and the invoker refuses it.
        """
        if not self._pending:
            return False
        size, window_s = self._settings.batch_size, self._settings.window_s
        room = rules.PAYLOAD_LIMIT_BYTES - len(rules.payload(())) + 1  # n records have n - 1 commas
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
        self._batches.append(Batch(records))
        return True

    def _expire(self, now: float) -> None:
        """Give up the first records of the batch that are too old, even before their first try.

        The limit is the maximum record age, or the stream's 24 hours if that is infinite (PR).
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

    def _discard(self, batch: Batch, condition: str, now: float) -> Discarded:
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
