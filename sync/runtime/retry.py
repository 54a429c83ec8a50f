"""Trying again what may pass: one loop for every client, with full jitter in between."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from sync.errors import Retry

T = TypeVar("T")
R = TypeVar("R")

Pause = Callable[[int, Sequence[tuple[T, Retry]]], bool]
"""Waits before retry number n of what failed; False: it is not to be tried again."""


def full_jitter(retry: int, *, base_s: float = 0.1, cap_s: float = 5.0) -> float:
    """Seconds to wait before retry number *retry*, the first being 1.

    Evenly spread between nothing and a ceiling that doubles with each retry up to *cap_s*: of the
    schemes compared in "Exponential Backoff And Jitter" (AWS Architecture Blog) the one that
    makes clients that failed together collide least.
    """
    doublings = min(retry - 1, 64)  # beyond that a float overflows, and any cap is reached
    return random.uniform(0.0, min(cap_s, base_s * 2**doublings))  # noqa: S311 - not a secret


def until_settled(
    items: Iterable[T],
    attempt: Callable[[Sequence[T]], Iterable[tuple[T, R]]],
    pause: Pause[T],
) -> Iterator[tuple[T, R]]:
    """Give *items* to *attempt*, then again those that it answers with Retry.

    *attempt* yields a result for each item that it is given. What failed is yielded with its last
    error once *pause* returns False.
    """
    waiting = list(items)
    retry = 0
    while waiting:
        failed: list[tuple[T, R]] = []
        errors: list[tuple[T, Retry]] = []
        for item, result in attempt(waiting):
            if isinstance(result, Retry):
                failed.append((item, result))
                errors.append((item, result))
            else:
                yield item, result
        retry += 1
        if failed and not pause(retry, errors):
            yield from failed
            return
        waiting = [item for item, _ in failed]
