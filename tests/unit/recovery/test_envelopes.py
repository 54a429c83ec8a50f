"""What a dead letter says of its record, in its message and in the log."""

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from sync.aws.keys import Source
from sync.errors import InvalidImage, Refused, Throttled, Unavailable
from sync.recovery.letters import DeadLetter, DeadLetters, digest, row_id
from sync.recovery.state import state_of
from sync.writing.metrics import Metrics
from sync.writing.op import Op
from tests.doubles.clocks import ManualClock
from tests.records import CORE, core_keys, stream_record

KEYS = core_keys("THING", "1")
OP = Op("memory", Source(CORE, KEYS), "things", "THING|1", b"{}", 7)
NOW_S = 1_795_248_000.0  # 2026-11-21T08:00:00Z


class Aws:
    """SNS and S3; SNS answers *failed* for these entries, and does not answer the first calls that
    are *lost*."""

    def __init__(self, *failed: dict[str, str], lost: int = 0) -> None:
        self.failed = failed
        self.lost = lost
        self.sent: list[dict[str, Any]] = []
        self.objects: list[dict[str, Any]] = []

    def __call__(self, _service: str) -> "Aws":
        return self

    def publish_batch(self, **call: Any) -> Any:
        assert call["TopicArn"] == "topic"
        if self.lost:
            self.lost -= 1
            raise EndpointConnectionError(endpoint_url="https://sns")
        self.sent += call["PublishBatchRequestEntries"]
        return {"Failed": self.failed} if self.failed else {}

    def put_object(self, **call: Any) -> None:
        self.objects.append(call)

    @property
    def messages(self) -> list[Any]:
        return [json.loads(entry["Message"]) for entry in self.sent]


def letters(aws: Aws, metrics: Metrics | None = None) -> DeadLetters:
    return DeadLetters("topic", "bucket", aws, ManualClock(NOW_S), metrics=metrics)


def failed(error: Exception) -> Exception:
    """*error* as it is once it was raised, with a trace."""
    try:
        raise error
    except Exception as raised:
        return raised


def test_a_message_says_all_that_a_person_and_a_replay_need() -> None:
    """The letter of an op: its item, its document, its version, and what refused it."""
    record = stream_record(KEYS, {"name": {"S": "x"}}, number=9)
    aws = Aws()
    letter = DeadLetter.of_op(record, failed(Refused("mapping conflict")), OP)
    assert list(letters(aws).publish([letter])) == []
    (message,) = aws.messages
    trace = message["error"].pop("trace")
    assert message == {
        "schema": 1,
        "kind": "quarantined",
        "id": digest("event-9", "memory", "things", "THING|1", "7"),
        "at": "2026-11-21T08:00:00.000Z",
        "table": CORE,
        "keys": KEYS,
        "sink": "memory",
        "target": "things",
        "document_id": "THING|1",
        "version": 7,
        "state": state_of({**KEYS, "name": {"S": "x"}}),
        "error": {"class": "Refused", "message": "mapping conflict"},
        "record": record,
    }
    first, place, *_, last = trace.splitlines()
    assert first == "Traceback (most recent call last):"
    assert place.startswith('  File "')
    assert last == "sync.errors.Refused: mapping conflict"


