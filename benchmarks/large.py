"""Peak memory and items a second of a backfill's worker, for tables of two sizes.

DynamoDB Local and a real OpenSearch, one segment, each table in a fresh process that handles the
run's messages one after another. The larger table may take at most a tenth more memory.
"""

import time
from collections.abc import Mapping
from typing import Any

from local.servers.opensearch import OpenSearchServer
from tests.dynamodb_local.server import DynamoDbLocal
from tests.run_process import Products, RunProcess, record

SIZES = (20_000, 200_000)
MOST = 1.1  # times the peak of the smaller table
INVOCATION_S = 300  # as in serverless.yml


def backfilled(items: int) -> dict[str, Any]:
    """`items`, `items_s` and `peak_mib` of the backfill of a table of so many *items*."""
    with OpenSearchServer() as server, DynamoDbLocal() as local:
        products = Products(local, server.url)
        products.fill(range(items))
        id_, message = products.start()
        with RunProcess(local, server.url, INVOCATION_S) as worker:
            began_s = time.perf_counter()
            while True:
                worker.hand(message)
                answer = worker.answer()
                segment = products.segment(id_)
                if segment.done:
                    break
                assert answer.done, segment.cause
                ((_, body, _),) = answer.sent
                message = record("runs", body)
            took_s = time.perf_counter() - began_s
    assert segment.counts == {"read": items, "unmatched": 0, "written": items}, segment.counts
    return {"items": items, "items_s": items / took_s, "peak_mib": answer.peak_kib / 1024}


def measure() -> dict[str, Any]:
    """For each of SIZES what `backfilled` says; `growth`, and whether that is `kept` below MOST."""
    found = [backfilled(items) for items in SIZES]
    growth = found[-1]["peak_mib"] / found[0]["peak_mib"]
    return {"sizes": found, "growth": growth, "kept": growth <= MOST}


def report(figures: Mapping[str, Any]) -> str:
    lines = ["      items   items/s   peak MiB"]
    lines += [
        f"{size['items']:11,}{size['items_s']:10,.0f}{size['peak_mib']:11.1f}"
        for size in figures["sizes"]
    ]
    return "\n".join([*lines, f"growth {figures['growth']:.3f}, at most {MOST} is promised"])
