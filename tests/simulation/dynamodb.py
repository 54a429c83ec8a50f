"""DynamoDB's client, for the tables that are streamed and for the service's own; and its streams'.

Of expressions, what the service writes is understood; anything else is refused, as AWS refuses
what it does not understand.
"""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.aws import BATCH, Aws, client_error
from tests.simulation.calls import LATE, WHOLE
from tests.simulation.expressions import Names, condition, update
from tests.simulation.stream import Shard, Stream
from tests.simulation.table import STALE_S, Item, Table, as_bytes, key_of


class ConditionalCheckFailedException(ClientError): ...


class ResourceNotFoundException(ClientError): ...


class TrimmedDataAccessException(ClientError): ...


class OwnTable:
    """A table of the service's own, without a stream; *index* sorts by two attributes."""

    def __init__(self, name: str, key: str, index: tuple[str, str] | None = None) -> None:
        self.name = name
        self.key = key
        self.index = index
        self.items: dict[str, Item] = {}
        self.before: dict[str, tuple[float, Item | None]] = {}  # what an index may still show


class DynamoDB:
    exceptions: Final = SimpleNamespace(
        ConditionalCheckFailedException=ConditionalCheckFailedException,
        ResourceNotFoundException=ResourceNotFoundException,
    )

    def __init__(self, aws: Aws, tables: list[Table], own: list[OwnTable]) -> None:
        self._aws = aws
        self._world = aws.calls.world
        self._tables = {table.name: table for table in tables}
        self._own = {table.name: table for table in own}

    def batch_get_item(self, **given: Any) -> Any:
        request = given["RequestItems"]
        if request.keys() <= self._own.keys():
            return self._own_rows(request)

        def effect(partial: bool) -> dict[str, Any]:
            if sum(len(wanted["Keys"]) for wanted in request.values()) > 100:
                raise client_error("ValidationException", "Too many items requested")
            answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}}
            for name, wanted in request.items():
                table = self._table(name)
                keys = wanted["Keys"]
                if len({key_of(table.names, one) for one in keys}) < len(keys):
                    raise client_error("ValidationException", "Provided list contains duplicates")
                left = self._aws.some(keys, partial=partial)
                consistent = wanted.get("ConsistentRead", False)
                found = [
                    table.read(one, consistent=consistent)
                    for one, fails in zip(keys, left, strict=True)
                    if not fails
                ]
                self._world.random.shuffle(found)  # "… doesn't return items in any … order"
                answer["Responses"][name] = [as_bytes(item) for item in found if item is not None]
                if any(left):
                    waiting = [one for one, fails in zip(keys, left, strict=True) if fails]
                    answer["UnprocessedKeys"][name] = {**wanted, "Keys": waiting}
            return answer

        return self._aws.call("dynamodb.batch_get_item", effect, BATCH)

    def _own_rows(self, request: Any) -> Any:
        def effect(partial: bool) -> dict[str, Any]:
            answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}}
            for name, wanted in request.items():
                table, keys = self._own[name], wanted["Keys"]
                left = self._aws.some(keys, partial=partial)
                ids = [
                    key[table.key]["S"] for key, fails in zip(keys, left, strict=True) if not fails
                ]
                answer["Responses"][name] = [table.items[id_] for id_ in ids if id_ in table.items]
                if len(ids) < len(keys):
                    waiting = [key for key, fails in zip(keys, left, strict=True) if fails]
                    answer["UnprocessedKeys"][name] = {**wanted, "Keys": waiting}
            return answer

        return self._aws.call("dynamodb.batch_get_item", effect, BATCH)

    def get_item(self, **given: Any) -> Any:
        table = self._own[given["TableName"]]

        def effect(_partial: bool) -> dict[str, Any]:
            id_ = given["Key"][table.key]["S"]
            item = self._seen(table, id_, consistent=given.get("ConsistentRead", False))
            return {} if item is None else {"Item": item}

        return self._aws.call("dynamodb.get_item", effect)

    def update_item(self, **given: Any) -> Any:
        table = self._own[given["TableName"]]

        def effect(_partial: bool) -> dict[str, Any]:
            names = Names(given)
            id_ = given["Key"][table.key]["S"]
            old = table.items.get(id_)
            if "ConditionExpression" in given:
                holds = condition(given["ConditionExpression"])
                if not holds(old or {}, names):
                    raise client_error(
                        "ConditionalCheckFailedException",
                        "The conditional request failed",
                        kind=ConditionalCheckFailedException,
                    )
            new = update(given["UpdateExpression"])(old or dict(given["Key"]), names)
            names.check_all_used()
            if len(json.dumps(new)) > 400_000:
                raise client_error("ValidationException", "Item size has exceeded the maximum")
            table.before[id_] = self._world.now, old
            table.items[id_] = new
            self._world.note("row", table.name, id_, new.get("status", {}).get("S"))
            return {}

        return self._aws.call("dynamodb.update_item", effect, WHOLE | LATE)

    def query(self, **given: Any) -> Any:
        """Of the index alone, which is eventually consistent."""
        table = self._own[given["TableName"]]

        def effect(_partial: bool) -> dict[str, Any]:
            assert table.index
            _hash, range_ = table.index
            names = Names(given)
            chosen = condition(given["KeyConditionExpression"])
            keeps = condition(given["FilterExpression"]) if "FilterExpression" in given else None
            rows = []
            for id_ in table.items:
                item = self._seen(table, id_, consistent=False)
                if item is not None and range_ in item and chosen(item, names):
                    rows.append(item)
            rows.sort(key=lambda item: _place(item, range_, table.key))
            if start := given.get("ExclusiveStartKey"):
                begin = _place(start, range_, table.key)
                rows = [row for row in rows if _place(row, range_, table.key) > begin]
            page = rows[: given["Limit"]]
            answer: dict[str, Any] = {
                "Items": [_projected(row) for row in page if keeps is None or keeps(row, names)]
            }
            if page and len(page) == given["Limit"]:
                last = page[-1]
                answer["LastEvaluatedKey"] = {n: last[n] for n in (*table.index, table.key)}
            return answer

        return self._aws.call("dynamodb.query", effect)

    def _table(self, name: str) -> Table:
        table = self._tables.get(name)
        if table is None or table.gone:
            raise client_error("ResourceNotFoundException", name, kind=ResourceNotFoundException)
        return table

    def _seen(self, table: OwnTable, id_: str, *, consistent: bool) -> Item | None:
        """The item, or for an eventually consistent read what it was a moment ago."""
        changed_at, old = table.before.get(id_, (0.0, None))
        if not consistent and self._world.now < changed_at + STALE_S:
            return old if self._world.random.random() < 0.5 else table.items.get(id_)
        return table.items.get(id_)


