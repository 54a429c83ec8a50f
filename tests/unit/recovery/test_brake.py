"""A deploy that refuses most of what comes parks it; single documents are dead letters."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.keys import Source
from sync.errors import (
    Held,
    InvalidImage,
    ModelBug,
    RecordError,
    Refused,
    RegistryError,
    Unavailable,
)
from sync.recovery.brake import LEAST, Brake
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import LIFETIME_S
from sync.writing.metrics import Metrics
from sync.writing.op import Done, Op, Outcome
from tests.doubles.account import Account
from tests.doubles.clocks import ManualClock
from tests.doubles.dispatching import Bench, number, thing
from tests.doubles.sinks import Answering
from tests.doubles.trouble import SOUND, failing
from tests.records import PRODUCTS, core_keys, stream_record

OP = Op("memory", Source("t", {"id": {"S": "1"}}), "things", "1", b"{}", 1)
OTHER = replace(OP, target="other")
NO = Refused("mapping conflict")


def letter(sink: str = "memory", target: str = "things", error: Exception = NO) -> DeadLetter:
    return DeadLetter({}, error, table="t", keys=OP.source.keys, sink=sink, target=target)


def brake(lines: list[str] | None = None) -> Brake:
    return Brake(Metrics("test", ManualClock(), emit=(lines if lines is not None else []).append))


def test_one_document_is_one_however_often_it_is_tried() -> None:
    """What is parked is tried for two weeks: a handful of wrong items are letters all the same."""
    one = brake()
    for n in range(10 * LEAST):
        one.saw("memory", [Outcome(replace(OP, id=str(n % (LEAST - 1))), NO)])
    assert one.sift([letter()])[1] == []
    one.saw("memory", [Outcome(replace(OP, id="another"), NO)])
    assert one.sift([letter()])[0] == []


@given(st.lists(st.booleans(), max_size=400))
def test_it_is_on_while_most_of_the_last_documents_were_refused(answers: list[bool]) -> None:
    """And at least twenty of them; those of other targets count for nothing."""
    one = brake()
    for n, refused in enumerate(answers):
        one.saw("memory", [Outcome(replace(OP, id=str(n)), NO if refused else Done.WRITTEN)])
        one.saw("memory", [Outcome(OTHER, Done.WRITTEN)])
    first = answers.index(True) if True in answers else len(answers)
    last = answers[first:][-200:]
    bad = sum(last)
    kept, held = one.sift([letter(), letter(target="other"), letter(sink="second")])
    on = bad >= LEAST and 2 * bad >= len(last)
    assert (len(kept), len(held)) == ((2, 1) if on else (3, 0))


def test_what_can_t_be_parked_is_a_letter_all_the_same() -> None:
    """Without a key there is nothing to park; and a record that is none says nothing of a model."""
    one = brake()
    one.saw("memory", [Outcome(replace(OP, id=str(n)), NO) for n in range(100)])
    nameless = DeadLetter({}, NO, sink="memory", target="things")
    late = letter(error=Unavailable("parked for 14 days"))
    odd = DeadLetter({}, RecordError("no record"), table="t", keys=OP.source.keys)
    kept, held = one.sift([nameless, late, odd, letter()])
    assert kept == [nameless, late, odd]
    ((_, reason),) = held
    assert isinstance(reason, Held)


def test_a_mapping_that_refuses_everything_leaves_few_letters() -> None:
    """Its keys are parked; the shard moves on, and one line says so."""
    bench = Bench(memory=Answering(lambda _: NO))
    for at in range(0, 1000, 100):
        assert bench.run(*(thing(n) for n in range(at, at + 100))) == []
    assert bench.letters.kept == []
    assert len(bench.parked) == 1000


def test_a_model_that_refuses_everything_leaves_few_letters() -> None:
    """Its keys are parked for every sink that it feeds; a trickle becomes letters first."""
    bench = Bench()
    for n in range(100):
        wrong = stream_record(core_keys("THING", f"ID#{n}"), {"name": {"N": "5"}})
        assert bench.run(wrong) == []
    assert len(bench.letters.kept) == LEAST - 1
    assert [sink for sink, _ in bench.parked] == [None] * (100 - LEAST + 1)


def test_single_refusals_among_many_are_letters() -> None:
    """However many there are in all."""
    bench = Bench(memory=Answering(lambda op: NO if op.id.endswith("7") else Done.WRITTEN))
    bench.run(*(thing(n) for n in range(1000)))
    assert (len(bench.letters.kept), bench.parked) == (100, [])


def test_a_strict_sink_parks_what_the_brake_holds() -> None:
    """Lambda's retries would only refuse it again."""
    bench = Bench(memory=Answering(lambda _: NO), strict=["memory"])
    assert bench.run(*(thing(n) for n in range(100))) == []
    assert len(bench.parked) == 100


