"""A real Settle over SQS and SNS in memory, and writes that did not succeed."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import EndpointConnectionError

from sync.aws.keys import Source
from sync.errors import (
    InvalidImage,
    Misconfigured,
    NotTried,
    RecordError,
    Refused,
    RegistryError,
    SyncError,
    Throttled,
    Unavailable,
)
from sync.recovery.brake import LEAST
from sync.recovery.letters import DeadLetter, DeadLetters
from sync.recovery.parking import LIFETIME_S, Parked, ParkedMessage, Parking
from sync.recovery.settle import Ended, Settle, Settlement, Unsettled
from sync.writing.op import Op, Outcome
from tests.doubles.clocks import ManualClock
from tests.doubles.wiring import a_brake
from tests.records import CORE, core_keys

DOWN = Unavailable("503")
NO = Refused("mapping conflict")
NEVER = (NO, RecordError("malformed"), InvalidImage("no name"), RegistryError("two models"))
MAY_PASS = (DOWN, Throttled("429"), NotTried("breaker"), Misconfigured("403"))


class Aws:
    """SQS and SNS. Keeps the entries that are sent; those with one of *refused* in their body fail,
    and all that are sent to a service in *down*."""

    def __init__(self) -> None:
        self.parked: list[ParkedMessage] = []
        self.delays_s: list[int] = []
        self.letters: list[Any] = []
        self.down: set[str] = set()
        self.refused: list[str] = []

    def send_message_batch(self, **call: Any) -> Any:
        taken, answer = self._take("sqs", call["Entries"], "MessageBody")
        self.parked += [ParkedMessage.read(entry["MessageBody"]) for entry in taken]
        self.delays_s += [entry["DelaySeconds"] for entry in taken]
        return answer

    def publish_batch(self, **call: Any) -> Any:
        taken, answer = self._take("sns", call["PublishBatchRequestEntries"], "Message")
        self.letters += [json.loads(entry["Message"]) for entry in taken]
        return answer

    def _take(self, service: str, entries: Sequence[Any], body: str) -> tuple[list[Any], Any]:
        if service in self.down:
            raise EndpointConnectionError(endpoint_url=f"https://{service}")
        bad = [e for e in entries if any(part in e[body] for part in self.refused)]
        failed = [{"Id": e["Id"], "Code": "InternalError", "Message": "no"} for e in bad]
        return [e for e in entries if e not in bad], {"Failed": failed}


class Bench:
    """A real Settle with real parking, dead letters and brake, over the SQS and SNS above."""

    def __init__(self, *, strict: Iterable[str] = ()) -> None:
        self.clock = ManualClock()
        self.aws = Aws()
        self.brake = a_brake()
        self._settle = Settle(
            Parking("https://queue", self._client, self.clock, delay_s=40),
            DeadLetters("topic", "bucket", self._client, self.clock),
            self.brake,
            strict=frozenset(strict),
        )

    def _client(self, service: str) -> Aws:
        assert service in ("sqs", "sns")
        return self.aws

    @property
    def ancient_s(self) -> float:
        """When a key was first parked that has just expired, in epoch seconds."""
        return self.clock.now - LIFETIME_S - 1

    def refuse_most(self, sink: str = "memory") -> None:
        """Let the brake see enough refused documents of *sink*."""
        self.brake.saw(
            sink,
            [Outcome(Op(sink, source(n), "things", str(n), b"{}", 1), NO) for n in range(LEAST)],
        )

    def run(self, *ended: Ended[str], message: ParkedMessage | None = None) -> Settlement[str]:
        return self._settle.run(ended, message=message)

    @property
    def parked(self) -> list[tuple[str | None, str]]:
        """Sink and number of each parked key."""
        return [(m.sink, number(key.source)) for m in self.aws.parked for key in m.keys]

    @property
    def letters(self) -> list[tuple[str | None, str, str]]:
        """Sink, number and error class of each dead letter."""
        return [
            (one["sink"], one["keys"]["SK"]["S"], one["error"]["class"]) for one in self.aws.letters
        ]


def source(n: int) -> Source:
    return Source(CORE, core_keys("THING", str(n)))


def number(of: Source) -> str:
    text: str = of.keys["SK"]["S"]
    return text


def ended(
    result: Unsettled,
    n: int = 1,
    *,
    sink: str | None = "memory",
    cause: str = "",
    version: int = 7,
    since_s: float | None = None,
) -> Ended[str]:
    """A write of item *n*; its cause has the same number, unless given."""

    def letter(error: SyncError) -> DeadLetter:
        return DeadLetter(
            {"n": n}, error, CORE, source(n).keys, sink=sink, target="things", version=version
        )

    key = Parked(source(n), version, since_s)
    return Ended(sink, key, result, cause or f"cause {n}", letter)


def again(settlement: Settlement[str]) -> list[tuple[str, str]]:
    """The causes that come again, each with the class of the reason."""
    return [(cause, type(error).__name__) for cause, error in settlement.again]
