"""The sender's side of lanes: their messages, and what the queue does not take."""

import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.clients import client as aws_client
from sync.aws.keys import Source
from sync.errors import ConfigError, Misconfigured, Refused, Unavailable
from sync.lanes.messages import MAX_BYTES, Action, read
from sync.lanes.sender import TRIES, Sender
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.writing.lane import by_document
from sync.writing.op import Done, Op, Outcome
from tests.doubles.fifo import URL, Fifo
from tests.doubles.in_process import mock_aws
from tests.records import CORE, core_keys
from tests.settings import REQUIRED

WRITTEN = Done.WRITTEN


def patient() -> Deadline:
    return Deadline(60, sleep=lambda _: None)


def source(n: object = 1) -> Source:
    return Source(CORE, core_keys("THING", str(n)))


def put(id_: object, body: bytes | None = b"{}", *, version: int = 1, target: str = "c") -> Op:
    return Op("typesense", source(id_), target, str(id_), body, version)


def write(fifo: Fifo, *ops: Op, deadline: Deadline | None = None) -> list[Outcome]:
    sink = Sender("typesense", Typesense.lanes, URL, {"sqs": fifo}.__getitem__)
    outcomes = list(sink.write(ops, deadline or patient()))
    assert sorted(o.op.id for o in outcomes) == sorted(op.id for op in ops)
    return outcomes


