"""One batch of records, from Lambda's event to Lambda's answer."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.attributes import decode
from sync.errors import Misconfigured, ModelBug, Refused, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Done, Op, Outcome
from sync.writing.versions import stream_version
from tests.doubles.dispatching import Bench, number, thing
from tests.doubles.kept import KeptLetters, KeptParking
from tests.doubles.sinks import Answering
from tests.records import CORE, core_keys, stream_record

DOWN = Unavailable("down")


def test_an_insert_a_change_and_a_removal_reach_the_sink() -> None:
    """The document holds the model's fields, under the id made of the keys."""
    bench = Bench()
    assert bench.run(thing(1, "one"), thing(2, "two")) == []
    assert bench.document("THING|ID%231") == {"name": "one"}
    assert bench.run(thing(1, "uno", old={"name": {"S": "one"}}), thing(2, None)) == []
    assert bench.document("THING|ID%231") == {"name": "uno"}
    assert bench.document("THING|ID%232") is None


def test_a_removal_needs_no_old_image() -> None:
    """A NEW_IMAGE stream gives a REMOVE its keys only."""
    bench = Bench()
    bench.run(thing(1))
    assert bench.run(thing(1, None)) == []
    assert bench.document("THING|ID%231") is None


def test_one_sink_is_called_once_for_a_batch() -> None:
    """No call a record."""
    sink = Answering(lambda op: Done.WRITTEN)
    Bench(memory=sink).run(*(thing(n) for n in range(100)))
    assert [len(ops) for ops in sink.calls] == [100]


def test_of_the_ops_of_one_id_the_last_one_counts() -> None:
    """Sinks see each id once."""
    sink = Answering(lambda op: Done.WRITTEN)
    Bench(memory=sink).run(
        thing(1, "a"), thing(2, "b"), thing(1, "c"), thing(1, None), thing(2, "d")
    )
    assert {op.id[-1]: op.body for op in sink.calls[0]} == {"1": None, "2": b'{"name":"d"}'}


@pytest.mark.parametrize(("created_s", "number"), [(102, 5), (102, 6), (101, 6), (101, 7)])
def test_the_last_op_of_an_id_has_the_highest_version(created_s: int, number: int) -> None:
    """Creation times are approximate. What is left out may still come from an invocation that
    Lambda gave up on, and must not take the place of what came after it."""
    sink = Answering(lambda op: Done.WRITTEN)
    Bench(memory=sink).run(
        thing(1, "a", created_s=100, number=4),
        thing(1, None, created_s=102, number=6),
        thing(1, "b", created_s=created_s, number=number),
        thing(2, "c", created_s=103, number=8),
    )
    last = {op.id[-1]: op.version for op in sink.calls[0]}
    assert last == {"1": stream_version(102, 6) + 1, "2": stream_version(103, 8)}


def test_what_no_model_wants_is_passed_by() -> None:
    """Quietly: tables hold other things too."""
    bench = Bench()
    assert bench.run(stream_record(core_keys("OTHER", "1"), {"junk": {"N": "not a number"}})) == []
    assert bench.letters.kept == []


def test_an_unmatched_record_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Match before decode."""

    def fail(image: Any) -> Any:
        raise AssertionError("decoded")

    monkeypatch.setattr("sync.model.change.decode", fail)
    assert Bench().run(stream_record(core_keys("OTHER", "1"), {"a": {"S": "b"}})) == []


def test_a_matched_record_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For however many sinks, and never the old image where the plan does not ask."""
    calls = []

    def counting(image: Any) -> Any:
        calls.append(image)
        return decode(image)

    monkeypatch.setattr("sync.model.change.decode", counting)
    record = stream_record(
        core_keys("SHARED", "1"), {"name": {"S": "new"}}, old={"name": {"S": "old"}}
    )
    assert Bench().run(record) == []
    assert [call["name"] for call in calls] == [{"S": "new"}]


def _without(field: str) -> Any:
    record = thing(1)
    del record["dynamodb"][field]
    return record