def test_the_line_of_a_letter_is_its_message_without_the_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No document is in the log."""
    letter = DeadLetter.of_op(stream_record(KEYS, {"name": {"S": "sesame"}}), Refused("no"), OP)
    list(letters(Aws()).publish([letter]))
    (line,) = caplog.records
    assert (line.levelno, line.message) == (logging.ERROR, "quarantined")
    said = {name: vars(line)[name] for name in letter.envelope(NOW_S)}
    assert said == letter.envelope(NOW_S)
    assert "sesame" not in str(vars(line))


def test_a_long_error_is_cut_where_it_says_least() -> None:
    """The beginning of its message is kept, and the end of its trace."""
    error = failed(Refused("first " + "x" * 20_000 + " last"))
    envelope = DeadLetter({}, error).envelope(NOW_S)
    assert envelope["error"]["message"] == str(error)[:2_000]
    assert len(envelope["error"]["trace"]) == 8_000
    assert envelope["error"]["trace"].endswith(" last\n")


def test_letters_of_one_record_are_told_apart_by_what_was_written() -> None:
    """Sink, target, document and version; a record without an event id by its content."""
    record = stream_record(KEYS, {"name": {"S": "x"}}, number=9)
    nameless = {"a": 1}
    every = [
        DeadLetter(record, Refused("no")),
        DeadLetter(record, Refused("no"), sink="s"),
        DeadLetter(record, Refused("no"), target="s"),
        DeadLetter(record, Refused("no"), document_id="s"),
        DeadLetter(record, Refused("no"), version=1),
        DeadLetter(nameless, Refused("no")),
        DeadLetter({"a": 2}, Refused("no")),
        DeadLetter({"eventID": "", "a": 1}, Refused("no")),
        DeadLetter({"eventID": 5}, Refused("no")),
        DeadLetter({"eventID": "\ud800"}, Refused("no")),  # half of a surrogate pair
        DeadLetter("text", Refused("no")),
    ]
    assert len({letter.id for letter in every}) == len(every)
    later = {**record, "dynamodb": {**record["dynamodb"], "SizeBytes": 1}}
    assert DeadLetter(later, InvalidImage("other")).id == every[0].id


@pytest.mark.parametrize(("over", "inline"), [(0, True), (1, False)])
def test_a_record_at_the_limit_is_in_the_message(over: int, inline: bool) -> None:
    """One byte more, and it is an object in the folder of its row, which goes with the row."""
    raw = "x" * (200_000 - 2 + over)
    aws = Aws()
    letter = DeadLetter(raw, Refused("no"), table=CORE, keys=KEYS, sink="memory")
    assert list(letters(aws).publish([letter])) == []
    (message,) = aws.messages
    assert ("record" in message, "payload" in message) == (inline, not inline)
    if not inline:
        key = f"letters/{row_id(CORE, KEYS, 'memory')}/{letter.id}.json"
        assert message["payload"] == {"bucket": "bucket", "key": key, "bytes": 200_000 + 1}
        ((stored),) = aws.objects
        assert (stored["Bucket"], stored["Key"]) == ("bucket", key)
        assert json.loads(stored["Body"]) == raw
        assert stored["ContentType"] == "application/json"


@pytest.mark.parametrize("known", [{}, {"table": CORE}, {"keys": KEYS}])
def test_a_large_record_of_no_known_item_has_a_folder_of_its_own(known: Any) -> None:
    """Its row is that of the letter alone."""
    aws = Aws()
    letter = DeadLetter("x" * 200_000, Refused("no"), **known)
    assert list(letters(aws).publish([letter])) == []
    assert aws.messages[0]["payload"]["key"] == f"letters/{letter.id}/{letter.id}.json"


def test_rows_are_told_apart_by_table_key_and_sink() -> None:
    """The order of the key's attributes says nothing; None stands for all sinks."""
    other = core_keys("THING", "2")
    rows = [
        row_id(CORE, KEYS, "memory"),
        row_id("another", KEYS, "memory"),
        row_id(CORE, other, "memory"),
        row_id(CORE, KEYS, None),
    ]
    assert len(set(rows)) == 4
    assert row_id(CORE, dict(reversed(KEYS.items())), None) == rows[3]


@pytest.mark.parametrize(("says", "why"), [({}, ""), ({"Message": "try later"}, "try later")])
def test_a_letter_that_sns_refuses_is_told_with_its_code(
    says: dict[str, str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And with id, table and keys in a line of its own; the others are published."""
    one, two = (DeadLetter({"n": n}, Refused("no"), table=CORE, keys=KEYS) for n in (1, 2))
    aws = Aws({"Id": "1", "Code": "Internal", **says})
    ((given_back, error),) = letters(aws).publish([one, two])
    assert given_back is two
    assert (type(error), str(error)) == (Unavailable, f"SNS: Internal: {why}")
    (line,) = [r for r in caplog.records if r.message.startswith("a dead letter could not")]
    assert line.message == "a dead letter could not be published; its cause will come again"
    said = vars(line)
    assert (said["id"], said["table"], said["keys"]) == (two.id, CORE, KEYS)
    assert line.exc_info is not None
    assert line.exc_info[1] is error


def test_letters_of_a_call_that_fails_are_given_back_and_no_others() -> None:
    """A call holds ten; the next one is made all the same."""
    aws = Aws(lost=1)
    many = [DeadLetter({"n": n}, Refused("no")) for n in range(11)]
    given_back = list(letters(aws).publish(many))
    assert [letter for letter, _ in given_back] == many[:10]
    ((kind, why),) = {(type(error), str(error)) for _, error in given_back}
    assert kind is Unavailable
    assert why.startswith("publishing dead letters: Could not connect")
    assert [message["record"] for message in aws.messages] == [many[10].raw]


def test_a_body_that_can_t_be_stored_is_given_back_with_the_reason() -> None:
    """A message that points to nothing would be no letter."""

    class Slow(Aws):
        def put_object(self, **call: Any) -> None:
            raise Throttled("503 SlowDown")

    letter = DeadLetter("x" * 200_000, Refused("no"))
    aws = Slow()
    ((given_back, error),) = letters(aws).publish([letter])
    assert given_back is letter
    assert isinstance(error, Throttled)
    assert aws.sent == []


def test_each_letter_is_counted_for_its_sink() -> None:
    """The alarm on refusals watches that; a record that no sink saw counts for the stage."""
    lines: list[str] = []
    metrics = Metrics("test", ManualClock(NOW_S), emit=lines.append)
    many = [DeadLetter({"n": n}, Refused("no"), sink=s) for n, s in enumerate(["a", "a", None])]
    list(letters(Aws(), metrics).publish(many))
    metrics.flush()
    told = [json.loads(line) for line in lines]
    assert {line.get("sink"): line["refused"] for line in told} == {"a": 2, None: 1}
