"""DynamoDB's client, for the tables that are streamed and for the service's own.

Of expressions, what the service writes is understood; anything else is refused, as AWS refuses
what it does not understand.
"""

from collections.abc import Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.aws import BATCH, Aws, client_error
from tests.simulation.calls import LATE, WHOLE
from tests.simulation.expressions import Names, condition, projected
from tests.simulation.table import Item, Streamed, Table, as_bytes, as_text, key_of
from tests.simulation.transactions import ConditionFails, Transactions, written

UNLISTED: Final = frozenset({"body", "payload", "trace", "letter", "wrote", "expires_at"})


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
            if sum(len(wanted["Keys"]) for wanted in request.values()) > 100:
                raise client_error("ValidationException", "Too many items requested")
            answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}}
            for name, wanted in request.items():
                table = self._table(name)
                keys = sorted(wanted["Keys"], key=str)  # chance is not to depend on their order
                if len({key_of(table.names, one) for one in keys}) < len(keys):
                    raise client_error("ValidationException", "Provided list contains duplicates")
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
            item = table.read(given["Key"], consistent=given.get("ConsistentRead", False))
            if item is None:
                return {}
            projection = given.get("ProjectionExpression")
            return {"Item": as_bytes(projected(projection, item, Names(given)))}

        return self._aws.call(f"dynamodb.get_item{self._core(given)}", effect)

    def update_item(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
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
            return {}

        return self._aws.call("dynamodb.update_item", effect, WHOLE | LATE)

    def put_item(self, **given: Any) -> Any:
        return self._aws.call("dynamodb.put_item", lambda _: self._put_or_delete("Put", given))

    def delete_item(self, **given: Any) -> Any:
        return self._aws.call(
            "dynamodb.delete_item", lambda _: self._put_or_delete("Delete", given)
        )

    def _put_or_delete(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        table = self._table(given["TableName"])
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
                assert table.index
                assert "ConsistentRead" not in given
                order = (*table.index, *table.names)
            else:
                order = table.names
            rows = [
                row
                for row in table.rows(consistent=given.get("ConsistentRead", False))
                if order[-1] in row and order[1] in row and chosen(row, names)
            ]
            rows.sort(key=lambda row: _place(row, order[1:]))
            if not given.get("ScanIndexForward", True):
                rows.reverse()
            return self._page(given, rows, order)

        return self._aws.call(f"dynamodb.query{self._core(given)}", effect)

    def scan(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            table = self._table(given["TableName"])
            rows = list(table.rows(consistent=given.get("ConsistentRead", False)))
            rows.sort(key=lambda row: _place(row, table.names))  # AWS promises no order
            return self._page(given, rows, table.names)

        return self._aws.call(f"dynamodb.scan{self._core(given)}", effect)

    def _core(self, given: dict[str, Any]) -> str:
        """Commands call seldom, so these are call sites of their own."""
        return " core" if isinstance(self._tables.get(given["TableName"]), Streamed) else ""

    def _page(
        self, given: dict[str, Any], rows: list[Item], order: tuple[str, ...]
    ) -> dict[str, Any]:
        """Of *rows* as many as were asked for, from where it was asked."""
        names = Names(given)
        keeps = condition(given["FilterExpression"]) if "FilterExpression" in given else None
        names.check_all_used()
        if start := given.get("ExclusiveStartKey"):
            places = [_place(row, order) for row in rows]
            sign = 1 if given.get("ScanIndexForward", True) else -1
            after = _place(as_text(start), order)
            rows = [
                row
                for row, place in zip(rows, places, strict=True)
                if (place > after) - (place < after) == sign
            ]
        page = rows[: given.get("Limit", len(rows))]
        projection = given.get("ProjectionExpression")
        answer: dict[str, Any] = {
            "Items": [
                as_bytes(
                    _indexed(row) if "IndexName" in given else projected(projection, row, names)
                )
                for row in page
                if keeps is None or keeps(row, names)
            ]
        }
        if page and len(page) == given.get("Limit"):
            answer["LastEvaluatedKey"] = as_bytes({name: page[-1][name] for name in order})
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


def _indexed(row: Item) -> Item:
    """What the dead letters' index holds of a row."""
    return {name: value for name, value in row.items() if name not in UNLISTED}
