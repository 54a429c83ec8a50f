"""The actions of a transaction on contribution rows and counters."""

from typing import TYPE_CHECKING, Any

from sync.runtime.jsontext import strict
from sync.sinks.counters.rows import TOMBSTONE_S, Contribution, CounterKey, row_id
from sync.writing.op import Op
from sync.writing.versions import SECOND

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


def put(
    table: str, op: Op, counter: CounterKey | None, stored: Contribution | None
) -> "TransactWriteItemTypeDef":
    """Store the contribution of *op*, if the row still is what was read as *stored*."""
    item: dict[str, Any] = {
        "id": {"S": row_id(op)},
        "version": {"N": str(op.version)},
        "source_table": {"S": op.source.table},
        "source_keys": {"S": strict(op.source.keys)},
    }
    if counter:
        item["counter"] = {"S": counter.sort_key}
    else:
        item["expires_at"] = {"N": str(op.version // SECOND + TOMBSTONE_S)}
    if stored is None:
        return {
            "Put": {
                "TableName": table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(id)",
            }
        }
    condition, values = "#version = :version", {":version": {"N": str(stored.version)}}
    if stored.counter:
        condition += " AND #counter = :counter"
        values[":counter"] = {"S": stored.counter}
    else:
        condition += " AND attribute_not_exists(#counter)"
    return {
        "Put": {
            "TableName": table,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#version": "version", "#counter": "counter"},
            "ExpressionAttributeValues": values,
        }
    }


def add(table: str, counter: CounterKey, by: int) -> "TransactWriteItemTypeDef":
    """Add *by* to *counter*, and create it if it does not exist."""
    parts = counter.parts
    sets = ", ".join(f"#{name} = :{name}" for name in parts)
    return {
        "Update": {
            "TableName": table,
            "Key": counter.source(table).keys,
            "UpdateExpression": f"SET {sets} ADD #count :by",
            "ExpressionAttributeNames": {f"#{name}": name for name in (*parts, "count")},
            "ExpressionAttributeValues": {
                **{f":{name}": {"S": part} for name, part in parts.items()},
                ":by": {"N": str(by)},
            },
        }
    }


def take(table: str, counter: CounterKey, by: int, held: int) -> "TransactWriteItemTypeDef":
    """Subtract *by* from *counter*, which was read as *held*; delete it if nothing is left.

    A counter that holds less than *by* is deleted too: only a write from outside this service
    causes that, and the right count is not known here.
    """
    key = counter.source(table).keys
    if held <= by:
        return {
            "Delete": {
                "TableName": table,
                "Key": key,
                "ConditionExpression": "#count = :held",
                "ExpressionAttributeNames": {"#count": "count"},
                "ExpressionAttributeValues": {":held": {"N": str(held)}},
            }
        }
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "ADD #count :less",
            "ConditionExpression": "#count > :by",  # also if others have changed it since
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":less": {"N": str(-by)}, ":by": {"N": str(by)}},
        }
    }


def replace(
    table: str, counter: CounterKey, count: int, seen: int | None
) -> "TransactWriteItemTypeDef":
    """Set *counter* to *count*, or delete it at 0, if it still holds *seen* (None: no counter)."""
    key = counter.source(table).keys
    names = {"#count": "count"}
    if seen is None:
        condition, values = "attribute_not_exists(PK)", {}
    else:
        condition, values = "#count = :seen", {":seen": {"N": str(seen)}}
    if not count:
        return {
            "Delete": {
                "TableName": table,
                "Key": key,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": names,
                "ExpressionAttributeValues": values,
            }
        }
    parts = counter.parts
    put: Any = {
        "TableName": table,
        "Item": {
            **key,
            **{name: {"S": part} for name, part in parts.items()},
            "count": {"N": str(count)},
        },
        "ConditionExpression": condition,
    }
    if values:
        put |= {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {"Put": put}
