"""What a batch of the stream tells: its lines, what its letters hold, and the order of answers."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import Refused, Unavailable
from sync.model.fields import Text
from sync.model.model import Model, Route
from sync.recovery.brake import LEAST
from sync.recovery.parking import Parked
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.stream.dispatch import WRITE_S
from sync.writing.op import Done, Op, Outcome, Result
from sync.writing.versions import stream_version
from tests.doubles.dispatching import Bench, Second, number, thing
from tests.doubles.kept import KeptLetters, KeptParking
from tests.doubles.sinks import Answering
from tests.records import CORE, core_keys, stream_record

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def told(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    """The fields of each line that says *message*."""
    return [
        {name: value for name, value in vars(record).items() if name not in STANDARD}
        for record in caplog.records
        if record.message == message
    ]


ANSWERS: Mapping[str, Result] = {
    "1": Done.WRITTEN,
    "2": Done.WRITTEN,
    "3": Done.STALE,
    "4": Refused("no"),
    "5": Unavailable("503"),
}


def test_the_line_of_a_batch_counts_every_end(caplog: pytest.LogCaptureFixture) -> None:
    """Each under its own name; what none had is left out, but for what people alarm on."""
    caplog.set_level(logging.INFO, "sync")
    bench = Bench(memory=Answering(lambda op: ANSWERS[op.id[-1]]))
    other = stream_record(core_keys("OTHER", "1"), {})
    bench.run(*(thing(n) for n in range(1, 6)), other, other, {"eventName": "INSERT"})
    assert told(caplog, "batch") == [
        {
            "records": 8,
            "unmatched": 2,
            "equal": 0,
            "written": 2,
            "stale": 1,
            "parked": 2,
            "quarantined": 2,
            "retry": 0,
        }
    ]


def test_the_line_of_a_quiet_batch_has_zeros_where_people_alarm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A sum over lines that lack a field is no number."""
    caplog.set_level(logging.INFO, "sync")
    Bench().run()
    assert told(caplog, "batch") == [{"records": 0, "parked": 0, "quarantined": 0, "retry": 0}]


def test_the_line_of_a_batch_counts_what_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    """Records, each once."""
    caplog.set_level(logging.INFO, "sync")
    bench = Bench(
        memory=Answering(lambda op: Unavailable("503")),
        parking=KeptParking(error=Unavailable("down")),
    )
    bench.run(thing(1), thing(2), thing(1))
    (line,) = told(caplog, "batch")
    assert (line["parked"], line["retry"]) == (2, 2)


def test_records_come_again_in_the_order_of_the_stream() -> None:
    """Lambda starts anew at the first of them; numbers are no texts, and may differ in length."""
    records = [thing(n, number=n) for n in (1, 2, 3)]
    for record, digits in zip(records, ("100", "20", "3"), strict=True):
        record["dynamodb"]["SequenceNumber"] = digits
    bench = Bench(memory=Answering(lambda op: Unavailable("503")), strict=["memory"])
    assert bench.run(*records) == ["3", "20", "100"]


def test_the_line_of_a_record_has_its_table_too(caplog: pytest.LogCaptureFixture) -> None:
    """Keys are plain values, numbers as DynamoDB writes them."""
    caplog.set_level(logging.INFO, "sync")
    Bench().run(thing(1, None))
    assert told(caplog, "record") == [
        {
            "eventName": "REMOVE",
            "table": CORE,
            "keys": {"PK": "THING", "SK": "ID#1"},
            "size": 100,
        }
    ]


def test_what_no_model_wants_leaves_a_line_for_who_debugs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the fields of any record, and not among the others."""
    caplog.set_level(logging.DEBUG, "sync")
    Bench().run(stream_record(core_keys("OTHER", "1"), {}))
    (line,) = told(caplog, "no model wants it")
    assert (line["table"], line["keys"]) == (CORE, {"PK": "OTHER", "SK": "1"})
    assert told(caplog, "record") == []


def test_a_batch_leaves_no_line_of_records_where_nobody_wants_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A quieter level keeps the costs of a busy table down."""
    caplog.set_level(logging.WARNING, "sync")
    Bench().run(thing(1))
    assert caplog.records == []


