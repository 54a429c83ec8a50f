"""Python's cyclic garbage collector, and when it is only in the way."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """No collections in its block, which has to be bounded in what it makes.

    A page of items is hundreds of thousands of objects. They form no cycles, so they go with their
    last reference; but the collector walks over them again and again, which takes a quarter of a
    backfill's CPU time (`python -m benchmarks backfill`).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