def test_what_the_brake_can_t_park_comes_again(monkeypatch: Any) -> None:
    """Nothing is dropped because the queue is down."""
    bench = Bench(memory=Answering(lambda _: NO))
    bench.parking.error = Unavailable("the queue is down")
    records = [thing(n) for n in range(100)]
    assert bench.run(*records) == sorted(map(number, records), key=int)


def test_what_was_parked_is_written_once_the_mapping_is_mended(account: Account) -> None:
    """By the worker, which has a brake of its own; after two weeks they are letters."""
    sink = failing(account, NO)
    records = []
    for n in range(60):
        account.put(f"p{n}", **SOUND)
        keys = {"productId": {"S": f"p{n}"}}
        records.append(stream_record(keys, SOUND, table=PRODUCTS))
    account.handle({"Records": records})
    assert (account.letters(), len(account.parked)) == ([], 1)
    account.clock.now += 60
    account.resync()
    assert (account.letters(), len(account.parked[-1].keys)) == ([], 60)
    sink.error = None
    account.clock.now += 60
    account.resync()
    assert account.document("p59")["name"] == "Kettle"
    held = [json.loads(line).get("held") for line in account.metrics]
    assert sum(filter(None, held)) == 120


def test_the_brake_holds_nothing_for_more_than_two_weeks(account: Account) -> None:
    """Then a person has to look at each."""
    failing(account, NO)
    records = []
    for n in range(30):
        account.put(f"p{n}", **SOUND)
        records.append(stream_record({"productId": {"S": f"p{n}"}}, SOUND, table=PRODUCTS))
    account.handle({"Records": records})
    account.clock.now += LIFETIME_S + 1
    account.resync()
    assert len(account.letters()) == 30


def on(*, refused: int) -> Brake:
    """A brake that saw the refusal of so many documents, called "0" and so on."""
    one = brake()
    one.saw("memory", [Outcome(replace(OP, id=str(n)), NO) for n in range(refused)])
    return one


@pytest.mark.parametrize(
    ("refused", "taken", "held"),
    [(19, 0, False), (20, 0, True), (20, 20, True), (20, 21, False), (100, 100, True)],
)
def test_twenty_refused_documents_put_it_on_if_they_are_half(
    refused: int, taken: int, held: bool
) -> None:
    """Of the last 200; the guarantees say so."""
    one = on(refused=refused)
    one.saw("memory", [Outcome(replace(OP, id=f"good {n}"), Done.WRITTEN) for n in range(taken)])
    assert bool(one.sift([letter()])[1]) is held


def test_the_reason_says_who_refused_how_many() -> None:
    """It becomes the error of the parked keys, and the line by which a person finds the cause."""
    one = on(refused=30)
    one.saw("memory", [Outcome(replace(OP, id=f"good {n}"), Done.WRITTEN) for n in range(10)])
    ((held, reason),) = one.sift([letter()])[1]
    assert held == letter()
    assert str(reason) == (
        "memory things refused 30 of the last 40 documents: parked, not a letter each"
    )


def bad_image(model: str | None = "Thing") -> InvalidImage:
    error = InvalidImage("no name")
    error.model = model
    return error


