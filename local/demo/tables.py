"""Writes to the two tables, and says which documents OpenSearch should then have."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeSerializer

from local.checker import Expectation, Ref, TableItem, item_values, read_tables, scan
from local.data import images
from local.demo.figures import Failed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

KEYS: Final = {"core": ("PK", "SK"), "products": ("productId",)}
_COUNTERS: Final = "ICAO#MATCHER"
_DERIVED: Final = (
    _COUNTERS,
    f"DEFAULT_IMAGES#ORG#{images.SYSTEM}#ENTITY#ICAO",
    f"DEFAULT_IMAGES#ORG#{images.SYSTEM}#ENTITY#REGISTRATION",
    f"DEFAULT_IMAGES#ORG#{images.CLUB}#ENTITY#REGISTRATION",
)
_BATCH: Final = 25  # requests in one BatchWriteItem, the most it takes (API reference)
_THREADS: Final = 4
_TRIES: Final = 10
_PAUSE_S: Final = 0.1  # before the second try; doubles with each, with full jitter

Item = Mapping[str, Any]
Image = dict[str, Any]
Wanted = tuple[Ref, Any]  # a document's address and the document; None if there should be none

_serialize: Final = TypeSerializer().serialize


def image_of(item: Item) -> Image:
    """*item* as boto3's client takes it; numbers must be int or Decimal."""
    return {name: _serialize(value) for name, value in item.items()}


class Tables:
    """The core and the product table; *names* are their full names. Threads may share it."""

    def __init__(
        self, dynamodb: "DynamoDBClient", names: Mapping[str, str], expectation: Expectation
    ) -> None:
        self.dynamodb = dynamodb
        self.names = names
        self._expectation = expectation

    def put(self, item: Item) -> Wanted:
        """Write *item*; returns the document that OpenSearch should then have."""
        return self._wanted(self.write(item))

    def write(self, item: Item) -> Image:
        """Write *item*; returns it as boto3's client takes it."""
        image = image_of(item)
        self.dynamodb.put_item(TableName=self.names[_table(item)], Item=image)
        return image

    def update(self, item: Item, changes: Item) -> Wanted:
        """Change some attributes of the item with the keys of *item*."""
        answer = self.dynamodb.update_item(
            TableName=self.names[_table(item)],
            Key=image_of(key_of(item)),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            ExpressionAttributeNames={f"#{name}": name for name in changes},
            ExpressionAttributeValues={f":{k}": v for k, v in image_of(changes).items()},
            ReturnValues="ALL_NEW",
        )
        return self._wanted(dict(answer["Attributes"]))

    def delete(self, item: Item) -> Wanted:
        """Delete the item with the keys of *item*; its document should then be gone."""
        return self._wanted(self.remove(item))[0], None

    def remove(self, item: Item) -> Image:
        """Delete the item with the keys of *item*; returns the keys."""
        key = image_of(key_of(item))
        self.dynamodb.delete_item(TableName=self.names[_table(item)], Key=key)
        return key

    def get(self, item: Item) -> dict[str, Any]:
        """The item with the keys of *item*, as values to compare; empty if there is none."""
        answer = self.dynamodb.get_item(
            TableName=self.names[_table(item)], Key=image_of(key_of(item)), ConsistentRead=True
        )
        return item_values(answer.get("Item", {}))

    def values(self) -> list[TableItem]:
        """Every item of both tables, as values to compare."""
        return read_tables(self.dynamodb, self.names)

    def derived(self) -> list[Mapping[str, Any]]:
        """All counters and all default images for readers, as values to compare.

        These are a small part of `values`, and so can be read again and again.
        """
        pages = self.dynamodb.get_paginator("query")
        return [
            item_values(item)
            for partition in _DERIVED
            for page in pages.paginate(
                TableName=self.names["core"],
                KeyConditionExpression="PK = :partition",
                ExpressionAttributeValues={":partition": {"S": partition}},
                ConsistentRead=True,
            )
            for item in page["Items"]
        ]

    def put_all(self, items: Sequence[Item], done: Callable[[int], None]) -> None:
        """Write *items* in batches; *done* gets the number written so far.

        Raises Failed if a table keeps refusing, and the errors of the client.
        """
        self.send(
            [(self.names[_table(i)], {"PutRequest": {"Item": image_of(i)}}) for i in items], done
        )

    def clear(self, done: Callable[[int], None] = lambda _: None) -> int:
        """Delete every item that the service did not write itself; returns their number.

        The service removes counters and default images once their links and images are gone.
        """
        requests: list[tuple[str, WriteRequestTypeDef]] = []
        for short, full in self.names.items():
            for item in scan(self.dynamodb, full):
                key = {name: item[name] for name in KEYS[short]}
                if not _is_derived(key):
                    requests.append((full, {"DeleteRequest": {"Key": key}}))
        self.send(requests, done)
        return len(requests)

    def send(
        self,
        requests: Sequence[tuple[str, "WriteRequestTypeDef"]],
        done: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Send *requests*, each with its table, in batches; as `put_all`."""
        accepted = 0
        lock = threading.Lock()

        def write(start: int) -> None:
            nonlocal accepted
            batch = requests[start : start + _BATCH]
            self._write_batch(batch)
            with lock:
                accepted += len(batch)
                done(accepted)

        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(write, range(0, len(requests), _BATCH)):
                pass  # raises a thread's error

    def _write_batch(self, batch: Sequence[tuple[str, "WriteRequestTypeDef"]]) -> None:
        left: dict[str, Any] = {}
        for table, request in batch:
            left.setdefault(table, []).append(request)
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(random.uniform(0, _PAUSE_S * 2**attempt))  # noqa: S311 - jitter
            answer = self.dynamodb.batch_write_item(RequestItems=left)
            if not answer["UnprocessedItems"]:
                return
            left = dict(answer["UnprocessedItems"])
        counts = ", ".join(f"{table}: {len(some)}" for table, some in left.items())
        raise Failed(f"BatchWriteItem left items unprocessed after {_TRIES} tries ({counts})")

    def _wanted(self, image: Mapping[str, Any]) -> Wanted:
        pair = self._expectation.of(_table(image), item_values(image))
        if pair is None:
            raise ValueError(f"no alias is for items such as {key_of(image)}")
        return pair


def _is_derived(key: Mapping[str, Any]) -> bool:
    hash_key, range_key = (str(key.get(name, {}).get("S")) for name in ("PK", "SK"))
    return (
        hash_key == _COUNTERS
        or hash_key.startswith("DEFAULT_IMAGES#")
        or (hash_key.startswith("IMAGES#") and range_key == "DEFAULT")
    )


def _table(item: Item) -> str:
    return next(short for short, names in KEYS.items() if all(name in item for name in names))


def key_of(item: Item) -> Image:
    """The key attributes of *item* alone."""
    return {name: item[name] for name in KEYS[_table(item)]}
