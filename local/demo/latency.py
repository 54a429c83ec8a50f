"""Measures the time from a write until a search finds it."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

from local.checker import Ref
from local.demo.figures import Failed, percentile
from local.demo.scene import Scene, now

WRITES: Final = 200
_EVERY_S: Final = 0.05  # between two writes
_POLL_S: Final = 0.01  # between two searches
_QUIET_S: Final = 60.0


class _Probe(NamedTuple):
    ref: Ref
    updated_at: str  # of the version to find
    at: float  # just before it was written, on the monotonic clock


def measure(scene: Scene) -> None:
    """Write new versions of products one by one, and search for them meanwhile.

    The time begins before the write is sent. It ends when the answer to a search has that version
    of the product, or a later one. Searches run without a break, so the time includes the few
    milliseconds of one search.
    """
    written: SimpleQueue[_Probe] = SimpleQueue()
    with (
        scene.screen.progress("found", WRITES) as advance,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = pool.submit(_write, scene, written)
        pending: list[_Probe] = []
        taken: list[float] = []
        since = time.monotonic()
        while len(taken) < WRITES:
            if writing.done():
                writing.result()  # raises the writer's error
            while not written.empty():
                pending.append(written.get())
            if pending:
                versions = _search(scene, pending)
                seen = time.monotonic()
                found = [p for p in pending if versions.get(p.ref, "") >= p.updated_at]
                pending = [p for p in pending if versions.get(p.ref, "") < p.updated_at]
                taken += [seen - probe.at for probe in found]
                if found:
                    since = seen
                    advance(len(taken))
                elif seen - since > _QUIET_S:
                    raise Failed(
                        f"no write became searchable for {_QUIET_S:.0f} s; {pending[0].ref} is one"
                    )
            time.sleep(_POLL_S)
    p50, p99 = (round(percentile(taken, share) * 1000, 1) for share in (0.5, 0.99))
    scene.figures.latency_ms = {"p50": p50, "p99": p99}
    scene.screen.good(
        f"{WRITES} writes, each found by a search: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms"
    )
    scene.screen.say("measured from before the write until a search's answer holds it")


def _write(scene: Scene, written: "SimpleQueue[_Probe]") -> None:
    for product_id in islice(cycle(list(scene.products)), WRITES):
        product: dict[str, Any] = {**scene.products[product_id], "updated_at": now()}
        scene.products[product_id] = product
        at = time.monotonic()
        ref, _ = scene.tables.put(product)
        written.put(_Probe(ref, product["updated_at"], at))
        time.sleep(_EVERY_S)


def _search(scene: Scene, probes: list[_Probe]) -> dict[Ref, str]:
    ids = sorted({probe.ref.id for probe in probes})
    alias = probes[0].ref.alias
    body = {"query": {"ids": {"values": ids}}, "_source": ["updated_at"], "size": len(ids)}
    hits = scene.documents.search(alias, body)["hits"]["hits"]
    return {Ref(alias, hit["_id"]): hit["_source"]["updated_at"] for hit in hits}
