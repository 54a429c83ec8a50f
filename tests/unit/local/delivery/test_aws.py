"""The ports on AWS clients: requests as botocore would send them, answers as AWS would give."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from local.delivery.aws import LambdaInvoker, StreamReader
from local.delivery.destinations import destination
from local.delivery.ports import Answered, Discarded, NotInvoked, ShardInfo, Unreachable
from local.delivery.rules import payload
from local.delivery.takeover import take_over
from sync.errors import ConfigError
from tests.records import core_keys
from tests.unit.local.delivery.lanes import FUNCTION, NOW, STREAM, mapping, record, records

SHARD = "shardId-00000000000000000001"
ITERATOR = {"StreamArn": STREAM, "ShardId": SHARD}


class Still:
    """A clock that stands still."""

    def now(self) -> float:
        return NOW + 0.5


class Stubbed:
    """Clients whose every call is scripted; any other call fails."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[Any, Stubber]] = {}

    def client(self, service: str, **_: Any) -> Any:
        return self._of(service)[0]

    def script(self, service: str) -> Stubber:
        return self._of(service)[1]

    def _of(self, service: str) -> tuple[Any, Stubber]:
        if service not in self._clients:
            client = boto3.client(  # type: ignore[call-overload] # any service
                service,
                region_name="us-east-1",
                aws_access_key_id="none",
                aws_secret_access_key="none",  # noqa: S106 - nothing is signed
            )
            stubber = Stubber(client)
            stubber.activate()
            self._clients[service] = client, stubber
        return self._clients[service]

    def assert_done(self) -> None:
        for _, stubber in self._clients.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def aws() -> Iterator[Stubbed]:
    stubbed = Stubbed()
    yield stubbed
    stubbed.assert_done()


def described(*shards: dict[str, str], last: str | None = None) -> dict[str, Any]:
    page: dict[str, Any] = {"Shards": list(shards)}
    return {"StreamDescription": page | ({"LastEvaluatedShardId": last} if last else {})}


def raw(number: int, created_s: int = NOW) -> dict[str, Any]:
    return {
        "dynamodb": {
            "ApproximateCreationDateTime": datetime.fromtimestamp(created_s, UTC),
            "Keys": core_keys("P", "a"),
            "SequenceNumber": f"{number:021d}",
        }
    }


def reader(aws: Stubbed, position: str = "TRIM_HORIZON") -> StreamReader:
    return StreamReader(aws.client("dynamodbstreams"), STREAM, position, Still())


def seen(page: Any) -> list[int]:
    return [int(one.sequence_number) for one in page.records]


def test_shards_are_listed_page_by_page(aws: Stubbed) -> None:
    """A stream may have more shards than one answer holds."""
    script = aws.script("dynamodbstreams")
    script.add_response(
        "describe_stream", described({"ShardId": SHARD}, last=SHARD), {"StreamArn": STREAM}
    )
    child = {"ShardId": "shardId-00000000000000000002", "ParentShardId": SHARD}
    script.add_response(
        "describe_stream",
        described(child),
        {"StreamArn": STREAM, "ExclusiveStartShardId": SHARD},
    )
    assert reader(aws).shards() == [
        ShardInfo(SHARD),
        ShardInfo("shardId-00000000000000000002", SHARD),
    ]


def test_reading_follows_the_iterators(aws: Stubbed) -> None:
    """From the trim horizon, a thousand at a time, until there is no next iterator."""
    script = aws.script("dynamodbstreams")
    script.add_response(
        "get_shard_iterator",
        {"ShardIterator": "one"},
        {**ITERATOR, "ShardIteratorType": "TRIM_HORIZON"},
    )
    script.add_response(
        "get_records",
        {"Records": [raw(1), raw(2)], "NextShardIterator": "two"},
        {"ShardIterator": "one", "Limit": 1000},
    )
    script.add_response(
        "get_records", {"Records": [raw(3)]}, {"ShardIterator": "two", "Limit": 1000}
    )
    one = reader(aws)
    first, second = one.read(SHARD), one.read(SHARD)
    assert (seen(first), first.closed) == ([1, 2], False)
    assert (seen(second), second.closed) == ([3], True)


def test_an_expired_iterator_is_renewed_after_the_last_record(aws: Stubbed) -> None:
    """Reading goes on where it was, without a gap or a repeat."""
    script = aws.script("dynamodbstreams")
    script.add_response("get_shard_iterator", {"ShardIterator": "one"})
    script.add_response("get_records", {"Records": [raw(1)], "NextShardIterator": "two"})
    script.add_client_error("get_records", "ExpiredIteratorException")
    script.add_response(
        "get_shard_iterator",
        {"ShardIterator": "three"},
        {
            **ITERATOR,
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "SequenceNumber": f"{1:021d}",
        },
    )
    script.add_response(
        "get_records",
        {"Records": [raw(2)], "NextShardIterator": "four"},
        {"ShardIterator": "three", "Limit": 1000},
    )
    one = reader(aws)
    assert [seen(one.read(SHARD)), seen(one.read(SHARD))] == [[1], [2]]


