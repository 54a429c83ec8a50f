"""Items a second of a backfill, and of a scan with TypeDeserializer and helpers.bulk.

DynamoDB Local and a real OpenSearch, one segment; interleaved in one run, so that the machine's
other work touches all alike. The backfill reads each page twice, to verify it.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from statistics import median
from typing import Any

import opensearchpy
from boto3.dynamodb.types import TypeDeserializer
from opensearchpy import helpers

from local.servers.opensearch import OpenSearchServer
from sync.aws.items import Items
from sync.aws.wire import read_plainly
from sync.model.fields import Number, Text
from sync.model.model import Model, route
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.recovery.brake import Brake
from sync.recovery.letters import DeadLetters
from sync.recovery.parking import Parking
from sync.recovery.resync import Resync
from sync.recovery.settle import Settle
from sync.runs.backfill import Backfill
from sync.runs.rows import Run, Segment
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import OpenSearch
from sync.writing.fanout import Fanout
from sync.writing.metrics import Metrics
from tests.dynamodb_local.server import DynamoDbLocal
from tests.tables import create_table

ITEMS = 20_000
ROUNDS = 5
TABLE = "bench"


@route("bench", productId=".+", into={OpenSearch: TABLE})
class Product(Model):
    productId: Text  # noqa: N815 - an attribute's name
    name: Text
    description: Text
    price: Number
    tags: list[Text]


def fill(client: Any) -> None:
    """Products of half a kilobyte."""
    words = ["red", "blue", "fast", "light", "jet", "wing", "cabin", "spare", "long", "range"]
    chance = random.Random(1)
    create_table(client, TABLE, "productId")
    for at in range(0, ITEMS, 25):
        items = [
            {
                "productId": {"S": f"{n:06d}"},
                "name": {"S": f"Product {n}"},
                "description": {"S": " ".join(chance.choices(words, k=60))},
                "price": {"N": f"{chance.randrange(10_000) + 0.25}"},
                "tags": {"L": [{"S": tag} for tag in chance.sample(words, 3)]},
            }
            for n in range(at, at + 25)
        ]
        client.batch_write_item(
            RequestItems={TABLE: [{"PutRequest": {"Item": item}} for item in items]}
        )


def ways(url: str, dynamodb: Any, as_sent: Any) -> dict[str, Callable[[], None]]:
    """Each writes all items, and fails unless all were taken."""
    client = opensearchpy.OpenSearch(url, http_compress=True)
    deserialize = TypeDeserializer().deserialize

    def plain(value: Any) -> Any:
        return float(value) if isinstance(value, Decimal) else str(value)

    def actions() -> Any:
        for page in dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True):
            for item in page["Items"]:
                document = {name: deserialize(av) for name, av in item.items()}
                body = json.dumps(document, default=plain)
                yield {"_index": TABLE, "_id": document["productId"], "_source": body}

    def by_helper() -> None:
        written, _ = helpers.bulk(client, actions(), chunk_size=1_000)
        assert written == ITEMS

    backfill = backfilled(url, lambda _service: as_sent)

    def by_backfill() -> None:
        run = Run("r", "backfill", TABLE, {"keys": ["productId"]}, 1, None, "")
        segment, written, ahead = Segment("r", 0), 0, None
        while not segment.done:
            page = backfill.page(
                run, segment, Deadline(300), lambda _keys: None, last=False, ahead=ahead
            )
            ahead = page.ahead
            assert page.held is None, page.held
            written += page.counts.get("written", 0)
            segment = Segment("r", 0, cursor=page.cursor, done=page.cursor is None)
        assert written == ITEMS

    return {"scan + helpers.bulk": by_helper, "backfill": by_backfill}


def backfilled(url: str, clients: Any) -> Backfill:
    clock = SystemClock()
    metrics = Metrics("bench", clock, len)
    brake = Brake(metrics)
    planner = Planner(Registry([Product], {TABLE: TABLE}), brake.read)
    sink = OpenSearch.from_env({"OPENSEARCH_ENDPOINT": url, "OPENSEARCH_AUTH": "none"})
    fanout = Fanout({sink.name: sink}, clock, watchers=(metrics, brake))
    resync = Resync(planner, fanout, Items(clients), clock)
    parking = Parking("queue", clients, clock, delay_s=41)
    letters = DeadLetters("topic", "bucket", clients, clock)
    return Backfill(planner, resync, Settle(parking, letters, brake), fanout, clients, clock)


def measure() -> dict[str, Any]:
    """For each way, the median `items_s` and `client_cpu_s`, and `ratio`: how many times the items
    a second of the first way."""
    with OpenSearchServer() as server, DynamoDbLocal() as local:
        dynamodb, as_sent = local.client(), local.client()
        read_plainly(as_sent)  # as sync.aws.clients does
        fill(dynamodb)
        opensearchpy.OpenSearch(server.url).indices.create(
            index=f"{TABLE}-v1",
            body={"settings": {"number_of_replicas": 0}, "aliases": {TABLE: {}}},
        )
        timed = {
            name: (way, list[float](), list[float]())
            for name, way in ways(server.url, dynamodb, as_sent).items()
        }
        for turn in range(ROUNDS + 1):
            for way, wall_s, cpu_s in timed.values():
                wall, cpu = time.perf_counter(), time.process_time()
                way()
                if turn:  # the servers' compilers have to warm up, too
                    wall_s.append(time.perf_counter() - wall)
                    cpu_s.append(time.process_time() - cpu)
    base = median(timed["scan + helpers.bulk"][1])
    return {
        name: {
            "items_s": ITEMS / median(wall_s),
            "client_cpu_s": median(cpu_s),
            "ratio": base / median(wall_s),
        }
        for name, (_, wall_s, cpu_s) in timed.items()
    }


def report(figures: Mapping[str, Any]) -> str:
    lines = [f"{ITEMS:,} items, median of {ROUNDS}   items/s     x     client CPU s"]
    for name, way in figures.items():
        lines.append(
            f"{name:28}{way['items_s']:9,.0f}{way['ratio']:6.2f}{way['client_cpu_s']:17.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(measure()))