def test_a_model_has_a_brake_of_its_own() -> None:
    """Whatever sink its letters are of; a bug in its plan counts as well."""
    one = brake()
    bug = ModelBug("a bug")
    bug.model = "Thing"
    for n in range(LEAST):
        one.read("Thing", str(n), bug if n % 2 else bad_image())
    one.read("Thing", "fine")
    one.read("Thing", "fine too")
    one.read("Thing", "other", RegistryError("two models"))  # says nothing of the model
    letters = [
        DeadLetter({}, error, table="t", keys=OP.source.keys) for error in (bug, bad_image())
    ]
    kept, held = one.sift([*letters, replace(letters[0], error=bad_image("Another")), letter()])
    assert [each.error for each in kept] == [kept[0].error, NO]
    assert {str(reason) for _, reason in held} == {
        f"the model Thing refused {LEAST} of the last {LEAST + 2} documents: "
        "parked, not a letter each"
    }
    assert len(held) == 2


def test_an_image_that_no_model_reads_is_a_letter() -> None:
    """It is malformed by itself, and no deploy mends it."""
    one = brake()
    for n in range(2 * LEAST):
        one.read("Thing", str(n), bad_image())
    malformed = DeadLetter({}, bad_image(None), table="t", keys=OP.source.keys)
    assert one.sift([malformed]) == ([malformed], [])


def test_each_place_that_holds_is_one_line_with_its_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not one for each key; and the metric that the alarm watches counts them all."""
    lines: list[str] = []
    metrics = Metrics("test", ManualClock(), emit=lines.append)
    one = Brake(metrics)
    for target in ("things", "other"):
        one.saw("memory", [Outcome(replace(OP, target=target, id=str(n)), NO) for n in range(30)])
    one.sift([letter(), letter(target="other"), letter(), letter("second")])
    said = [(r.message, vars(r)["sink"], vars(r)["count"]) for r in caplog.records]
    reason = "refused 30 of the last 30 documents: parked, not a letter each"
    assert said == [
        (f"the brake is on: memory things {reason}", "memory", 2),
        (f"the brake is on: memory other {reason}", "memory", 1),
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    metrics.flush()
    (line,) = map(json.loads, lines)
    assert (line["held"], line.get("sink")) == (3, None)


def test_a_brake_that_is_off_says_and_counts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Letters are told of elsewhere."""
    lines: list[str] = []
    metrics = Metrics("test", ManualClock(), emit=lines.append)
    Brake(metrics).sift([letter()])
    metrics.flush()
    assert (caplog.records, lines) == ([], [])


def test_only_refusals_and_successes_count() -> None:
    """What may pass later says nothing of the mapping."""
    one = on(refused=LEAST)
    down = Unavailable("503")
    one.saw("memory", [Outcome(replace(OP, id=f"down {n}"), down) for n in range(10 * LEAST)])
    assert len(one.sift([letter()])[1]) == 1


def test_stale_documents_count_as_taken() -> None:
    """The sink holds something newer of them; half refused is the bound."""
    one = on(refused=LEAST)
    for n in range(LEAST + 1):
        assert len(one.sift([letter()])[1]) == 1, n
        one.saw("memory", [Outcome(replace(OP, id=f"stale {n}"), Done.STALE)])
    assert one.sift([letter()])[1] == []


def test_the_window_forgets_the_documents_that_were_tried_longest_ago() -> None:
    """One that was tried again is among the latest."""
    one = on(refused=100)
    one.saw("memory", [Outcome(replace(OP, id=f"good {n}"), Done.WRITTEN) for n in range(100)])
    one.saw("memory", [Outcome(replace(OP, id="0"), NO)])  # again, and it is no further document
    one.saw("memory", [Outcome(replace(OP, id=f"bad {n}"), NO) for n in range(99)])
    one.saw("memory", [Outcome(replace(OP, id="another"), Done.WRITTEN)])
    ((_, reason),) = one.sift([letter()])[1]
    assert str(reason).startswith("memory things refused 100 of the last 200 documents")
