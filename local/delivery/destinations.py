"""The kinds of on-failure destinations that a stream's mapping can have."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.delivery.aws import as_unreachable
from local.delivery.ports import Clock, Destination, Discarded
from local.delivery.records import compact_json
from local.delivery.rules import payload
from local.delivery.settings import MappingSettings
from sync.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


class Topic:
    """An SNS topic."""

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def send(self, discarded: Discarded) -> None:
        with as_unreachable(self._arn):
            self._client.publish(TopicArn=self._arn, Message=_text(discarded.document))


class Queue:
    """An SQS queue."""

    def __init__(self, client: "SQSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def send(self, discarded: Discarded) -> None:
        *_, account, name = self._arn.split(":")
        with as_unreachable(self._arn):
            url = self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
            self._client.send_message(
                QueueUrl=url["QueueUrl"], MessageBody=_text(discarded.document)
            )


class Bucket:
    """An S3 bucket. Unlike the others it also gets the event, as text in `payload` (ER)."""

    def __init__(self, client: "S3Client", arn: str, mapping_uuid: str, clock: Clock) -> None:
        self._client = client
        self._arn = arn
        self._uuid = mapping_uuid
        self._clock = clock

    def send(self, discarded: Discarded) -> None:
        shard_id = discarded.document["DDBStreamBatchInfo"]["shardId"]
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        event = payload(discarded.records).decode()
        with as_unreachable(self._arn):
            self._client.put_object(
                Bucket=self._arn.rpartition(":")[2],
                Key=f"aws/lambda/{self._uuid}/{shard_id}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}",
                Body=compact_json({**discarded.document, "payload": event}),
            )


def destination(settings: MappingSettings, session: Any, clock: Clock) -> Destination | None:
    """The mapping's on-failure destination; None if it has none.

    *session* makes clients as boto3.Session does. Raises ConfigError for an unknown kind.
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
