"""DynamoDB's client, for the tables that are streamed and for the service's own.

Of expressions, what the service writes is understood; anything else is refused, as AWS refuses
what it does not understand.
"""

import json
from collections.abc import Iterable
from decimal import Decimal
from math import ceil
from types import SimpleNamespace
from typing import Any, Final
from zlib import crc32

from botocore.exceptions import ClientError

from tests.simulation.aws import BATCH, Aws, client_error
from tests.simulation.calls import LATE, WHOLE
from tests.simulation.expressions import Names, condition, projected
from tests.simulation.requests import (
    MOST_READS,
    MOST_WRITES,
    check_batch,
    check_expressions,
    check_key,
    check_query,
    refused,
)
from tests.simulation.table import Item, Streamed, Table, as_bytes, as_text, key_of
from tests.simulation.transactions import ConditionFails, Transactions, check, written

PAGE_BYTES: Final = 1_000_000  # read for a page of a scan or query (guide, Scan)


class ConditionalCheckFailedException(ClientError): ...


class ResourceNotFoundException(ClientError): ...


class DynamoDB:
    exceptions: Final = SimpleNamespace(
        ConditionalCheckFailedException=ConditionalCheckFailedException,
        ResourceNotFoundException=ResourceNotFoundException,
    )

    def __init__(self, aws: Aws, tables: Iterable[Table]) -> None:
        self._aws = aws
        self._world = aws.calls.world
        self._tables = {table.name: table for table in tables}
        self._transactions = Transactions(aws, self._table)

    def batch_get_item(self, **given: Any) -> Any:
        request = given["RequestItems"]

        def effect(partial: bool) -> dict[str, Any]:
            places = [
                (name, key_of(self._table(name).names, one))
                for name, wanted in request.items()
                for one in wanted["Keys"]
            ]
            check_batch(places, MOST_READS)
            answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}}
            for name, wanted in request.items():
                table = self._table(name)
                keys = sorted(wanted["Keys"], key=str)  # chance is not to depend on their order
                for one in keys:
                    check_key(one, table.types)
                check_expressions(wanted)
                left = self._aws.some(keys, partial=partial)
                consistent = wanted.get("ConsistentRead", False)
                names, projection = Names(wanted), wanted.get("ProjectionExpression")
                found = [
                    table.read(one, consistent=consistent)
                    for one, fails in zip(keys, left, strict=True)
                    if not fails
                ]
                self._world.random.shuffle(found)  # "… doesn't return items in any … order"
                answer["Responses"][name] = [
                    as_bytes(projected(projection, item, names))
                    for item in found
                    if item is not None
                ]
                if any(left):
                    waiting = [one for one, fails in zip(keys, left, strict=True) if fails]
                    answer["UnprocessedKeys"][name] = {**wanted, "Keys": waiting}
            return answer

        return self._aws.call("dynamodb.batch_get_item", effect, BATCH)

    def get_item(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
            check_key(given["Key"], table.types)
            check_expressions(given)
            item = table.read(given["Key"], consistent=given.get("ConsistentRead", False))
            if item is None:
                return {}
            projection = given.get("ProjectionExpression")
            return {"Item": as_bytes(projected(projection, item, Names(given)))}

        return self._aws.call(f"dynamodb.get_item{self._core(given)}", effect)

    def update_item(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
            check("Update", given, table)
            key = key_of(table.names, given["Key"])
            try:
                new = written("Update", given, table.items.get(key))
            except ConditionFails as error:
                raise client_error(
                    "ConditionalCheckFailedException",
                    "The conditional request failed",
                    kind=ConditionalCheckFailedException,
                ) from error
            table.set(key, new)
            self._world.note("row", table.name, key[0][2], (new or {}).get("status", {}).get("S"))
            return {"Attributes": as_bytes(new)} if given.get("ReturnValues") == "ALL_NEW" else {}

        return self._aws.call("dynamodb.update_item", effect, WHOLE | LATE)

    def put_item(self, **given: Any) -> Any:
        return self._aws.call("dynamodb.put_item", lambda _: self._put_or_delete("Put", given))

    def delete_item(self, **given: Any) -> Any:
        return self._aws.call(
            "dynamodb.delete_item", lambda _: self._put_or_delete("Delete", given)
        )

    def batch_write_item(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            writes = [
                (kind.removesuffix("Request"), {**one, "TableName": name})
                for name, requests in given["RequestItems"].items()
                for request in requests
                for kind, one in request.items()
            ]
            places = []
            for kind, one in writes:
                table = self._table(one["TableName"])
                check(kind, one, table)
                item = one["Item" if kind == "Put" else "Key"]
                places.append((table.name, key_of(table.names, as_text(item))))
            check_batch(places, MOST_WRITES)
            for kind, one in writes:
                self._put_or_delete(kind, one)
            return {"UnprocessedItems": {}}

        return self._aws.call("dynamodb.batch_write_item", effect)

    def _put_or_delete(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        table = self._table(given["TableName"])
        check(kind, given, table)
        key = key_of(table.names, as_text(given["Item" if kind == "Put" else "Key"]))
        try:
            new = written(kind, given, table.items.get(key))
        except ConditionFails as error:
            raise client_error(
                "ConditionalCheckFailedException",
                "The conditional request failed",
                kind=ConditionalCheckFailedException,
            ) from error
        table.set(key, new)
        self._world.note("row", kind, key[0][2])
        return {}

    def transact_write_items(self, **given: Any) -> Any:
        return self._aws.call(
            "dynamodb.transact_write_items",
            lambda partial: self._transactions.write(given, partial=partial),
            BATCH | LATE,
        )

    def query(self, **given: Any) -> Any:
        """Of a table, or of its index, which is eventually consistent."""

        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
            names = Names(given)
            chosen = condition(given["KeyConditionExpression"])
            if "IndexName" in given:
                if table.index is None or given.get("ConsistentRead"):
                    raise refused("no such index, or a consistent read of one")
                order = (*table.index, *table.names)
                check_query(given, table.index)
            else:
                order = table.names
                check_query(given, table.names)
            rows = [
                row
                for row in table.rows(consistent=given.get("ConsistentRead", False))
                if order[-1] in row and order[1] in row and chosen(row, names)
            ]
            rows.sort(key=lambda row: _place(row, order[1:]))
            if not given.get("ScanIndexForward", True):
                rows.reverse()
            return self._page(given, table, rows, order)

        return self._aws.call(f"dynamodb.query{self._core(given)}", effect)

    def scan(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
            segment, of = given.get("Segment", 0), given.get("TotalSegments", 1)
            rows = [
                row
                for row in table.rows(consistent=given.get("ConsistentRead", False))
                if crc32(str(row[table.names[0]]).encode()) % of == segment
            ]
            rows.sort(key=lambda row: _place(row, table.names))  # AWS promises no order
            return self._page(given, table, rows, table.names)

        return self._aws.call(f"dynamodb.scan{self._core(given)}", effect)

    def describe_table(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
            return {
                "Table": {
                    "TableName": table.name,
                    "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{table.name}",
                    "AttributeDefinitions": [
                        {"AttributeName": name, "AttributeType": table.types[name] or "S"}
                        for name in table.names
                    ],
                    "KeySchema": [
                        {"AttributeName": name, "KeyType": kind}
                        for name, kind in zip(table.names, ("HASH", "RANGE"), strict=False)
                    ],
                    "ItemCount": len(table.items),
                    "TableSizeBytes": sum(map(_bytes, table.items.values())),
                }
            }

        return self._aws.call("dynamodb.describe_table", effect)

    def _core(self, given: dict[str, Any]) -> str:
        """Commands call seldom, so these are call sites of their own."""
        return " core" if isinstance(self._tables.get(given["TableName"]), Streamed) else ""

    def _page(
        self, given: dict[str, Any], table: Table, rows: list[Item], order: tuple[str, ...]
    ) -> dict[str, Any]:
        """Of *rows* as many as were asked for, from where it was asked."""
        names = Names(given)
        keeps = condition(given["FilterExpression"]) if "FilterExpression" in given else None
        check_expressions(given)
        if start := given.get("ExclusiveStartKey"):
            places = [_place(row, order) for row in rows]
            sign = 1 if given.get("ScanIndexForward", True) else -1
            after = _place(as_text(start), order)
            rows = [
                row
                for row, place in zip(rows, places, strict=True)
                if (place > after) - (place < after) == sign
            ]
        page: list[Item] = []
        read = 0  # bytes
        while len(page) < min(given.get("Limit", len(rows)), len(rows)) and read < PAGE_BYTES:
            read += _bytes(rows[len(page)])
            page.append(rows[len(page)])
        projection = given.get("ProjectionExpression")
        answer: dict[str, Any] = {
            "Items": [
                as_bytes(
                    _indexed(table, row)
                    if "IndexName" in given
                    else projected(projection, row, names)
                )
                for row in page
                if keeps is None or keeps(row, names)
            ]
        }
        if page and (len(page) == given.get("Limit") or len(page) < len(rows)):
            answer["LastEvaluatedKey"] = as_bytes({name: page[-1][name] for name in order})
        if given.get("ReturnConsumedCapacity") == "TOTAL":
            units = max(1, ceil(read / 4096)) * (1.0 if given.get("ConsistentRead") else 0.5)
            answer["ConsumedCapacity"] = {"TableName": table.name, "CapacityUnits": units}
        return answer

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is None or table.gone:
            raise client_error("ResourceNotFoundException", name, kind=ResourceNotFoundException)
        return table


def _place(item: Item, names: Iterable[str]) -> tuple[Any, ...]:
    """Where *item* stands by the key attributes *names*: texts by their bytes, numbers by value."""
    return tuple(_comparable(item[name]) for name in names)


def _comparable(value: dict[str, Any]) -> Any:
    return Decimal(value["N"]) if "N" in value else str(value.get("S", value.get("B"))).encode()


def _bytes(item: Item) -> int:
    """About the size of *item*."""
    return len(json.dumps(item))


def _indexed(table: Table, row: Item) -> Item:
    """What the index of *table* has of a row."""
    listed = {*table.names, *(table.index or ()), *table.listed}
    return {name: value for name, value in row.items() if name in listed}
