"""Long work on the deployed service: a backfill writes what is lost, verify finds what differs."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.stack import Stack
from tests.integ.waiting import quiet, until

IDS = [f"p{n:02}" for n in range(40)]


@pytest.fixture
def table(stack: Stack) -> Iterator[str]:
    """The products' table with items that are searchable; empty afterwards."""
    name, client = stack.tables["products"], stack.client("dynamodb")
    for n, id_ in enumerate(IDS):
        item = {"productId": {"S": id_}, "name": {"S": f"product {n}"}, "price": {"N": str(n)}}
        client.put_item(TableName=name, Item=item)
    quiet(stack)
    assert found(stack) == len(IDS)
    yield name
    for id_ in IDS:
        client.delete_item(TableName=name, Key={"productId": {"S": id_}})
    quiet(stack)


def ask(stack: Stack, way: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{stack.opensearch_url}/products/{way}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def found(stack: Stack) -> int:
    """The number of products that a search finds."""
    ask(stack, "_refresh", {})
    return int(ask(stack, "_search", {"size": 0})["hits"]["total"]["value"])


def test_a_backfill_writes_what_the_index_has_lost(stack: Stack, table: str) -> None:
    """By its own messages, function and role."""
    ask(stack, "_delete_by_query", {"query": {"match_all": {}}})
    assert found(stack) == 0
    started = stack.command({"command": "backfill start", "table": table, "segments": 3})
    assert started["segments"] == 3

    def state() -> Any:
        shown = stack.command({"command": "backfill show", "id": started["id"]})
        return shown if shown["run"]["status"] == "done" else None

    shown = until("the backfill", state)
    assert shown["run"]["table"] == table
    assert found(stack) == len(IDS)


def test_verify_finds_what_was_damaged_and_repairs_it(stack: Stack, table: str) -> None:
    """A document that is gone, one that is changed, one of no item."""
    ask(stack, "_delete_by_query", {"query": {"ids": {"values": [IDS[0]]}}})
    changed = {"script": "ctx._source.price = 999", "query": {"ids": {"values": [IDS[1]]}}}
    ask(stack, "_update_by_query", changed)
    ask(stack, "_doc/foreign", {"productId": "foreign", "name": "of nobody", "price": 1})
    payload = {"command": "verify", "table": table, "sink": "opensearch"}
    told = stack.command(payload)
    assert (told["missing"], told["different"], told["extra"]) == (1, 1, 1)
    repaired = stack.command({**payload, "repair": True})
    assert repaired["repaired"] == 3
    again = stack.command(payload)
    assert (again["missing"], again["different"], again["extra"]) == (0, 0, 0)
    assert found(stack) == len(IDS)


def test_readers_notice_nothing_of_a_reindex(stack: Stack, table: str) -> None:
    """Under live writes, there and back: no error, no document missing, no two indexes at once."""
    client = stack.client("dynamodb")
    over = threading.Event()
    wrong: list[str] = []
    seen: set[str] = set()

    def read() -> None:
        while not over.is_set():
            answer = ask(stack, "_search", {"size": 2 * len(IDS)})
            hits = answer["hits"]["hits"]
            indexes = {hit["_index"] for hit in hits}
            seen.update(indexes)
            if answer["_shards"]["failed"] or len(hits) != len(IDS) or len(indexes) != 1:
                wrong.append(f"{len(hits)} hits of {indexes}")

    def write() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            for n, id_ in enumerate(IDS):
                item = {
                    "productId": {"S": id_},
                    "name": {"S": f"turn {turn}"},
                    "price": {"N": str(n)},
                }
                client.put_item(TableName=table, Item=item)

    payload = {"command": "reindex", "sink": "opensearch", "target": "products"}

    def until_done(phase: str, **more: Any) -> Any:
        cursor = [None]

        def step() -> Any:
            told = stack.command({**payload, **more, "cursor": cursor[0]})
            cursor[0] = told["cursor"]
            return told if told["phase"] == phase else None

        return until(f"the phase {phase}", step)

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work) for work in (read, read, write)]
        try:
            swapped = until_done("swapped")
            back = until_done("rolled back", rollback=True)
            assert (back["live"], back["shadow"]) == (swapped["shadow"], swapped["live"])
            again = until_done("swapped")
        finally:
            over.set()
        for each in working:
            each.result()
    assert wrong == []
    assert seen == {swapped["live"], swapped["shadow"]}
    assert stack.command({**payload, "drop": True})["live"] == again["live"]
    quiet(stack)
    told = stack.command({"command": "verify", "table": table, "sink": "opensearch"})
    assert (told["missing"], told["different"], told["extra"]) == (0, 0, 0)
    assert told["checked"] == {"items": len(IDS), "documents": len(IDS)}