def test_latest_is_taken_when_reading_begins(aws: Stubbed) -> None:
    """Not when the first record is asked for, and not for shards that appear later."""
    script = aws.script("dynamodbstreams")
    script.add_response("describe_stream", described({"ShardId": SHARD}))
    script.add_response(
        "get_shard_iterator", {"ShardIterator": "l"}, {**ITERATOR, "ShardIteratorType": "LATEST"}
    )
    late = "shardId-00000000000000000002"
    script.add_response("describe_stream", described({"ShardId": SHARD}, {"ShardId": late}))
    script.add_response(
        "get_shard_iterator",
        {"ShardIterator": "h"},
        {"StreamArn": STREAM, "ShardId": late, "ShardIteratorType": "TRIM_HORIZON"},
    )
    script.add_response(
        "get_records",
        {"Records": [raw(1)], "NextShardIterator": "n"},
        {"ShardIterator": "h", "Limit": 1000},
    )
    one = reader(aws, "LATEST")
    one.shards()
    one.shards()
    assert seen(one.read(late)) == [1]


def test_latest_loses_nothing_when_it_expires_unread(aws: Stubbed) -> None:
    """Renewed, it reaches back to when it was first taken, and no further."""
    script = aws.script("dynamodbstreams")
    script.add_response("describe_stream", described({"ShardId": SHARD}))
    script.add_response("get_shard_iterator", {"ShardIterator": "l"})
    script.add_client_error("get_records", "ExpiredIteratorException")
    script.add_response(
        "get_shard_iterator",
        {"ShardIterator": "h"},
        {**ITERATOR, "ShardIteratorType": "TRIM_HORIZON"},
    )
    script.add_response(
        "get_records",
        {"Records": [raw(1, NOW - 1), raw(2, NOW), raw(3, NOW + 9)], "NextShardIterator": "n"},
    )
    one = reader(aws, "LATEST")
    one.shards()
    assert seen(one.read(SHARD)) == [2, 3]


def test_trimmed_records_are_said_to_be_lost(
    aws: Stubbed, caplog: pytest.LogCaptureFixture
) -> None:
    """A reader that was away for a day goes on with what there is, and says so."""
    script = aws.script("dynamodbstreams")
    script.add_response("get_shard_iterator", {"ShardIterator": "one"})
    script.add_response("get_records", {"Records": [raw(1)], "NextShardIterator": "two"})
    script.add_client_error("get_records", "TrimmedDataAccessException")
    script.add_response(
        "get_shard_iterator",
        {"ShardIterator": "h"},
        {**ITERATOR, "ShardIteratorType": "TRIM_HORIZON"},
    )
    script.add_response("get_records", {"Records": [raw(7)], "NextShardIterator": "n"})
    one = reader(aws)
    assert [seen(one.read(SHARD)), seen(one.read(SHARD))] == [[1], [7]]
    assert "passed retention" in caplog.text


def test_an_error_of_the_stream_names_it(aws: Stubbed) -> None:
    """What the driver logs says which shard of which stream, and why."""
    aws.script("dynamodbstreams").add_client_error("get_shard_iterator", "InternalServerError")
    with pytest.raises(Unreachable, match=f"{SHARD}.*InternalServerError"):
        reader(aws).read(SHARD)


def test_the_function_gets_the_event_and_its_answer_is_taken(aws: Stubbed) -> None:
    """Synchronously, with Lambda's event as the payload."""
    batch = records(1, 2)
    aws.script("lambda").add_response(
        "invoke",
        {
            "StatusCode": 200,
            "FunctionError": "Unhandled",
            "ExecutedVersion": "7",
            "Payload": StreamingBody(io.BytesIO(b'{"x":1}'), 7),
            "ResponseMetadata": {"RequestId": "r"},
        },
        {"FunctionName": FUNCTION, "Payload": payload(batch)},
    )
    answer = LambdaInvoker(aws.client("lambda"), FUNCTION).invoke(batch)
    assert answer == Answered(b'{"x":1}', "Unhandled", "r", 200, "7")


def test_a_throttled_function_was_not_invoked(aws: Stubbed) -> None:
    """A refusal by the service is not the function's failure."""
    aws.script("lambda").add_client_error("invoke", "TooManyRequestsException")
    answer = LambdaInvoker(aws.client("lambda"), FUNCTION).invoke([record(1)])
    assert isinstance(answer, NotInvoked)
    assert "TooManyRequests" in answer.reason


