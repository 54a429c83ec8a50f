"""Keys that one sink could not have yet, kept on a queue until it can.

A message names keys, never bodies: when its time comes each item is read anew. Its queue is a
standard one, since it needs a delay for each message and no order.
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
from sync.runtime.clock import Clock
from sync.writing.metrics import Metrics

SCHEMA: Final = 2  # 1 had no messages for every sink
LONGEST_DELAY_S: Final = 900  # SQS's limit for one message
YEAR_10000_S: Final = 253_402_300_800
LIFETIME_S: Final = 14 * 24 * 3600 - 3600  # SQS keeps a message for 14 days
SAME_AGE_S: Final = 60.0
MOST_KEYS: Final = 1_000  # in one message: what a worker does well within its time
_MOST_MESSAGES: Final = 10  # in one SendMessageBatch
_MOST_BYTES: Final = 250_000  # in either; SQS took 256 KB before it took 1 MiB


@dataclass(frozen=True, slots=True)
class Parked:
    """A key that a sink is to be brought in line with, but not before *after_version*.

    *after_version* is the version of the write that parked it: a resync's own version has to lie
    above it, so that an effect still under way can never land on what the resync writes. *since_s*
    (epoch seconds) is when it was first parked; None: it never was.
    """

    source: Source
    after_version: int = 0
    since_s: float | None = None


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """Keys of one sink (None: of every sink that their models feed); *tries* of a resync so far."""

    sink: str | None
    keys: tuple[Parked, ...]
    tries: int
    since_s: float  # the first parking (epoch seconds) of keys that don't say otherwise

    @property
    def youngest(self) -> float:
        """When the key was parked that waits the shortest."""
        return max((self.since_of(key) for key in self.keys), default=self.since_s)

    def since_of(self, key: Parked) -> float:
        """When *key*, which may be one of this message, was parked first."""
        return self.since_s if key.since_s is None else key.since_s

    def body(self) -> str:
        return json.dumps(
            {
                "schema": 1 if self.sink else SCHEMA,  # a rolled-back release reads what it can
                "sink": self.sink,
                "tries": self.tries,
                "since": self.since_s,
                "keys": [self._entry(key) for key in self.keys],
            },
            separators=(",", ":"),
        )

    def _entry(self, key: Parked) -> dict[str, Any]:
        entry = {"table": key.source.table, "keys": key.source.keys, "after": key.after_version}
        since_s = self.since_of(key)
        return entry if since_s == self.since_s else {**entry, "since": since_s}

    @classmethod
    def read(cls, body: str) -> "ParkedMessage":
        """Each key with its age. Raises RecordError for what is no such message, or one of a newer
        schema."""
        try:
            value = json.loads(body)
            if value["schema"] > SCHEMA:
                raise RecordError(f"a message of schema {value['schema']!r:.20}; this is {SCHEMA}")
            since_s, sink = moment(value["since"]), value["sink"]
            if not isinstance(sink, str | None):
                raise TypeError("a sink is a text")
            keys = tuple(_parked(key, since_s) for key in value["keys"])
            return cls(sink=sink, keys=keys, tries=int(value["tries"]), since_s=since_s)
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise RecordError(f"not a message of parked keys: {error!r:.200}") from error


def merged(messages: Sequence[ParkedMessage]) -> ParkedMessage:
    """One message for all of *messages*, which are of one sink.

    Of several copies of a key, which a long outage brings about, the one that has to wait longest
    stands for all, with the age of the oldest.
    """
    keys: dict[Source, Parked] = {}
    for message in messages:
        for key in message.keys:
            known = keys.get(key.source, key)
            ages = [one.since_s for one in (known, key) if one.since_s is not None]
            keys[key.source] = replace(
                known,
                after_version=max(known.after_version, key.after_version),
                since_s=min(ages, default=None),
            )
    tries = max(message.tries for message in messages)
    since_s = max(message.since_s for message in messages)
    return ParkedMessage(messages[0].sink, tuple(keys.values()), tries, since_s)


def _parked(value: Any, since_s: float) -> Parked:
    """Raises KeyError, TypeError, ValueError or OverflowError."""
    keys = keys_in(value["keys"])
    if keys is None or not isinstance(value["table"], str):
        raise ValueError("a key that no item can have")
    parked_at = moment(value["since"]) if "since" in value else since_s
    return Parked(Source(value["table"], keys), int(value["after"]), parked_at)


def expiry(error: Retry) -> Unavailable:
    """What the dead letter of a key says that was parked for too long; it has *error* now."""
    expired = Unavailable(f"parked for 14 days, and still: {error}")
    expired.__cause__ = error
    return expired


def moment(value: Any) -> float:
    """*value* as epoch seconds. Raises TypeError, ValueError or OverflowError."""
    seconds = float(value)
    if (
        not 0 <= seconds < YEAR_10000_S
    ):  # what an ISO 8601 text can tell; neither is infinite or NaN
        raise ValueError("no moment that a date could tell")
    return seconds


class Parking:
    """Sends keys to *queue_url*. *delay_s*: the least time until one is tried again.

    That is longer than any request of a sink may last (sync/runtime/waits.py), so that a request
    whose answer was lost is over when the key is resynced.
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
        """Park *keys* for *sink* (None: for every sink); yields those that could not be, with the
        reason.

        A key that was parked before, as one is that the sink's own worker could not write, keeps
        its age: it waits ever longer, and its two weeks end.
        """
        now = self._clock.time_ns() / 1e9
        yield from self._send(ParkedMessage(sink, (), 0, now), keys)

    def again(
        self, message: ParkedMessage, keys: Sequence[Parked]
    ) -> Iterator[tuple[Parked, Retry]]:
        """Park what is left of *message* once more, for longer than the last time."""
        yield from self._send(replace(message, keys=(), tries=message.tries + 1), keys)

    def expired(self, since_s: float) -> bool:
        """Whether what was parked at *since_s* is as old as SQS lets a message get: time for people
        to look."""
        return self._clock.time_ns() / 1e9 - since_s > LIFETIME_S

    def _send(self, like: ParkedMessage, keys: Sequence[Parked]) -> Iterator[tuple[Parked, Retry]]:
        if self._metrics is not None:
            self._metrics.count(like.sink, "parked", len(keys))
        now = self._clock.time_ns() / 1e9
        bodies = [
            (message, message.body())
            for group in _of_one_age(like, keys, now)
            for message in (replace(like, keys=part) for part in _parts(group))
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
        """Whole seconds: a quarter of the time that the keys have waited, never below the least.

        So a sink that is back after an outage is in line again within about a third of the time
        that it was away, and one that stays away is asked ever more rarely.
        """
        waited_s = self._clock.time_ns() / 1e9 - message.youngest
        least = max(self._delay_s, waited_s / 4)
        return min(LONGEST_DELAY_S, ceil(least * random.uniform(1.0, 1.5)))  # noqa: S311 - no secret


def _of_one_age(like: ParkedMessage, keys: Iterable[Parked], now: float) -> Iterator[list[Parked]]:
    """*keys* in groups whose oldest has waited for four times as long as its youngest, at most.

    What has waited for a day need not be tried as often as what came just now.
    """
    group: list[Parked] = []
    most_s = 0.0
    for waited_s, _, key in sorted(
        (now - like.since_of(key), n, key) for n, key in enumerate(keys)
    ):
        if group and waited_s > most_s:
            yield group
            group = []
        if not group:
            most_s = 4 * waited_s + SAME_AGE_S
        group.append(key)
    if group:
        yield group


def _parts(keys: Sequence[Parked]) -> Iterator[tuple[Parked, ...]]:
    """*keys* in portions that fit a message."""
    envelope = 100
    for part in batches(
        keys,
        most=MOST_KEYS,
        most_bytes=_MOST_BYTES,
        size=lambda key: (
            len(json.dumps(key.source.keys)) + len(json.dumps(key.source.table)) + envelope
        ),
    ):
        yield tuple(part)
