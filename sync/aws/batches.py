"""Splitting items into batches within the limits of a request."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T], *, most: int, most_bytes: int, size: Callable[[T], int]
) -> Iterator[list[T]]:
    """*items* in order, in batches of at most *most* items and *most_bytes* in total.

    An item larger than *most_bytes* has a batch of its own.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        bytes_ = size(item)
        if batch and (len(batch) == most or total + bytes_ > most_bytes):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += bytes_
    if batch:
        yield batch
