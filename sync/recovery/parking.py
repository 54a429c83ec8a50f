"""Parking: keys whose write failed wait on the resync queue, and are resynced later.

A message holds keys, never bodies: the resync reads each item again. The queue is a standard queue,
since it needs a delay for each message and no order.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final

from sync.aws.batches import batches
from sync.aws.clients import Clients, failures
from sync.aws.keys import Source, keys_in
from sync.errors import RecordError, Retry, Unavailable
from sync.runtime.clock import Clock, now_s
from sync.runtime.jsontext import strict
from sync.writing.metrics import Metrics

SCHEMA: Final = 2  # 1 always named a sink
LONGEST_DELAY_S: Final = 900  # SQS limit (DelaySeconds)
YEAR_10000_S: Final = 253_402_300_800
LIFETIME_S: Final = 14 * 24 * 3600 - 3600  # SQS keeps a message for 14 days; an hour of margin
SAME_AGE_S: Final = 60.0  # by which the ages of keys in one message may always differ
MOST_KEYS: Final = 1_000  # in one message: a worker resyncs them well within its timeout
_MOST_MESSAGES: Final = 10  # in one SendMessageBatch
_MOST_BYTES: Final = 250_000  # of a message, and of a batch; SQS allowed 256 KB before 1 MiB


@dataclass(frozen=True, slots=True)
class Parked:
    """A key that is to be resynced.

    *after_version*: the version of the failed write. The resync needs a higher one, so that the
    failed write, which may still take effect, can never replace what the resync writes. *since_s*:
    when the key was first parked, in epoch seconds; None: never.
    """

    source: Source
    after_version: int = 0
    since_s: float | None = None


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A message of the resync queue: keys to resync to *sink*, or to all sinks of their models.

    *tries*: how many resyncs of these keys failed. *since_s*: when keys without an own *since_s*
    were first parked, in epoch seconds.
    """

    sink: str | None
    keys: tuple[Parked, ...]
    tries: int
    since_s: float

    @property
    def youngest(self) -> float:
        """When the most recent of the keys was first parked, in epoch seconds."""
        return max((self.since_of(key) for key in self.keys), default=self.since_s)

    def since_of(self, key: Parked) -> float:
        """When *key* of this message was first parked, in epoch seconds."""
        return self.since_s if key.since_s is None else key.since_s

    def body(self) -> str:
        """The message as JSON."""
        return strict(
            {
                "schema": 1 if self.sink else SCHEMA,  # the oldest that fits: a rollback reads it
                "sink": self.sink,
                "tries": self.tries,
                "since": self.since_s,
                "keys": [self._entry(key) for key in self.keys],
            }
        )

    def of(self, keys: Iterable[Parked]) -> Iterator["ParkedMessage"]:
        """Messages like this one, with *keys*: as many in each as fit."""
        empty = replace(self, keys=()).body()
        for part in batches(
            keys,
            most=MOST_KEYS,
            most_bytes=_MOST_BYTES - len(empty) + 1,
            size=lambda key: len(strict(self._entry(key))) + 1,  # and a comma, which the last lacks
        ):
            yield replace(self, keys=tuple(part))

    def _entry(self, key: Parked) -> dict[str, Any]:
        entry = {"table": key.source.table, "keys": key.source.keys, "after": key.after_version}
        since_s = self.since_of(key)
        return entry if since_s == self.since_s else {**entry, "since": since_s}

    @classmethod
    def read(cls, body: str) -> "ParkedMessage":
        """Parse a message; sets *since_s* of each key. Raises RecordError if *body* is malformed or
        of a newer schema."""
        try:
            value = json.loads(body)
            if value["schema"] > SCHEMA:
                raise RecordError(f"a message of schema {value['schema']!r:.20}; this is {SCHEMA}")
            since_s, sink = moment(value["since"]), value["sink"]
            if not isinstance(sink, str | None):
                raise TypeError("the sink is not a string")
            keys = tuple(_parked(key, since_s) for key in value["keys"])
            return cls(sink=sink, keys=keys, tries=int(value["tries"]), since_s=since_s)
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise RecordError(f"not a message of parked keys: {error!r:.200}") from error


def merged(messages: Sequence[ParkedMessage]) -> ParkedMessage:
    """One message with the keys of all *messages*, which are of one sink.

    A long outage parks copies of a key. They become one: with the highest *after_version*, and the
    *since_s* of the oldest copy.
    """
    keys: dict[Source, Parked] = {}
    for message in messages:
        for key in message.keys:
            known = keys.get(key.source, key)
            keys[key.source] = replace(
                known,
                after_version=max(known.after_version, key.after_version),
                since_s=oldest(known.since_s, key.since_s),
            )
    tries = max(message.tries for message in messages)
    since_s = max(message.since_s for message in messages)
    return ParkedMessage(messages[0].sink, tuple(keys.values()), tries, since_s)


def oldest(*since_s: float | None) -> float | None:
    """The earliest time at which copies of a key were first parked; None if none of them was."""
    return min((each for each in since_s if each is not None), default=None)