def test_a_refused_connection_is_no_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that is down is waited for."""

    class Down:
        def invoke(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    answer = LambdaInvoker(Down(), FUNCTION).invoke([record(1)])  # type: ignore[arg-type]
    assert isinstance(answer, NotInvoked)


DISCARDED = Discarded([record(1)], {"DDBStreamBatchInfo": {"shardId": SHARD}})
TEXT = '{"DDBStreamBatchInfo":{"shardId":"' + SHARD + '"}}'


def test_a_topic_gets_the_document(aws: Stubbed) -> None:
    """Metadata only (ER)."""
    arn = "arn:aws:sns:us-east-1:123456789012:topic"
    aws.script("sns").add_response(
        "publish", {"MessageId": "m"}, {"TopicArn": arn, "Message": TEXT}
    )
    to = destination(mapping(on_failure_arn=arn), aws, Still())
    assert to
    to.send(DISCARDED)


def test_a_queue_gets_the_document(aws: Stubbed) -> None:
    """Metadata only (ER)."""
    script = aws.script("sqs")
    script.add_response(
        "get_queue_url",
        {"QueueUrl": "http://queue"},
        {"QueueName": "queue", "QueueOwnerAWSAccountId": "123456789012"},
    )
    script.add_response(
        "send_message", {"MessageId": "m"}, {"QueueUrl": "http://queue", "MessageBody": TEXT}
    )
    arn = "arn:aws:sqs:us-east-1:123456789012:queue"
    to = destination(mapping(on_failure_arn=arn), aws, Still())
    assert to
    to.send(DISCARDED)


def test_a_bucket_gets_the_event_too(aws: Stubbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the key that Lambda gives it, with the whole event as text (ER)."""
    put: dict[str, Any] = {}
    client = aws.client("s3")
    aws.script("s3").add_response("put_object", {}, {"Bucket": ANY, "Key": ANY, "Body": ANY})
    client.meta.events.register(
        "before-parameter-build.s3.PutObject", lambda params, **_: put.update(params)
    )
    to = destination(mapping(on_failure_arn="arn:aws:s3:::bucket", uuid="u"), aws, Still())
    assert to
    to.send(DISCARDED)
    assert put["Bucket"] == "bucket"
    assert put["Key"].startswith(f"aws/lambda/u/{SHARD}/2027/01/15/2027-01-15T08.00.00-")
    body = json.loads(put["Body"])
    assert json.loads(body.pop("payload")) == {"Records": [record(1).event()]}
    assert body == DISCARDED.document


def test_an_error_of_the_destination_names_it(aws: Stubbed) -> None:
    """A missing permission shows in the log with the topic's name."""
    arn = "arn:aws:sns:us-east-1:123456789012:topic"
    aws.script("sns").add_client_error("publish", "AuthorizationError")
    to = destination(mapping(on_failure_arn=arn), aws, Still())
    assert to
    with pytest.raises(Unreachable, match=f"{arn}.*AuthorizationError"):
        to.send(DISCARDED)


def test_an_unheard_of_destination_is_refused(aws: Stubbed) -> None:
    """AWS sends to topics, queues and buckets."""
    with pytest.raises(ConfigError, match="OnFailure"):
        destination(mapping(on_failure_arn="arn:aws:events:x:y:bus"), aws, Still())


UUID = "5f2d3a3e-0000-4000-8000-000000000001"
ANSWER = {
    "UUID": UUID,
    "EventSourceArn": STREAM,
    "FunctionArn": FUNCTION,
    "StartingPosition": "LATEST",
    "BatchSize": 5,
}


def test_taking_over_switches_the_stream_mappings_off(aws: Stubbed) -> None:
    """Each stream mapping gets a driver and is disabled; queues keep their own poller."""
    queue = {**ANSWER, "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:queue"}
    script = aws.script("lambda")
    script.add_response(
        "list_event_source_mappings",
        {"EventSourceMappings": [queue, ANSWER]},
        {"FunctionName": "f"},
    )
    script.add_response(
        "update_event_source_mapping", {"UUID": UUID}, {"UUID": UUID, "Enabled": False}
    )
    assert len(take_over("f", aws)) == 1


def test_a_mapping_that_is_not_understood_is_left_as_it_is(aws: Stubbed) -> None:
    """Nothing is disabled before every mapping is read."""
    odd = {**ANSWER, "TumblingWindowInSeconds": 30}
    aws.script("lambda").add_response(
        "list_event_source_mappings", {"EventSourceMappings": [ANSWER, odd]}
    )
    with pytest.raises(ConfigError, match="TumblingWindowInSeconds"):
        take_over("f", aws)


def test_a_function_without_a_stream_is_named(aws: Stubbed) -> None:
    """Most likely a typo, or a deploy that went wrong."""
    aws.script("lambda").add_response("list_event_source_mappings", {"EventSourceMappings": []})
    with pytest.raises(ConfigError, match="nosuch"):
        take_over("nosuch", aws)
