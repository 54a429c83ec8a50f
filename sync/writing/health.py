"""How each sink is doing, noted in the state table for `status`: one row for each sink, and one for
the way into its queue where it has one.

A warm container notes a success once a minute at most, and every opening of its breaker. So the
row is a minute old at worst, and writing ops costs no request of its own.
"""

from collections.abc import Sequence
from typing import Any, Final

from sync.aws.clients import Clients, failures
from sync.errors import Retry
from sync.runtime.clock import Clock
from sync.runtime.log import logger
from sync.runtime.moments import iso
from sync.writing.breaker import Breakers
from sync.writing.op import Done, Outcome
from sync.writing.versions import SECOND

EVERY_S: Final = 60.0
_LONGEST: Final = 500  # characters


class StateTable:
    """The rows. Attributes: sink, last_success_at, lag_s, and broken_at, broken_until, broken_by
    of the breaker that opened last, with broken_target where it is that of one target. Moments are
    ISO 8601, UTC."""

    def __init__(self, name: str, clients: Clients, clock: Clock) -> None:
        self._name = name
        self._clients = clients
        self._clock = clock
        self._noted: dict[str, float] = {}
        self._opened: dict[tuple[str, str | None], float] = {}  # until when, as noted

    def saw(self, sink: str, outcomes: Sequence[Outcome], breakers: Breakers) -> None:
        """Note how a write of *sink* went, if that is news.

        lag_s is how old the oldest change of this write was when the sink had taken it.
        """
        now, now_s = self._clock.monotonic(), self._clock.time_ns() / 1e9
        for target, breaker in breakers.open():
            if self._opened.get((sink, target)) == breaker.until:
                continue
            self._opened[sink, target] = breaker.until
            self._noted.pop(sink, None)  # the next success is news
            cause = f"{type(breaker.cause).__name__}: {breaker.cause}"
            self._note(
                sink,
                broken_at={"S": iso(now_s)},
                broken_until={"S": iso(now_s + breaker.left_s)},
                broken_by={"S": (f"{target}: {cause}" if target else cause)[:_LONGEST]},
                broken_target={"S": target or ""},
            )
        written = [op.version for op, result in outcomes if result is Done.WRITTEN]
        if written and now - self._noted.get(sink, -EVERY_S) >= EVERY_S:
            self._noted[sink] = now
            self._note(
                sink,
                last_success_at={"S": iso(now_s)},
                lag_s={"N": str(max(0, int(now_s) - min(written) // SECOND))},
            )

    def read(self) -> dict[str, dict[str, Any]]:
        """Each sink's row. Raises Retry."""
        with failures(f"reading from {self._name}"):
            answer = self._clients("dynamodb").scan(TableName=self._name, ConsistentRead=True)
        return {
            item["sink"]["S"]: {name: next(iter(av.values())) for name, av in item.items()}
            for item in answer["Items"]
        }

    def _note(self, sink: str, **values: dict[str, str]) -> None:
        """Telling how a write went must not make it fail: errors are logged."""
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
