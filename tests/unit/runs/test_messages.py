"""The messages of runs, and what SQS is asked to do with them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.errors import RecordError, Unavailable
from sync.runs.messages import RunMessage, RunQueue
from tests.unit.runs.harness import Line

WRONG = "TypeError('the run is no text, or segment or hop no whole number')"


class Sqs:
    """Notes what it is asked; answers *answers*, one after another, and then {}."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = list(answers)

    def send_message_batch(self, **request: Any) -> Any:
        self.asked.append(request)
        answer = self._answers.pop(0) if self._answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer


def queue(sqs: Sqs) -> RunQueue:
    def clients(service: str) -> Any:
        assert service == "sqs"
        return sqs

    return RunQueue("https://sqs/runs", clients)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no JSON", "JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"),
        ("[]", "TypeError('list indices must be integers or slices, not str')"),
        ("{}", "KeyError('schema')"),
        ('{"schema":1,"run":"a","segment":0}', "KeyError('hop')"),
        ('{"schema":1,"run":5,"segment":0,"hop":0}', WRONG),
        ('{"schema":1,"run":"a","segment":"0","hop":0}', WRONG),
        ('{"schema":1,"run":"a","segment":0,"hop":0.5}', WRONG),
        ('{"schema":1,"run":"a","segment":true,"hop":0}', WRONG),
    ],
)
def test_a_message_that_cannot_be_read_comes_again(line: Line, body: str, why: str) -> None:
    """And goes to the dead-letter queue in the end, which the queue's redrive does."""
    line.send([{"MessageBody": body, "DelaySeconds": 0}])
    assert not line.deliver(line.messages[0])
    with pytest.raises(RecordError) as caught:
        RunMessage.read(body)
    assert str(caught.value) == f"not a message of a run: {why}"


def test_a_message_of_a_newer_release_comes_again(line: Line) -> None:
    """Until that release is deployed again."""
    body = '{"schema":2,"run":"a","segment":0,"hop":0}'
    line.send([{"MessageBody": body, "DelaySeconds": 0}])
    assert not line.deliver(line.messages[0])
    with pytest.raises(RecordError) as caught:
        RunMessage.read(body)
    assert str(caught.value) == "a message of schema 2; this is 1"


def test_a_message_that_is_nested_too_deep_is_malformed() -> None:
    """As any other that can't be read."""
    with pytest.raises(RecordError, match=r"^not a message of a run: RecursionError"):
        RunMessage.read("[" * 100_000)


def test_a_message_of_a_run_that_is_not_there_is_done_with(line: Line) -> None:
    """Its rows have expired."""
    line.send([{"MessageBody": RunMessage("x", 0, 0).body(), "DelaySeconds": 0}])
    id_ = line.start(segments=1)
    line.send([{"MessageBody": RunMessage(id_, 1, 0).body(), "DelaySeconds": 0}])
    assert [line.deliver(each) for each in list(line.messages)] == [True] * 3


def test_a_message_is_read_as_it_was_written() -> None:
    """Golden, too: other releases read it."""
    message = RunMessage("a", 7, 12)
    assert message.body() == '{"schema":1,"run":"a","segment":7,"hop":12}'
    assert RunMessage.read(message.body()) == message


@pytest.mark.parametrize(("delay_s", "asked"), [(0.0, 0), (0.1, 1), (40.0, 40), (1_000.0, 900)])
def test_messages_are_sent_ten_at_once(delay_s: float, asked: int) -> None:
    """Each once, and with the delay in whole seconds, of which SQS takes 900."""
    sqs = Sqs()
    messages = [RunMessage("a", number, 3) for number in range(23)]
    queue(sqs).send(messages, delay_s)
    entries = [request["Entries"] for request in sqs.asked]
    assert [len(batch) for batch in entries] == [10, 10, 3]
    assert {request["QueueUrl"] for request in sqs.asked} == {"https://sqs/runs"}
    assert [entry["Id"] for entry in entries[1]] == [f"{n}" for n in range(10)]
    assert [RunMessage.read(entry["MessageBody"]) for batch in entries for entry in batch] == (
        messages
    )
    assert {entry["DelaySeconds"] for batch in entries for entry in batch} == {asked}
    assert {name for batch in entries for entry in batch for name in entry} == {
        *("Id", "MessageBody", "DelaySeconds")
    }


def test_messages_are_sent_at_once_unless_a_delay_is_given() -> None:
    """That is what a start does."""
    sqs = Sqs()
    queue(sqs).send([RunMessage("a", 0, 0)])
    assert json.dumps(sqs.asked).count('"DelaySeconds": 0') == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"Failed": [{"Code": "InternalError", "Message": "one"}]}, "InternalError: one"),
        ({"Failed": [{"Code": "InternalError"}]}, "InternalError: "),
        (
            ClientError(
                {
                    "Error": {"Code": "Oops", "Message": "two"},
                    "ResponseMetadata": {"HTTPStatusCode": 503},  # type: ignore[typeddict-item]
                },
                "SendMessageBatch",
            ),
            "An error occurred (Oops) when calling the SendMessageBatch operation: two",
        ),
    ],
)
def test_messages_that_sqs_does_not_take_are_said(answer: Any, error: str) -> None:
    """With its reason; also those of a later batch."""
    sqs = Sqs({}, answer)
    with pytest.raises(Unavailable) as caught:
        queue(sqs).send([RunMessage("a", number, 0) for number in range(11)])
    assert str(caught.value) == f"sending messages of a run: {error}"


def test_a_start_whose_messages_are_not_sent_fails(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is revived later."""
    failed = {"Failed": [{"Id": "0", "Code": "InternalError", "Message": "one"}]}
    monkeypatch.setattr(line, "send", lambda _entries: failed)
    with pytest.raises(Unavailable, match="sending messages of a run: InternalError: one"):
        line.start()
