"""What could not be written is handed on whole."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sync.errors import Refused
from sync.recovery.letters import DeadLetter, DeadLetters
from tests.doubles.account import client
from tests.doubles.clocks import ManualClock
from tests.doubles.in_process import mock_aws
from tests.records import core_keys, stream_record

BUCKET = "payloads"


class Aws:
    """An SNS topic with a queue behind it, and a bucket."""

    def __init__(self) -> None:
        self.sns, self.sqs, self.s3 = map(client, ("sns", "sqs", "s3"))
        self.topic = self.sns.create_topic(Name="dead-letters")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        self.sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:dead-letters",
            Attributes={"RawMessageDelivery": "true"},
        )
        self.s3.create_bucket(Bucket=BUCKET)
        self.clock = ManualClock(1_795_248_000.0)  # 2026-11-21T08:00:00Z

    def letters(self, topic: str | None = None, bucket: str = BUCKET) -> DeadLetters:
        clients = {"sns": self.sns, "s3": self.s3}
        return DeadLetters(topic or self.topic, bucket, clients.__getitem__, self.clock)

    def received(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            found += [json.loads(message["Body"]) for message in messages]
        return found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Aws()


def letter(n: int = 1, text: str = "x", **options: Any) -> DeadLetter:
    record = stream_record(core_keys("A", str(n)), {"name": {"S": text}}, number=n)
    return DeadLetter(record, Refused("no"), table="t", sink="memory", **options)


def test_a_letter_arrives_whole_with_error_and_trace(aws: Aws) -> None:
    """Everything a replay or a person needs is in the message."""
    sent = letter(keys=core_keys("A", "1"), target="things", document_id="A|1")
    assert list(aws.letters().publish([sent])) == []
    (message,) = aws.received()
    assert message["record"] == sent.raw
    assert {k: message[k] for k in ("schema", "kind", "table", "keys", "sink", "target")} == {
        "schema": 1,
        "kind": "quarantined",
        "table": "t",
        "keys": core_keys("A", "1"),
        "sink": "memory",
        "target": "things",
    }
    assert message["error"]["class"] == "Refused"
    assert message["error"]["trace"].endswith("Refused: no\n")


def test_a_letter_has_the_time_of_the_service_s_clock(aws: Aws) -> None:
    """Later letters open a row that was resolved: both times have to be of one clock."""
    aws.clock.now += 60
    assert list(aws.letters().publish([letter(text="é" * 300_000)])) == []
    (message,) = aws.received()
    assert message["at"] == "2026-11-21T08:01:00.000Z"
    key = message["payload"]["key"]
    assert key.startswith("letters/")
    assert key.endswith(f"/{message['id']}.json")


def test_a_large_record_goes_through_s3(aws: Aws) -> None:
    """An SNS message holds 256 KB, a record up to 800 KB."""
    sent = letter(text="é" * 300_000)
    assert list(aws.letters().publish([sent])) == []
    (message,) = aws.received()
    payload = message["payload"]
    body = aws.s3.get_object(Bucket=payload["bucket"], Key=payload["key"])["Body"].read()
    assert json.loads(body) == sent.raw
    assert len(body) == payload["bytes"]
    assert "record" not in message


def test_many_letters_take_few_requests(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten a request, as long as they fit its 256 KB."""
    sizes: list[int] = []
    publish = aws.sns.publish_batch

    def count(**call: Any) -> Any:
        sizes.append(len(call["PublishBatchRequestEntries"]))
        return publish(**call)

    monkeypatch.setattr(aws.sns, "publish_batch", count)
    sent = [letter(n) for n in range(25)] + [letter(n, "x" * 150_000) for n in range(25, 27)]
    assert list(aws.letters().publish(sent)) == []
    assert sizes == [10, 10, 6, 1]
    assert {m["id"] for m in aws.received()} == {one.id for one in sent}


def test_letters_that_cannot_be_published_are_given_back(aws: Aws) -> None:
    """Each with the reason, so that its record can come again."""
    sent = [letter(1), letter(2)]
    failed = list(aws.letters(topic=aws.topic + "-gone").publish(sent))
    assert [one for one, _ in failed] == sent
    assert "NotFound" in str(failed[0][1])


def test_a_large_letter_without_its_bucket_is_given_back_alone(aws: Aws) -> None:
    """The others are published."""
    small, large = letter(1), letter(2, "x" * 300_000)
    failed = list(aws.letters(bucket="gone").publish([large, small]))
    assert [one for one, _ in failed] == [large]
    assert [m["id"] for m in aws.received()] == [small.id]


def test_single_entries_sns_refuses_are_given_back(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PublishBatch answers 200 and names the failed ones."""
    answer = {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}
    monkeypatch.setattr(aws.sns, "publish_batch", lambda **call: answer)
    sent = [letter(1), letter(2)]
    ((failed, error),) = aws.letters().publish(sent)
    assert failed is sent[1]
    assert "InternalError" in str(error)


def test_the_id_is_the_same_for_every_delivery_of_a_record_to_a_sink() -> None:
    """So that a letter published twice can be told from two."""
    assert letter(1).id == letter(1).id
    assert len({letter(1).id, letter(2).id, letter(1, target="other").id}) == 3


@pytest.mark.parametrize("raw", ["text", 5, None, [], {"dynamodb": "\ud800"}])
def test_whatever_came_can_be_published(aws: Aws, raw: Any) -> None:
    """A malformed record has no shape to rely on."""
    assert list(aws.letters().publish([DeadLetter(raw, Refused("no"))])) == []
    assert aws.received()[0]["record"] == raw
