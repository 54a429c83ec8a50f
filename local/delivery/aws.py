"""A stream and a function, reached through AWS clients, of a local emulator or of AWS itself."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.delivery.ports import (
    Answered,
    Clock,
    NotInvoked,
    Page,
    Result,
    ShardInfo,
    Unreachable,
)
from local.delivery.records import Record
from local.delivery.rules import payload

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import GetShardIteratorInputTypeDef
    from mypy_boto3_lambda import LambdaClient

PAGE_SIZE = 1000  # the most that GetRecords answers (PR)

log = logging.getLogger(__name__)


class EpochClock:
    """Seconds since the epoch; after its start it follows the monotonic clock."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now(self) -> float:
        return self._offset_s + time.monotonic()


class StreamReader:
    """Reads a table's stream from a mapping's starting position.

    The position applies to the shards that exist when reading begins. A shard that appears later
    is read from its start: LATEST would skip the records written before it was discovered.
    """

    def __init__(
        self,
        streams: "DynamoDBStreamsClient",
        stream_arn: str,
        starting_position: str,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._arn = stream_arn
        self._latest = starting_position == "LATEST"
        self._clock = clock
        self._begun = False
        self._iterators: dict[str, str] = {}
        self._last: dict[str, str] = {}  # the last sequence number read, by shard
        self._since: dict[str, int] = {}  # when LATEST was taken, by shard
        self._floor: dict[str, int] = {}  # older records are skipped, by shard

    def shards(self) -> Sequence[ShardInfo]:
        shards = []
        with as_unreachable(self._arn):
            for page in self._descriptions():
                shards += [
                    ShardInfo(shard["ShardId"], shard.get("ParentShardId"))
                    for shard in page["Shards"]
                ]
            if self._latest and not self._begun:
                for shard in shards:
                    self._since[shard.id] = int(self._clock.now())
                    self._iterators[shard.id] = self._iterator(shard.id, "LATEST")
        self._begun = True
        return shards

    def read(self, shard_id: str) -> Page:
        with as_unreachable(f"{self._arn} {shard_id}"):
            try:
                return self._read(shard_id)
            except self._streams.exceptions.ExpiredIteratorException:
                log.info("%s: iterator expired and is renewed", shard_id)
            except self._streams.exceptions.TrimmedDataAccessException:
                log.error("%s: records passed retention before they were read", shard_id)
                self._last.pop(shard_id, None)
            self._iterators.pop(shard_id, None)
            return self._read(shard_id)

    def _read(self, shard_id: str) -> Page:
        iterator = self._iterators.get(shard_id) or self._resume(shard_id)
        answer = self._streams.get_records(ShardIterator=iterator, Limit=PAGE_SIZE)
        records = [Record.from_stream(raw, self._arn) for raw in answer["Records"]]
        if records:
            self._last[shard_id] = records[-1].sequence_number
        following = answer.get("NextShardIterator")
        self._iterators[shard_id] = following or ""
        floor = self._floor.get(shard_id, 0)
        return Page([one for one in records if one.created_s >= floor], closed=not following)

    def _resume(self, shard_id: str) -> str:
        if last := self._last.get(shard_id):
            return self._iterator(shard_id, "AFTER_SEQUENCE_NUMBER", last)
        # LATEST would now skip newer records, so read from the start and skip the older ones.
        self._floor[shard_id] = self._since.get(shard_id, 0)
        return self._iterator(shard_id, "TRIM_HORIZON")

    def _iterator(self, shard_id: str, kind: Any, number: str | None = None) -> str:
        request: GetShardIteratorInputTypeDef = {
            "StreamArn": self._arn,
            "ShardId": shard_id,
            "ShardIteratorType": kind,
        }
        if number:
            request["SequenceNumber"] = number
        return self._streams.get_shard_iterator(**request)["ShardIterator"]

    def _descriptions(self) -> Iterator[Any]:
        request: Any = {"StreamArn": self._arn}
        while True:
            description = self._streams.describe_stream(**request)["StreamDescription"]
            yield description
            if not (last := description.get("LastEvaluatedShardId")):
                return
            request["ExclusiveStartShardId"] = last


class LambdaInvoker:
    """Invokes a deployed function and waits for its answer.

    *client* must make no retries, and must wait for longer than the function may run.
    """

    def __init__(self, client: "LambdaClient", function_arn: str) -> None:
        self._client = client
        self._function_arn = function_arn

    def invoke(self, records: Sequence[Record]) -> Result:
        try:
            answer = self._client.invoke(FunctionName=self._function_arn, Payload=payload(records))
            body = answer["Payload"].read()
        except (BotoCoreError, ClientError) as error:
            return NotInvoked(f"{self._function_arn}: {error}")
        return Answered(
            body=body,
            error=answer.get("FunctionError"),
            request_id=answer["ResponseMetadata"].get("RequestId"),
            status=answer["StatusCode"],
            version=answer.get("ExecutedVersion") or "$LATEST",
        )


@contextmanager
def as_unreachable(part: str) -> Iterator[None]:
    """Raise errors of AWS's clients as Unreachable, with *part* in the message."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unreachable(f"{part}: {error}") from error
