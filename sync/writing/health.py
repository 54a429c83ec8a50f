"""The state of each sink, kept in the state table for `status`.

There is a row for each sink, and another for its queue if it has lanes. A warm container writes a
row at the first success, then at most once a minute, and whenever a breaker opens. So most writes
of ops cost no request to the state table.
"""

from collections.abc import Sequence
from typing import Any, Final

from sync.aws.clients import Clients, failures
from sync.errors import Retry
from sync.runtime.clock import Clock, now_s
from sync.runtime.log import logger
from sync.runtime.moments import iso
from sync.writing.breaker import Breakers
from sync.writing.op import Done, Outcome
from sync.writing.versions import SECOND

EVERY_S: Final = 60.0
_LONGEST: Final = 500  # characters


class StateTable:
    """Writes and reads the rows.

    Attributes: sink, last_success_at, lag_s; and of the breaker that opened last broken_at,
    broken_until, broken_by (its cause) and broken_target ("" for the whole sink). Moments are
    ISO 8601, UTC.
    """

    def __init__(self, name: str, clients: Clients, clock: Clock) -> None:
        self._name = name
        self._clients = clients
        self._clock = clock
        self._noted: dict[str, float] = {}  # by sink: when a success was written
        self._opened: dict[
            tuple[str, str | None], float
        ] = {}  # by sink and target: the `until` that was written

    def saw(self, sink: str, outcomes: Sequence[Outcome], breakers: Breakers) -> None:
        """Write the row of *sink* after a write, if it is due.

        lag_s is the age in seconds of the oldest change in this write.
        """
        now, at_s = self._clock.monotonic(), now_s(self._clock)
        for target, breaker in breakers.open():
            if self._opened.get((sink, target)) == breaker.until:
                continue
            self._opened[sink, target] = breaker.until
            self._noted.pop(sink, None)  # so the next success is written at once
            cause = f"{type(breaker.cause).__name__}: {breaker.cause}"
            self._note(
                sink,
                broken_at={"S": iso(at_s)},
                broken_until={"S": iso(at_s + breaker.left_s)},
                broken_by={"S": (f"{target}: {cause}" if target else cause)[:_LONGEST]},
                broken_target={"S": target or ""},
            )
        written = [op.version for op, result in outcomes if result is Done.WRITTEN]
        if written and now - self._noted.get(sink, -EVERY_S) >= EVERY_S:
            self._noted[sink] = now
            self._note(
                sink,
                last_success_at={"S": iso(at_s)},
                lag_s={"N": str(max(0, int(at_s) - min(written) // SECOND))},
            )

    def read(self) -> dict[str, dict[str, Any]]:
        """The rows by sink, their values as text. Raises Retry."""
        with failures(f"reading from {self._name}"):
            answer = self._clients("dynamodb").scan(TableName=self._name, ConsistentRead=True)
        return {
            item["sink"]["S"]: {name: next(iter(av.values())) for name, av in item.items()}
            for item in answer["Items"]
        }

    def _note(self, sink: str, **values: dict[str, str]) -> None:
        """Set *values* in the row of *sink*. Only logs an error: it must not fail the write."""
        sets = ", ".join(f"{name} = :{name}" for name in values)
        try:
            with failures(f"writing to {self._name}"):
                self._clients("dynamodb").update_item(
                    TableName=self._name,
                    Key={"sink": {"S": sink}},
                    UpdateExpression=f"SET {sets}",
                    ExpressionAttributeValues={f":{n}": value for n, value in values.items()},
                )
        except Retry as error:
            logger.warning("state not noted: %s", error, extra={"sink": sink})