def test_writes_end_long_before_lambda_does() -> None:
    """What is left of the time is for parking; and a batch that has less keeps to that."""
    seen: list[float] = []

    class Seeing(Memory):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            seen.append(deadline.remaining())
            return super().write(ops, deadline)

    bench = Bench(memory=Seeing())
    now = [0.0]
    for seconds in (60.0, 5.0):
        bench.dispatcher.run([thing(1)], Deadline(seconds, clock=lambda: now[0]))
    assert seen == [WRITE_S, 5.0]


def test_a_letter_of_what_could_not_be_read_names_what_can_be() -> None:
    """Table, keys and version, so that its row is that of the item, and the newer one wins."""
    bench = Bench()
    record = stream_record(core_keys("THING", "ID#1"), {"name": {"N": "5"}}, created_s=7, number=9)
    bench.run(record)
    (letter,) = bench.letters.kept
    assert (letter.table, letter.keys) == (CORE, core_keys("THING", "ID#1"))
    assert letter.version == stream_version(7, 9)
    assert (letter.sink, letter.target, letter.document_id) == (None, None, None)


@pytest.mark.parametrize(
    ("record", "table", "keys"),
    [
        ("text", None, None),
        ({**thing(1), "eventSourceARN": "arn"}, None, core_keys("THING", "ID#1")),
        ({**thing(1), "dynamodb": {"Keys": 5}}, CORE, None),
        ({**thing(1), "dynamodb": "text"}, CORE, None),
    ],
)
def test_a_letter_of_what_is_hardly_a_record_has_what_there_is(
    record: Any, table: str | None, keys: Any
) -> None:
    """And no version; nothing is made up."""
    bench = Bench()
    bench.run(record)
    (letter,) = bench.letters.kept
    assert (letter.raw, letter.table, letter.keys) == (record, table, keys)


def test_a_letter_of_an_op_has_its_version_and_its_record() -> None:
    """Whatever else its batch held."""
    bench = Bench(memory=Answering(lambda op: Refused("no") if op.id[-1] == "2" else None))
    records = [thing(1), thing(2, created_s=7, number=9), thing(3)]
    bench.run(*records)
    (letter,) = bench.letters.kept
    assert letter.raw is records[1]
    assert letter.version == stream_version(7, 9)


def test_a_record_that_can_t_be_told_from_others_raises_what_kept_it() -> None:
    """The cause, not that it has no number: Lambda's log is where a person looks."""
    record = thing(1)
    del record["dynamodb"]["SequenceNumber"]
    down = Unavailable("the topic is down")
    with pytest.raises(Unavailable) as raised:
        Bench(letters=KeptLetters(error=down)).run(record)
    assert raised.value is down
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_record_whose_letter_can_t_be_published_comes_again_as_itself() -> None:
    """Also one that could not be read."""
    wrong = stream_record(core_keys("THING", "ID#1"), {"name": {"N": "5"}})
    bench = Bench(letters=KeptLetters(error=Unavailable("down")))
    assert bench.run(thing(2), wrong, thing(3)) == [number(wrong)]


def test_what_the_brake_holds_is_parked_with_its_key_and_version() -> None:
    """So that a resync writes the item once its model is mended, above the record's version."""
    bench = Bench()
    for n in range(LEAST):
        keys = core_keys("THING", f"ID#{n}")
        bench.run(stream_record(keys, {"name": {"N": "5"}}, created_s=7, number=n))
    ((sink, key),) = bench.parking.keys
    assert sink is None
    assert key == Parked(
        Source(CORE, core_keys("THING", f"ID#{LEAST - 1}")), stream_version(7, LEAST - 1)
    )


class Sparing(Second):
    """A sink that is spared what did not change."""

    skips_equal = True


class Spared(Model):
    name: Text


Spared.route = Route(CORE, {"PK": "SPARED", "SK": ".+"}, {Sparing: "spared"})


def test_the_line_of_a_batch_counts_what_was_left_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Told from the old images; each document once."""
    caplog.set_level(logging.INFO, "sync")
    bench = Bench(models=(Spared,))
    x, y = {"name": {"S": "x"}}, {"name": {"S": "y"}}
    changes = [(x, x), (y, y), (x, y), (None, x)]
    assert (
        bench.run(
            *(
                stream_record(core_keys("SPARED", str(n)), new, old=old)
                for n, (old, new) in enumerate(changes)
            )
        )
        == []
    )
    (line,) = told(caplog, "batch")
    assert (line["equal"], line["written"]) == (2, 2)
