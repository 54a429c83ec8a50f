"""Waiting for what a deployed stack does in its own time; it can't tell us, so it is asked."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from local.stack import Stack

T = TypeVar("T")

PATIENCE_S = 120.0


def until(what: str, ask: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """What *ask* says once it is true. Fails, naming *what*, when it never is."""
    end = time.monotonic() + patience_s
    while not (found := ask()):
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain for {what}"
        time.sleep(0.1)
    return found


def delivered(stack: Stack) -> None:
    """Return once everything written so far is delivered."""
    for driver in stack.drivers:
        assert driver.drain(PATIENCE_S), driver.last_error


def parked(stack: Stack) -> int:
    """Messages on the resync queue, whatever their state."""
    counts: dict[str, Any] = stack.command({"command": "status"})["parked"]
    return sum(counts[name] for name in ("waiting", "delayed", "in_flight"))


def queued(stack: Stack) -> int:
    """Messages on their way to Typesense, whatever their state; none where it is left out."""
    if stack.left_out:
        return 0
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.typesense_queue_url, AttributeNames=["All"]
    )["Attributes"]
    return int(answer["ApproximateNumberOfMessages"]) + int(
        answer["ApproximateNumberOfMessagesNotVisible"]
    )


def under_way(stack: Stack) -> bool:
    """Whether a key is parked or on its way to Typesense; from the one it may come to the other."""
    return bool(queued(stack) or parked(stack) or queued(stack))


def quiet(stack: Stack) -> None:
    """Return once nothing is under way: nothing to deliver, nothing queued or parked, no letter to
    keep."""
    delivered(stack)
    until("parked keys to be resynced", lambda: not under_way(stack))
    until(
        "dead letters to be kept",
        lambda: stack.command({"command": "status"})["dead_letters"]["queued"] == 0,
    )


def open_letters(stack: Stack) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = stack.command({"command": "dlq list"})["rows"]
    return rows