def _parked(value: Any, since_s: float) -> Parked:
    """Parse one key; *since_s*: of its message. Raises KeyError, TypeError, ValueError or
    OverflowError."""
    keys = keys_in(value["keys"])
    if keys is None or not isinstance(value["table"], str):
        raise ValueError("malformed keys, or no table")
    parked_at = moment(value["since"]) if "since" in value else since_s
    return Parked(Source(value["table"], keys), int(value["after"]), parked_at)


def expiry(error: Retry) -> Unavailable:
    """The error of the dead letter of a key that was parked for 14 days, and fails with *error*."""
    expired = Unavailable(f"parked for 14 days, and still: {error}")
    expired.__cause__ = error
    return expired


def moment(value: Any) -> float:
    """*value* as epoch seconds. Raises TypeError, ValueError or OverflowError."""
    seconds = float(value)
    # What ISO 8601 can express. Also false for infinity and NaN.
    if not 0 <= seconds < YEAR_10000_S:
        raise ValueError(f"no time between 1970 and 9999: {seconds}")
    return seconds


class Parking:
    """Sends keys to the SQS queue *queue_url*. *delay_s*: the shortest delay of a message.

    It is longer than any request of a sink may take effect (sync/runtime/waits.py): a request whose
    response was lost is over by the time its key is resynced.
    """

    def __init__(
        self,
        queue_url: str,
        clients: Clients,
        clock: Clock,
        *,
        delay_s: float,
        metrics: Metrics | None = None,
    ) -> None:
        self._queue_url = queue_url
        self._clients = clients
        self._clock = clock
        self._delay_s = delay_s
        self._metrics = metrics

    def park(self, sink: str | None, keys: Sequence[Parked]) -> Iterator[tuple[Parked, Retry]]:
        """Park *keys* for *sink* (None: for all sinks of their models); yields those that could not
        be parked, with the reason. Lazy: the caller has to consume the result.

        A key with a *since_s* keeps it. Then its delay grows, and it expires after 14 days, even if
        it travels through a lane between two parkings.
        """
        yield from self._send(ParkedMessage(sink, tuple(keys), 0, now_s(self._clock)))

    def again(
        self, message: ParkedMessage, keys: Sequence[Parked]
    ) -> Iterator[tuple[Parked, Retry]]:
        """Park *keys* of *message* again, after another failed try; else as `park`."""
        yield from self._send(replace(message, keys=tuple(keys), tries=message.tries + 1))

    def expired(self, since_s: float) -> bool:
        """Whether a key that was first parked at *since_s* (epoch seconds) has waited for 14 days,
        as long as SQS keeps a message. Then it becomes a dead letter."""
        return now_s(self._clock) - since_s > LIFETIME_S

    def _send(self, whole: ParkedMessage) -> Iterator[tuple[Parked, Retry]]:
        if self._metrics is not None:
            self._metrics.count(whole.sink, "parked", len(whole.keys))
        bodies = [
            (message, message.body())
            for keys in _of_one_age(whole, now_s(self._clock))
            for message in whole.of(keys)
        ]
        for batch in batches(
            bodies, most=_MOST_MESSAGES, most_bytes=_MOST_BYTES, size=lambda m: len(m[1])
        ):
            entries = [
                {"Id": str(n), "MessageBody": body, "DelaySeconds": self._delay(message)}
                for n, (message, body) in enumerate(batch)
            ]
            try:
                with failures("parking"):
                    answer = self._clients("sqs").send_message_batch(
                        QueueUrl=self._queue_url, Entries=entries
                    )
            except Retry as error:
                yield from ((key, error) for message, _ in batch for key in message.keys)
                continue
            for failed in answer.get("Failed", []):
                cause = Unavailable(f"parking: {failed['Code']}: {failed.get('Message', '')}")
                yield from ((key, cause) for key in batch[int(failed["Id"])][0].keys)

    def _delay(self, message: ParkedMessage) -> int:
        """Seconds, with jitter: a quarter of the time the keys have waited, at least `delay_s`.

        So retries become rarer during an outage, and after it a sink is up to date again within
        about a third of the outage's length.
        """
        waited_s = now_s(self._clock) - message.youngest
        least = max(self._delay_s, waited_s / 4)
        return min(LONGEST_DELAY_S, ceil(least * random.uniform(1.0, 1.5)))  # noqa: S311 - no secret


def _of_one_age(message: ParkedMessage, now: float) -> Iterator[list[Parked]]:
    """Group the keys of *message* by age: the oldest of a group has waited at most four times as
    long as the youngest, plus a minute.

    The youngest key sets a message's delay, so old keys beside new ones would be tried too often.
    """
    waiting = sorted(message.keys, key=message.since_of, reverse=True)  # the youngest first
    while waiting:
        youngest_s = max(0.0, now - message.since_of(waiting[0]))  # clocks differ
        oldest = now - 4 * youngest_s - SAME_AGE_S
        group = [key for key in waiting if message.since_of(key) >= oldest]
        yield group
        waiting = waiting[len(group) :]
