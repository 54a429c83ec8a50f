"""Stops OpenSearch in the middle of a stream of writes, and starts it again."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import cycle
from threading import Event
from typing import Any, Final

from local.checker import Ref
from local.demo.scene import Scene, now
from local.demo.settle import until_documents
from local.demo.tables import Wanted

_EVERY_S: Final = 0.025  # between two writes
_BEFORE_S: Final = 2.0
_DOWN_S: Final = 6.0  # how long writes go on before it is started again


def run(scene: Scene) -> None:
    """Stop and start the server while writes go on; every write has to be searchable in the end."""
    scene.figures.recovered_after_outage = False
    enough = Event()
    wanted: dict[Ref, Any] = {}
    writes = [0]
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_write, scene, wanted, writes, enough)
        try:
            enough.wait(_BEFORE_S)
            before = writes[0]
            scene.stack.opensearch.stop()
            scene.screen.say(f"OpenSearch stopped after {before:,} writes; they go on")
            enough.wait(_DOWN_S)
            scene.stack.opensearch.start()
            back = time.monotonic()
            missed = writes[0] - before
            scene.screen.say(f"started again; {missed:,} writes came while it was down")
        finally:
            enough.set()
        writing.result()
    scene.screen.say(
        f"{scene.desk.parked()} messages of parked keys; the streams' shards have moved on"
    )
    with scene.screen.progress("caught up", len(wanted)) as advance:
        until_documents(scene.documents, wanted.items(), advance)
    scene.figures.recovered_after_outage = True
    scene.screen.good(
        f"all {writes[0]:,} writes to {len(wanted):,} items are searchable, "
        f"{time.monotonic() - back:.1f} s after the start"
    )


def _write(scene: Scene, wanted: dict[Ref, Any], writes: list[int], enough: Event) -> None:
    for ref, document in _changes(scene):
        wanted[ref] = document
        writes[0] += 1
        if enough.wait(_EVERY_S):
            return


def _changes(scene: Scene) -> Iterator[Wanted]:
    """Write every kind of change to both tables, without end; yields the document of each.

    Manufacturers are deleted and written again: a delete that came late would be noticed.
    """
    tables = scene.tables
    makers = cycle(scene.manufacturers)
    for count, product in enumerate(cycle(list(scene.products.values()))):
        product["price"] += Decimal("0.01")
        product["updated_at"] = now()
        yield tables.put(product)
        maker = next(makers)
        yield tables.delete(maker)
        yield tables.put(maker)
        new = {
            "productId": f"made-in-the-dark-{count:04}",
            "name": f"Made in the Dark, No. {count}",
            "price": Decimal(count) / 4,
            "updated_at": now(),
        }
        yield tables.put(new)
        if count % 2:
            yield tables.delete(new)
