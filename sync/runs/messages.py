"""The messages of runs, and the queue that holds them: one for each unfinished segment."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from sync.aws.batches import batches
from sync.aws.clients import Clients, failures
from sync.errors import RecordError, Unavailable
from sync.recovery.parking import LONGEST_DELAY_S
from sync.runtime.jsontext import strict

SCHEMA: Final = 1
_MOST_MESSAGES: Final = 10  # in one SendMessageBatch
_MOST_BYTES: Final = 250_000  # of a batch; a message has about a hundred


@dataclass(frozen=True, slots=True)
class RunMessage:
    """Asks for further pages of a segment. *hop*: its number in the segment's chain of messages."""

    run: str
    segment: int
    hop: int

    def body(self) -> str:
        """The message as JSON."""
        return strict({"schema": SCHEMA, "run": self.run, "segment": self.segment, "hop": self.hop})

    @classmethod
    def read(cls, body: str) -> "RunMessage":
        """Parse a message. Raises RecordError if *body* is malformed or of a newer schema."""
        try:
            value = json.loads(body)
            if value["schema"] != SCHEMA:
                raise RecordError(f"a message of schema {value['schema']!r:.20}; this is {SCHEMA}")
            run, segment, hop = value["run"], value["segment"], value["hop"]
            if not isinstance(run, str) or type(segment) is not int or type(hop) is not int:
                raise TypeError("the run is no text, or segment or hop no whole number")
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise RecordError(f"not a message of a run: {error!r:.200}") from error
        return cls(run, segment, hop)


class RunQueue:
    """Sends messages to the SQS queue *url*: a standard queue, since each needs an own delay."""

    def __init__(self, url: str, clients: Clients) -> None:
        self._url = url
        self._clients = clients

    def send(self, messages: Iterable[RunMessage], delay_s: float = 0.0) -> None:
        """Send *messages*, which are delivered after *delay_s*. Raises Retry if one is not sent."""
        delay = min(LONGEST_DELAY_S, ceil(delay_s))
        bodies = [message.body() for message in messages]
        for batch in batches(bodies, most=_MOST_MESSAGES, most_bytes=_MOST_BYTES, size=len):
            entries = [
                {"Id": str(n), "MessageBody": body, "DelaySeconds": delay}
                for n, body in enumerate(batch)
            ]
            with failures("sending messages of a run"):
                answer = self._clients("sqs").send_message_batch(
                    QueueUrl=self._url, Entries=entries
                )
            for failed in answer.get("Failed", []):
                raise Unavailable(
                    f"sending messages of a run: {failed['Code']}: {failed.get('Message', '')}"
                )