def results(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {op.id: result if isinstance(result, Done) else type(result) for op, result in outcomes}


def actions(fifo: Fifo) -> list[Action]:
    return [action for message in fifo.waiting for action in read(message.body)]


def of_size(n: int, bytes_: int) -> Op:
    """A document of *bytes_* with as many quotes as documents have."""
    fields: dict[str, str] = {}
    while len(json.dumps(fields)) < bytes_ - 40:
        fields[f"field_{len(fields)}"] = "value of the field"
    text = json.dumps(fields)
    return put(f"{n}", (text[:-2] + "." * (bytes_ - len(text)) + text[-2:]).encode())


def test_a_message_says_all_of_an_action() -> None:
    """What it is, of which document, and which item says so; the document to the last digit."""
    fifo = Fifo()
    body = '{"n":0.12345678901234567890123456789012345678,"t":"ż\\u0000\ufffe"}'.encode()
    ops = put("é", body, version=7), put("2", None, version=8)
    assert set(results(write(fifo, *ops)).values()) == {WRITTEN}
    found = sorted(actions(fifo), key=lambda action: action.version)
    assert found == [
        Action("upsert", "c", "é", body, 7, source("é")),
        Action("delete", "c", "2", None, 8, source("2")),
    ]
    assert [action.op("typesense") for action in found] == list(ops)
    assert all(json.loads(message.body)["schema"] == 1 for message in fifo.waiting)
    assert all(message.body.isascii() for message in fifo.waiting)


@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_changes_of_2_kb_take_four_calls(seed: int) -> None:
    """However their ids fall into lanes."""
    fifo = Fifo()
    start = random.Random(seed).randrange(10**9)
    write(fifo, *(of_size(start + n, 2048) for n in range(100)))
    assert len(fifo.calls) <= 4
    assert len(actions(fifo)) == 100


def test_a_hundred_changes_of_one_lane_take_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst that ids can do."""
    fifo = Fifo()
    monkeypatch.setattr(Typesense, "lanes", replace(Typesense.lanes, of=by_document(1)))
    write(fifo, *(of_size(n, 2048) for n in range(100)))
    assert len(fifo.calls) <= 2
    assert len({message.group for message in fifo.waiting}) == 1


def test_a_document_has_one_of_32_lanes() -> None:
    """The same whatever happens to it, in whatever order and company, in this release and next."""
    groups: dict[str, set[str]] = defaultdict(set)
    for body in (b"{}", None, b'{"a":1}'):
        fifo = Fifo()
        write(fifo, *(put(n, body) for n in random.sample(range(500), 400)))
        for message in fifo.waiting:
            for action in read(message.body):
                groups[action.id].add(message.group)
    assert {len(lanes) for lanes in groups.values()} == {1}
    assert len(set().union(*groups.values())) == 32
    assert Typesense.lanes.of(put("1")) == "18"
    assert Typesense.lanes.of(put("1", target="d")) != Typesense.lanes.of(put("1"))


@given(st.lists(st.integers(1, 120_000), min_size=1, max_size=40))
def test_messages_and_calls_keep_to_their_limits(sizes: list[int]) -> None:
    """250 KB each, ten messages to a call, whatever the documents weigh; nothing is left out."""
    fifo = Fifo()
    ops = [put(n, b'{"a":"%b"}' % (b"x" * size)) for n, size in enumerate(sizes)]
    assert set(results(write(fifo, *ops)).values()) == {WRITTEN}
    for call in fifo.calls:
        assert sum(len(entry["MessageBody"]) for entry in call) <= MAX_BYTES
        assert len(call) <= 10
    assert sorted(a.id for a in actions(fifo)) == sorted(op.id for op in ops)
    assert {a.id: a.document for a in actions(fifo)} == {op.id: op.body for op in ops}


def test_a_document_too_large_for_a_message_is_left_to_its_item() -> None:
    """Its action carries keys alone, and goes down the same lane."""
    fifo = Fifo()
    large = put("large", b'{"a":"%b"}' % (b"x" * 300_000), version=9)
    write(fifo, put("small"), large)
    (action,) = [action for action in actions(fifo) if action.id == "large"]
    assert action == Action("upsert", "c", "large", None, 9, source("large"))
    assert action.reads_item
    assert not Action.of(put("1", None)).reads_item


def test_a_document_at_the_limit_is_carried_whole() -> None:
    """One byte more is not."""
    fifo = Fifo()
    room = 250_000 - len('{"schema":1,"actions":[]}') - len(Action.of(put("1")).text())
    write(fifo, put("1", b'{"%b"}' % (b"x" * (room - 4))), deadline=patient())
    assert [len(message.body) for message in fifo.waiting] == [250_000]
    assert [action.reads_item for action in actions(fifo)] == [False]
    fifo = Fifo()
    write(fifo, put("1", b'{"%b"}' % (b"x" * (room - 3))))
    assert [action.reads_item for action in actions(fifo)] == [True]


def test_a_send_that_is_repeated_is_delivered_once() -> None:
    """The answer is lost after the queue took the messages: the same ids make it drop them."""
    fifo = Fifo()

    def lost_once(moment: str, entries: list[dict[str, Any]]) -> Sequence[str]:
        if moment == "after" and len(fifo.calls) == 1:
            raise EndpointConnectionError(endpoint_url="q")
        return ()

    fifo.trouble = lost_once
    assert results(write(fifo, put("1"))) == {"1": WRITTEN}
    assert len(fifo.calls) == 2
    assert [action.id for action in actions(fifo)] == ["1"]


def test_an_equal_state_sent_later_is_delivered_again() -> None:
    """A, B, A within five minutes: SQS would drop the second A by an id made of the content."""
    fifo = Fifo()
    for body in (b'{"a":1}', b'{"a":2}', b'{"a":1}'):
        write(fifo, put("1", body))
    assert [a.document for a in actions(fifo)] == [b'{"a":1}', b'{"a":2}', b'{"a":1}']


def test_messages_that_failed_are_sent_again_alone() -> None:
    """SQS takes and refuses each entry of a call by itself."""
    fifo = Fifo()
    ops = [put(n) for n in range(40)]
    first = iter([["0", "2"]])
    fifo.trouble = lambda moment, _: next(first, []) if moment == "before" else ()
    assert set(results(write(fifo, *ops)).values()) == {WRITTEN}
    assert sorted(a.id for a in actions(fifo)) == sorted(op.id for op in ops)
    assert len(fifo.calls[1]) == 2


def test_what_the_queue_never_takes_is_handed_back_by_message() -> None:
    """Each op of a failed message is a retry, and those of the others are written."""
    fifo = Fifo()
    fifo.trouble = lambda moment, entries: (
        [e["Id"] for e in entries if e["MessageGroupId"] == Typesense.lanes.of(put("1"))]
        if moment == "before"
        else ()
    )
    found = results(write(fifo, *(put(n) for n in range(40))))
    lane = Typesense.lanes.of(put("1"))
    assert {id_: result is Unavailable for id_, result in found.items()} == {
        str(n): Typesense.lanes.of(put(n)) == lane for n in range(40)
    }
    tries = [call for call in fifo.calls if any(e["MessageGroupId"] == lane for e in call)]
    assert [len(call) for call in tries[1:]] == [1] * (TRIES - 1)


def refusing(code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item] # as much as is read
        "SendMessageBatch",
    )


def test_a_missing_queue_is_told_at_once() -> None:
    """Trying again helps against outages, not against settings."""
    fifo = Fifo()

    def missing(moment: str, entries: list[dict[str, Any]]) -> Sequence[str]:
        raise refusing("AWS.SimpleQueueService.NonExistentQueue")

    fifo.trouble = missing
    ((_, error),) = write(fifo, put("1"))
    assert isinstance(error, Misconfigured)
    assert str(error).startswith("sending to the queue of typesense: An error occurred (AWS.")
    assert len(fifo.calls) == 1


def test_an_answer_that_leaves_a_message_out_is_no_success() -> None:
    """Neither taken nor refused: it is sent again, and then handed back."""

    class Forgetful(Fifo):
        def send_message_batch(self, **call: Any) -> Any:
            super().send_message_batch(**call)
            return {}

    assert results(write(Forgetful(), put("1"))) == {"1": Unavailable}


def test_no_time_left_sends_nothing() -> None:
    """What is not sent is parked, while there is time for that."""
    fifo = Fifo()
    assert results(write(fifo, put("1"), deadline=Deadline(0))) == {"1": Unavailable}
    assert not fifo.calls


def test_a_body_that_is_no_text_is_refused_alone() -> None:
    """It would have no place in a message; its letter shows the byte at fault."""
    found = {op.id: result for op, result in write(Fifo(), put("1", b'{"a":"\xff"}'), put("2"))}
    assert found["2"] is WRITTEN
    refused = found["1"]
    assert isinstance(refused, Refused)
    assert str(refused) == "the body is not UTF-8"
    assert isinstance(refused.__cause__, UnicodeDecodeError)


def test_sqs_takes_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """By boto3's model of the call, and in the order of each lane."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sqs = boto3.client("sqs", "us-east-1")
        made = sqs.create_queue(QueueName="typesense.fifo", Attributes={"FifoQueue": "true"})
        clients: Any = {"sqs": sqs}.__getitem__
        sink = Sender("typesense", Typesense.lanes, made["QueueUrl"], clients)
        for state in (b'{"a":1}', None, b'{"a":1}'):
            assert results(list(sink.write([put("1", state)], patient()))) == {"1": WRITTEN}
        taken = sqs.receive_message(QueueUrl=made["QueueUrl"], MaxNumberOfMessages=10)["Messages"]
    found = [action.document for message in taken for action in read(message["Body"])]
    assert found == [b'{"a":1}', None, b'{"a":1}']


@pytest.mark.parametrize("name", ["TYPESENSE_QUEUE_URL", "TYPESENSE_DEAD_LETTER_QUEUE_URL"])
@pytest.mark.parametrize("url", ["queue.fifo", "https://sqs/1/typesense"])
def test_both_queues_have_to_be_fifo_queues(name: str, url: str) -> None:
    """A standard one would lose the order of a document's writes; the error names the setting."""
    with pytest.raises(ConfigError) as told:
        Sender.from_settings("typesense", Typesense.lanes, {**REQUIRED, name: url}, aws_client)
    assert str(told.value) == f"{name} must be the URL of an SQS FIFO queue, not {url!r}"


def test_a_sender_has_the_queues_that_its_lanes_name() -> None:
    """It sends to the first; what no worker handles ends in the second."""
    fifo = Fifo()
    clients = {"sqs": fifo}.__getitem__
    made = Sender.from_settings("typesense", Typesense.lanes, REQUIRED, clients)
    assert made.sink == "typesense"
    assert made.queue_url == REQUIRED["TYPESENSE_QUEUE_URL"]
    assert made.dead_letter_queue_url == REQUIRED["TYPESENSE_DEAD_LETTER_QUEUE_URL"]
    assert results(list(made.write([put("1")], patient()))) == {"1": WRITTEN}
    assert [message.group for message in fifo.waiting] == [Typesense.lanes.of(put("1"))]


def test_the_stream_never_imports_the_typesense_client() -> None:
    """It takes 0.17 s, and only the worker and commands speak to Typesense."""
    code = f"""
import sys
from sync.runtime.deadline import Deadline
from sync.writing.op import Op
from sync.aws.keys import Source
from sync.lanes.sender import Sender
from sync.sinks.typesense import Typesense

class Sqs:
    def send_message_batch(self, **call):
        return {{"Successful": [{{"Id": e["Id"]}} for e in call["Entries"]]}}

Typesense.from_env({REQUIRED!r})
sink = Sender("typesense", Typesense.lanes, {URL!r}, lambda name: Sqs())
ops = [Op("typesense", Source("t", {{}}), "c", "1", b"{{}}", 1)]
print([o.result.value for o in sink.write(ops, Deadline(9))])
print({{"typesense", "httpx", "anyio"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["['written']", "set()", ""]
