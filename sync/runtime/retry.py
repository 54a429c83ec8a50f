"""The retry loop that every client uses, and its backoff."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sync.errors import Misconfigured, Retry
from sync.runtime.deadline import Deadline

T = TypeVar("T")
R = TypeVar("R")

Pause = Callable[[int, Sequence[tuple[T, Retry]]], bool]
"""Called with the number of the next retry, from 1, and what failed, each with its error. Waits and
returns True for a retry, or returns False to give up."""


def full_jitter(retry: int, *, base_s: float = 0.1, cap_s: float = 5.0) -> float:
    """Seconds to wait before retry number *retry*, the first being 1.

    Random between 0 and a ceiling, which is *base_s* at first and doubles with each retry up to
    *cap_s*. Of the schemes compared in "Exponential Backoff And Jitter" (AWS Architecture Blog),
    it needs the fewest calls when many clients failed together.
    """
    doublings = min(retry - 1, 64)  # more would overflow a float, far above any cap_s
    return random.uniform(0.0, min(cap_s, base_s * 2**doublings))  # noqa: S311 - not a secret


def until_settled(
    items: Iterable[T],
    attempt: Callable[[Sequence[T]], Iterable[tuple[T, R]]],
    pause: Pause[T],
) -> Iterator[tuple[T, R]]:
    """Call *attempt* with *items*, then again with those whose result is a Retry.

    *attempt* yields each item that it is given, with its result. Once *pause* returns False, the
    items still failing are yielded with their last error.
    """
    waiting = list(items)
    retry = 0
    while waiting:
        failed: list[tuple[T, Any]] = []  # each with its Retry, which R includes
        for item, result in attempt(waiting):
            if isinstance(result, Retry):
                failed.append((item, result))
            else:
                yield item, result
        retry += 1
        if failed and not pause(retry, failed):
            yield from failed
            return
        waiting = [item for item, _ in failed]


def persist(ask: Callable[[], R], deadline: Deadline, *, tries: int) -> R:
    """What *ask* returns, at the latest at its last of *tries*. For requests that change nothing.

    Raises the last Retry; Misconfigured at once, since no second try mends a setting.
    """
    retry = 1
    while True:
        try:
            return ask()
        except Misconfigured:
            raise
        except Retry:
            if retry == tries or not deadline.pause(full_jitter(retry)):
                raise
            retry += 1
