"""The delivery rules' ports on AWS clients, of a local emulator or of AWS itself."""

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.delivery.ports import (
    Answered,
    Clock,
    Destination,
    Discarded,
    NotInvoked,
    Page,
    Result,
    ShardInfo,
    Unreachable,
)
from local.delivery.records import Record, compact_json
from local.delivery.rules import payload
from local.delivery.settings import MappingSettings
from sync.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import GetShardIteratorInputTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

PAGE_SIZE = 1000  # the most that GetRecords answers (PR)

log = logging.getLogger(__name__)


class EpochClock:
    """Seconds since the epoch, counted by the monotonic clock from where it started."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now(self) -> float:
        return self._offset_s + time.monotonic()


class StreamReader:
    """Reads a table's stream from a mapping's starting position.

    The position holds for shards that exist when reading begins; one that appears later is read
    from its start, or LATEST would skip what was written before it was discovered.
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
        self._last: dict[str, str] = {}  # the sequence number that was read last, by shard
        self._since: dict[str, int] = {}  # when LATEST was taken, by shard
        self._floor: dict[str, int] = {}  # records from before are skipped, by shard

    def shards(self) -> Sequence[ShardInfo]:
        shards = []
        with _unreachable(self._arn):
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
        with _unreachable(f"{self._arn} {shard_id}"):
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
        # LATEST again would skip what came since: go back to the start, and skip up to then.
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
    """Invokes a deployed function and waits for what it returns.

    *client* must not retry by itself, and must wait longer than the function may run.
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


class Topic:
    """An SNS topic."""

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def send(self, discarded: Discarded) -> None:
        with _unreachable(self._arn):
            self._client.publish(TopicArn=self._arn, Message=_text(discarded.document))


class Queue:
    """An SQS queue."""

    def __init__(self, client: "SQSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def send(self, discarded: Discarded) -> None:
        *_, account, name = self._arn.split(":")
        with _unreachable(self._arn):
            url = self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
            self._client.send_message(
                QueueUrl=url["QueueUrl"], MessageBody=_text(discarded.document)
            )


class Bucket:
    """An S3 bucket, which alone gets the event too, as text in `payload` (ER)."""

    def __init__(self, client: "S3Client", arn: str, mapping_uuid: str, clock: Clock) -> None:
        self._client = client
        self._arn = arn
        self._uuid = mapping_uuid
        self._clock = clock

    def send(self, discarded: Discarded) -> None:
        shard_id = discarded.document["DDBStreamBatchInfo"]["shardId"]
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        event = payload(discarded.records).decode()
        with _unreachable(self._arn):
            self._client.put_object(
                Bucket=self._arn.rpartition(":")[2],
                Key=f"aws/lambda/{self._uuid}/{shard_id}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}",
                Body=compact_json({**discarded.document, "payload": event}),
            )


def destination(settings: MappingSettings, session: Any, clock: Clock) -> Destination | None:
    """The mapping's on-failure destination, if it has one.

    *session* makes clients as boto3.Session does. Raises ConfigError for a kind that AWS has not.
    """
    arn = settings.on_failure_arn
    if arn is None:
        return None
    match arn.split(":")[2:3]:
        case ["sns"]:
            return Topic(session.client("sns"), arn)
        case ["sqs"]:
            return Queue(session.client("sqs"), arn)
        case ["s3"]:
            return Bucket(session.client("s3"), arn, settings.uuid, clock)
    raise ConfigError(f"OnFailure: {arn!r} is no topic, queue or bucket")


def _text(document: dict[str, Any]) -> str:
    return compact_json(document).decode()


@contextmanager
def _unreachable(part: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Unreachable(f"{part}: {error}") from error