def _place(item: Item, range_: str, key: str) -> tuple[str, str]:
    return item[range_]["S"], item[key]["S"]


def _projected(row: Item) -> Item:
    return {name: value for name, value in row.items() if name not in ("body", "payload", "trace")}


class Streams:
    """The client of dynamodbstreams."""

    exceptions: Final = SimpleNamespace(
        ResourceNotFoundException=ResourceNotFoundException,
        TrimmedDataAccessException=TrimmedDataAccessException,
    )

    def __init__(self, aws: Aws, streams: list[Stream]) -> None:
        self._aws = aws
        self._streams = {stream.arn: stream for stream in streams}

    def get_shard_iterator(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            stream, shard = self._shard(given["StreamArn"], given["ShardId"])
            at = trimmed = stream.trimmed(shard)
            if given["ShardIteratorType"] == "AT_SEQUENCE_NUMBER":
                numbers = [record.sequence_number for record in shard.records]
                at = numbers.index(given["SequenceNumber"])
                if at < trimmed:
                    raise client_error(
                        "TrimmedDataAccessException", "trimmed", kind=TrimmedDataAccessException
                    )
            return {"ShardIterator": f"{given['StreamArn']} {given['ShardId']} {at}"}

        return self._aws.call("dynamodbstreams.get_shard_iterator", effect)

    def get_records(self, **given: Any) -> Any:
        def effect(_partial: bool) -> dict[str, Any]:
            arn, shard_id, at = given["ShardIterator"].split()
            _, shard = self._shard(arn, shard_id)
            random = self._aws.calls.world.random
            end = int(at) + random.choice(
                (0, 1, 7, given["Limit"])
            )  # a page may be short, or empty
            answer: dict[str, Any] = {
                "Records": [_as_boto3(record.event()) for record in shard.records[int(at) : end]]
            }
            if not shard.closed or end < len(shard.records):
                answer["NextShardIterator"] = f"{arn} {shard_id} {min(end, len(shard.records))}"
            return answer

        return self._aws.call("dynamodbstreams.get_records", effect)

    def _shard(self, arn: str, shard_id: str) -> tuple[Stream, Shard]:
        if arn not in self._streams:
            raise client_error("ResourceNotFoundException", arn, kind=ResourceNotFoundException)
        return self._streams[arn], self._streams[arn].shard(shard_id)


def _as_boto3(event: dict[str, Any]) -> dict[str, Any]:
    """A record as GetRecords answers it: other names, other types than a Lambda event has."""
    body = event["dynamodb"]
    images = {n: as_bytes(body[n]) for n in ("Keys", "NewImage", "OldImage") if n in body}
    created = datetime.fromtimestamp(body["ApproximateCreationDateTime"], UTC)
    record = {
        name: value
        for name, value in event.items()
        if name not in ("eventSourceARN", "userIdentity", "dynamodb")
    }
    record["dynamodb"] = {**body, **images, "ApproximateCreationDateTime": created}
    if who := event.get("userIdentity"):
        record["userIdentity"] = {"Type": who["type"], "PrincipalId": who["principalId"]}
    return record