MALFORMED: Mapping[str, tuple[Any, str]] = {
    "not an object": ("text", "no 'dynamodb'"),
    "no body": ({"eventName": "INSERT"}, "no 'dynamodb'"),
    "no keys": (_without("Keys"), "no Keys"),
    "keys of no type": (
        {**thing(1), "dynamodb": {**thing(1)["dynamodb"], "Keys": {"PK": 5}}},
        "Keys",
    ),
    "no new image": (_without("NewImage"), "INSERT without a NewImage"),
    "no creation time": (_without("ApproximateCreationDateTime"), "ApproximateCreationDateTime"),
    "unknown event name": (thing(1, event_name="UPSERT"), "unknown eventName 'UPSERT'"),
    "no stream": ({**thing(1), "eventSourceARN": "arn:aws:sqs:x"}, "names no table"),
    "unknown type": (stream_record(core_keys("THING", "ID#1"), {"name": {"Q": "x"}}), "name"),
    "NaN": (
        stream_record(core_keys("THING", "ID#1"), {"name": {"S": "x"}, "price": {"N": "NaN"}}),
        "price",
    ),
    "lone surrogate": (
        stream_record(core_keys("THING", "ID#1"), {"name": {"S": "\ud800"}}),
        "name",
    ),
    "not of the model": (stream_record(core_keys("THING", "ID#1"), {"name": {"N": "5"}}), "Thing"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_record_is_quarantined_whole_and_the_rest_goes_on(case: str) -> None:
    """It names what is wrong; its neighbours are written; nothing comes again."""
    record, message = MALFORMED[case]
    bench = Bench()
    assert bench.run(thing(7, "before"), record, thing(8, "after")) == []
    (letter,) = bench.letters.kept
    assert letter.raw is record
    assert message in str(letter.error)
    assert bench.document("THING|ID%237") == {"name": "before"}
    assert bench.document("THING|ID%238") == {"name": "after"}


def test_a_record_that_cannot_even_be_reported_fails_the_batch() -> None:
    """Without a sequence number Lambda can only be told that everything is to come again."""
    with pytest.raises(Unavailable):
        Bench(letters=KeptLetters(error=DOWN)).run(thing(1), _without("SequenceNumber"))


def test_a_refused_op_is_quarantined_naming_its_sink() -> None:
    """The shard moves on."""
    refused = Refused("strict_dynamic_mapping_exception")
    bench = Bench(memory=Answering(lambda op: refused if op.id.endswith("2") else Done.WRITTEN))
    assert bench.run(thing(1), thing(2), thing(3)) == []
    (letter,) = bench.letters.kept
    envelope = letter.envelope(0.0)
    assert (letter.table, letter.keys) == (CORE, core_keys("THING", "ID#2"))
    assert (letter.sink, letter.target, letter.document_id) == ("memory", "things", "THING|ID%232")
    assert envelope["error"]["class"] == "Refused"
    assert "strict_dynamic_mapping_exception" in envelope["error"]["trace"]


def some(*ends: str) -> Answering:
    """A sink that has 503 for the ids with these ends."""
    return Answering(lambda op: Unavailable("503") if op.id[-1] in ends else Done.WRITTEN)


def test_what_may_pass_is_parked_for_its_sink(caplog: pytest.LogCaptureFixture) -> None:
    """The shard moves on, and loudly: table, keys, sink and trace are in the log, once a cause."""
    caplog.set_level(logging.INFO, "sync")
    bench = Bench(memory=some("1", "3"))
    assert bench.run(*(thing(n) for n in range(4))) == []
    assert bench.parked == [("memory", "ID#1"), ("memory", "ID#3")]
    (line,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert line.sink == "memory"  # type: ignore[attr-defined]
    assert line.items == [  # type: ignore[attr-defined]
        {"table": CORE, "keys": core_keys("THING", f"ID#{n}")} for n in (1, 3)
    ]
    assert line.exc_info is not None


def test_a_parked_key_waits_for_the_version_that_parked_it() -> None:
    """The last of its records in the batch, whose op may still be under way."""
    bench = Bench(memory=some("1"))
    bench.run(thing(1, "a", created_s=7, number=1), thing(1, "b", created_s=7, number=2))
    assert [key.after_version for _, key in bench.parking.keys] == [stream_version(7, 2)]


def test_a_stale_op_parks_its_key() -> None:
    """What the sink holds may be an old write that came late: the item has to be read."""
    bench = Bench(memory=Answering(lambda op: Done.STALE))
    assert bench.run(thing(1)) == []
    assert bench.parked == [("memory", "ID#1")]
    assert bench.letters.kept == []


def test_a_key_that_cannot_be_parked_brings_its_record_again() -> None:
    """With the parking queue down, Lambda's retries are what is left."""
    records = [thing(1, "a"), thing(2, "b"), thing(1, "c")]
    bench = Bench(memory=some("1"), parking=KeptParking(error=DOWN))
    assert bench.run(*records) == [number(records[2])]


def test_a_strict_sink_reports_instead_of_parking() -> None:
    """As requirements S3.2 has it: Lambda retries, bisects, and tells the topic."""
    records = [thing(n) for n in range(4)]
    bench = Bench(memory=some("1", "3"), strict=["memory"])
    assert bench.run(*records) == [number(records[1]), number(records[3])]
    assert bench.parked == []


def test_a_strict_sink_is_tried_each_time() -> None:
    """Lambda's three retries come at once: behind a breaker they would all be for nothing."""
    sink = some("1")
    bench = Bench(memory=sink, strict=["memory"])
    record = thing(1)
    for _ in range(4):
        assert bench.run(record) == [number(record)]
    assert len(sink.calls) == 4


def test_a_strict_sink_parks_what_is_stale() -> None:
    """Its record would be stale again, and again."""
    bench = Bench(memory=Answering(lambda op: Done.STALE), strict=["memory"])
    assert bench.run(thing(1)) == []
    assert bench.parked == [("memory", "ID#1")]


def test_a_dead_sink_is_not_waited_for_again() -> None:
    """After a write that got nothing done its keys are parked untried, for a while."""
    sink = some("1", "2")
    bench = Bench(memory=sink)
    bench.run(thing(1), thing(2))
    bench.run(thing(1), thing(2))
    assert len(sink.calls) == 1
    assert len(bench.parked) == 4


def test_a_dead_letter_that_cannot_be_published_brings_its_record_again() -> None:
    """Nothing is dropped because the topic is down."""
    record = stream_record(core_keys("THING", "ID#1"), {"name": {"N": "5"}})
    bench = Bench(letters=KeptLetters(error=DOWN))
    assert bench.run(thing(2), record) == [number(record)]


def test_a_missing_target_keeps_nothing_from_another_of_its_sink() -> None:
    """A record of the healthy one is written, however often the other has just failed."""
    missing = Misconfigured("404 no such alias", of_target=True)
    sink = Answering(lambda op: missing if op.target == "things" else Done.WRITTEN)
    bench = Bench(memory=sink)
    shared = stream_record(core_keys("SHARED", "1"), {"name": {"S": "x"}})
    for _ in range(3):
        assert bench.run(thing(1)) == []
        assert bench.run(shared) == []
    assert bench.parked == [("memory", "ID#1")] * 3
    assert [op.target for ops in sink.calls for op in ops] == ["things", *["shared"] * 3]


def test_a_failing_sink_keeps_nothing_from_another() -> None:
    """One outage is one outage."""
    bench = Bench(second=Answering(lambda op: Unavailable("down")))
    record = stream_record(core_keys("SHARED", "1"), {"name": {"S": "x"}})
    assert bench.run(record, thing(1)) == []
    assert bench.parked == [("second", "1")]
    assert bench.document("SHARED|1", "shared") == {"name": "x"}
    assert bench.document("THING|ID%231") == {"name": "x"}


def test_a_bug_in_a_plan_is_logged_with_its_keys_and_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Lambda bisects the batch; nothing is swallowed."""
    with pytest.raises(ModelBug, match="the plan of Broken failed: ZeroDivisionError"):
        Bench().run(stream_record(core_keys("BROKEN", "1"), {}))
    assert [r.keys for r in caplog.records if r.exc_info] == [core_keys("BROKEN", "1")]  # type: ignore[attr-defined]


def test_a_sink_that_forgets_an_op_fails_the_batch() -> None:
    """That is a bug of the sink, and silence would lose a write."""

    class Forgetful(Memory):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            return []

    record = stream_record(core_keys("SHARED", "1"), {"name": {"S": "x"}})
    with pytest.raises(AssertionError, match="second: 0 outcomes for 1 ops"):
        Bench(second=Forgetful()).run(record)


def test_every_record_leaves_a_line_with_event_keys_and_size(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Requirements S3.1."""
    caplog.set_level(logging.INFO, "sync")
    Bench().run(thing(1))
    (line,) = [r for r in caplog.records if r.message == "record"]
    told = line.eventName, line.keys, line.size  # type: ignore[attr-defined]
    assert told == ("INSERT", {"PK": "THING", "SK": "ID#1"}, 100)


def test_the_log_holds_no_document(caplog: pytest.LogCaptureFixture) -> None:
    """Neither on the way nor on failure."""
    caplog.set_level(logging.DEBUG, "sync")
    bench = Bench(memory=Answering(lambda op: Throttled("429")))
    bench.run(
        thing(1, "sesame"),
        stream_record(core_keys("THING", "ID#2"), {"name": {"S": "x"}, "price": {"S": "sesame"}}),
    )
    assert caplog.records
    assert not [r for r in caplog.records if "sesame" in str(vars(r))]


WRITES = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None])), max_size=20)


@given(WRITES, st.integers(1, 7), st.randoms(use_true_random=False))
def test_any_history_delivered_at_least_once_leaves_the_last_state(
    writes: list[tuple[int, str | None]], size: int, random: Any
) -> None:
    """Batches of any size, each possibly delivered again before the next."""
    bench = Bench()
    records = [thing(n, name, number=i) for i, (n, name) in enumerate(writes, 1)]
    for at in range(0, len(records), size):
        for _ in range(random.randint(1, 2)):
            assert bench.run(*records[at : at + size]) == []
    table = {f"THING|ID%23{n}": name for n, name in writes}
    assert {key: bench.document(key) for key in table} == {
        key: None if name is None else {"name": name} for key, name in table.items()
    }
