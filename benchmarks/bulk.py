"""How long 100 changes take to reach a real OpenSearch: the sink, helpers.bulk, one by one.

Interleaved in one run, so that the machine's other work touches all alike; compare the ratios.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from itertools import count
from statistics import median
from typing import Any

import opensearchpy
from opensearchpy import helpers

from local.servers.opensearch import OpenSearchServer
from sync.aws.keys import Source
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import OpenSearch
from sync.writing.op import Done, Op

OPS = 100
ROUNDS = 40
ALIAS = "bench"
SOURCE = Source("bench", {})

_versions = count(1)


def documents() -> list[bytes]:
    """A hundred products of half a kilobyte."""
    words = ["red", "blue", "fast", "light", "jet", "wing", "cabin", "spare", "long", "range"]
    chance = random.Random(1)
    return [
        json.dumps(
            {
                "id": f"{n}",
                "name": f"Product {n}",
                "description": " ".join(chance.choices(words, k=60)),
                "price": round(chance.random() * 100, 2),
                "tags": chance.sample(words, 3),
            }
        ).encode()
        for n in range(OPS)
    ]


def ways(url: str) -> dict[str, Callable[[], None]]:
    """Each writes all documents with a new version, and fails unless all were taken."""
    bodies = documents()
    parsed = [json.loads(body) for body in bodies]
    sink = OpenSearch.from_env({"OPENSEARCH_ENDPOINT": url, "OPENSEARCH_AUTH": "none"})
    client = opensearchpy.OpenSearch(url, http_compress=True)

    def by_sink() -> None:
        version = next(_versions)
        ops = [
            Op("opensearch", SOURCE, ALIAS, f"{n}", body, version) for n, body in enumerate(bodies)
        ]
        assert all(o.result is Done.WRITTEN for o in sink.write(ops, Deadline(60)))

    def by_helper() -> None:
        version = next(_versions)
        actions = [
            {
                "_index": ALIAS,
                "_id": f"{n}",
                "version": version,
                "version_type": "external_gte",
                "_source": document,
            }
            for n, document in enumerate(parsed)
        ]
        written, _ = helpers.bulk(client, actions, require_alias=True)
        assert written == OPS

    def one_by_one() -> None:
        version = next(_versions)
        for n, document in enumerate(parsed):
            client.index(
                index=ALIAS, id=f"{n}", body=document, version=version, version_type="external_gte"
            )

    return {"sink": by_sink, "helpers.bulk": by_helper, "one by one": one_by_one}


def measure() -> dict[str, Any]:
    """For each way, the median `ms` and `client_cpu_ms`, and how many times the sink's they are."""
    with OpenSearchServer() as server:
        client = opensearchpy.OpenSearch(server.url)
        client.indices.create(
            index=f"{ALIAS}-v1",
            body={"settings": {"number_of_replicas": 0}, "aliases": {ALIAS: {}}},
        )
        timed = {
            name: (way, list[float](), list[float]()) for name, way in ways(server.url).items()
        }
        for turn in range(ROUNDS + 10):
            for way, wall_ms, cpu_ms in timed.values():
                wall, cpu = time.perf_counter(), time.process_time()
                way()
                if turn >= 10:  # the server's compiler has to warm up, too
                    wall_ms.append((time.perf_counter() - wall) * 1_000)
                    cpu_ms.append((time.process_time() - cpu) * 1_000)
    medians = {name: (median(wall), median(cpu)) for name, (_, wall, cpu) in timed.items()}
    base_wall, base_cpu = medians["sink"]
    return {
        name: {
            "ms": wall,
            "ratio": wall / base_wall,
            "client_cpu_ms": cpu,
            "client_cpu_ratio": cpu / base_cpu,
        }
        for name, (wall, cpu) in medians.items()
    }


def report(figures: Mapping[str, Any]) -> str:
    lines = [f"{OPS} puts, median of {ROUNDS}     ms     x     client CPU ms     x"]
    for name, way in figures.items():
        lines.append(
            f"{name:24}{way['ms']:8.1f}{way['ratio']:6.1f}"
            f"{way['client_cpu_ms']:18.1f}{way['client_cpu_ratio']:6.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(measure()))
