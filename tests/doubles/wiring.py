"""Parts of the engine wired for tests as sync/service.py wires them."""

from collections.abc import Iterable
from typing import Any

from handler import run
from sync.model.model import Model
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.recovery.brake import Brake
from sync.recovery.letters import DeadLetters
from sync.recovery.parking import Parking
from sync.recovery.settle import Settle
from sync.service import Service
from sync.writing.metrics import Metrics
from tests.doubles.clocks import ManualClock


class Context:
    """What Lambda says of an invocation; it has a minute unless told otherwise."""

    aws_request_id = "request"

    def __init__(self, remaining_ms: int = 60_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


def registry(*models: type[Model]) -> Registry:
    """Of models whose tables have the names of their roles."""
    return Registry(
        models, {model.route.table: model.route.table for model in models if model.route}
    )


def planner(*models: type[Model]) -> Planner:
    return Planner(registry(*models))


def a_brake() -> Brake:
    """One that nobody reads the counts of."""
    return Brake(Metrics("test", ManualClock(), emit=len))


def settle(parking: Parking, letters: DeadLetters, *, strict: Iterable[str] = ()) -> Settle:
    return Settle(parking, letters, a_brake(), strict=frozenset(strict))


def invoke(service: Service, event: Any) -> Any:
    """What the handler answers to *event*."""
    return run(event, Context(), service)
