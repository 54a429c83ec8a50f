"""The parts of a transaction on contributions and counters."""

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
    """The contribution of *op*, if the stored one still is as it was read."""
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
    """*by* more; a counter that is not there is made."""
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
    """*by* less than what it was read to hold; a counter that comes to nothing goes.

    So does one that holds less than *by*: only a hand from outside brings that about, and no count
    that could be written here would be a true one.
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
            "ConditionExpression": "#count > :by",  # whatever others made of it meanwhile
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":less": {"N": str(-by)}, ":by": {"N": str(by)}},
        }
    }


def replace(
    table: str, counter: CounterKey, count: int, seen: int | None
) -> "TransactWriteItemTypeDef":
    """*count*, if the counter still holds what was *seen* of it; 0: no counter."""
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
