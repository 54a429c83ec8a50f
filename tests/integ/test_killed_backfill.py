"""A backfill whose worker is killed, while the table is written to, ends with all as it is.

With ITEMS=200000 in the environment, the table has ten times as many.
"""

import os
import random
import signal
import threading
import time
from typing import Any, Final

import pytest

from handler import run
from local.checker import Documents, Expectation, check
from local.checker.expectation import PLACES
from local.servers.opensearch import OpenSearchServer
from tests.doubles.wiring import Context
from tests.dynamodb_local.server import DynamoDbLocal
from tests.integ.waiting import until
from tests.lengths import alone
from tests.records import PRODUCTS, stream_record
from tests.run_process import Products, RunProcess, product, record

ITEMS: Final = int(os.environ.get("ITEMS", "20000"))
INVOCATION_S: Final = 45.0  # time for some pages; the claim of a killed worker lasts 50 s longer
KILLED_AT: Final = 5_000  # items, at least
LATEST: Final = 8  # records that the stream delivers together


class Writers(threading.Thread):
    """Items are put, changed and deleted all the time, by another client than the worker's; the
    stream delivers that a little later."""

    def __init__(self, products: Products) -> None:
        super().__init__()
        self.writes = 0
        self.error: BaseException | None = None
        self._products = products
        self._over = threading.Event()
        self._chance = random.Random(1)

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._deliver([self._write() for _ in range(self._chance.randint(1, LATEST))])
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self._over.set()
        self.join()
        if self.error is not None:
            raise self.error

    def _write(self) -> dict[str, Any]:
        """Change an item, or one that may appear; gives the stream's record."""
        n = self._chance.randrange(ITEMS + ITEMS // 10)
        item = product(n, f"Change {self.writes} of")
        keys = {"productId": item.pop("productId")}
        gone = self._chance.random() < 0.3
        if gone:
            self._products.dynamodb.delete_item(TableName=PRODUCTS, Key=keys)
        else:
            self._products.dynamodb.put_item(TableName=PRODUCTS, Item={**keys, **item})
        self.writes += 1
        created_s = int(time.time())
        return stream_record(keys, None if gone else item, table=PRODUCTS, created_s=created_s)

    def _deliver(self, records: list[dict[str, Any]]) -> None:
        self._over.wait(self._chance.random() / 5)
        answer = run({"Records": records}, Context(), self._products.service)
        assert answer == {"batchItemFailures": []}


class Queue:
    """What SQS has of the resync queue: messages that are delivered after their delays."""

    def __init__(self, products: Products) -> None:
        self._products = products
        self._parked: list[tuple[float, str]] = []

    def note(self, sent: list[tuple[str, str, int]]) -> list[str]:
        """Keep parked keys; gives the messages of runs."""
        for queue, body, delay_s in sent:
            if queue == "resync":
                self._parked.append((time.monotonic() + delay_s, body))
        return [body for queue, body, _ in sent if queue == "runs"]

    def rest(self) -> None:
        """Deliver until nothing is parked."""
        while True:
            sent, self._products.queues.sent = self._products.queues.sent, []
            self.note(sent)
            if not self._parked:
                return
            self._parked.sort()
            due_s, body = self._parked.pop(0)
            time.sleep(max(0.0, due_s - time.monotonic()))
            event = {"Records": [record("resync", body)]}
            answer = run(event, Context(), self._products.service)
            assert answer == {"batchItemFailures": []}


@pytest.mark.soak
@alone("tests/unit/runs/ has a worker die at any call; this one waits for the end of its claim")
def test_a_killed_worker_is_replaced_and_all_ends_equal() -> None:
    with OpenSearchServer() as server, DynamoDbLocal() as local:
        products = Products(local, server.url)
        products.fill(range(ITEMS))
        id_, message = products.start()
        queue, writers = Queue(products), Writers(products)
        writers.start()
        try:
            with RunProcess(local, server.url, INVOCATION_S) as first:
                first.hand(message)
                until("pages", lambda: products.segment(id_).counts.get("read", 0) >= KILLED_AT)
                assert first.kill() == -signal.SIGKILL
            killed = products.segment(id_)
            assert killed.cursor is not None
            assert killed.holder == message["messageId"]
            with RunProcess(local, server.url, INVOCATION_S) as second:
                second.hand(message)
                assert not second.answer().done  # its first delivery's claim is not over
                time.sleep(killed.held_until - time.time() + 1)
                while not products.segment(id_).done:
                    second.hand(message)
                    answer = second.answer()
                    assert answer.done
                    message = next((record("runs", body) for body in queue.note(answer.sent)), {})
        finally:
            writers.stop()
        queue.rest()
        report = check(
            products.dynamodb,
            {"products": PRODUCTS},
            Documents(server.url),
            Expectation(places=[place for place in PLACES if place.alias == "products"]),
        )
        done = products.segment(id_)
        assert report.equal, report
        assert products.run(id_).status == "done"
        assert killed.counts["read"] < done.counts["read"]
        assert writers.writes > 100
        print(
            f"{report.documents:,} documents equal after {writers.writes:,} writes: {done.counts}"
        )
