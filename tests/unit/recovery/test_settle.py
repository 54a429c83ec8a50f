"""What becomes of keys whose write did not succeed: parked, dead letters, or their cause again."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Held, RecordError, Refused, RegistryError, Retry, Throttled, Unavailable
from sync.recovery.parking import Parked, ParkedMessage
from sync.recovery.resync import Settled, Unmatched, Verdict
from sync.recovery.settle import STALE, Settlement, Unsettled
from sync.writing.op import Done
from tests.records import CORE, core_keys
from tests.unit.recovery.settling import DOWN, MAY_PASS, NEVER, NO, Bench, again, ended, source

# ── The table of its docstring ────────────────────────────────────────────────────────────────────


def test_a_stale_key_is_parked() -> None:
    """What the sink holds may be an older write that came late."""
    bench = Bench()
    settlement = bench.run(ended(Done.STALE))
    assert (bench.parked, bench.letters) == ([("memory", "1")], [])
    assert settlement == Settlement(parked=1)


@pytest.mark.parametrize("error", MAY_PASS, ids=lambda error: type(error).__name__)
def test_a_key_whose_write_may_pass_is_parked(error: Retry) -> None:
    """With the version that its resync has to exceed; it was never parked, so its age is none."""
    bench = Bench()
    settlement = bench.run(ended(error, version=5))
    assert settlement == Settlement(parked=1)
    assert bench.letters == []
    (message,) = bench.aws.parked
    now = bench.clock.now
    assert message == ParkedMessage("memory", (Parked(source(1), 5, now),), 0, now)


@pytest.mark.parametrize("error", NEVER, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("strict", [(), ("memory",)], ids=["parked", "strict"])
def test_what_can_never_be_written_is_a_dead_letter(
    error: Refused | RecordError | RegistryError, strict: Sequence[str]
) -> None:
    """With its own error; also of a strict sink, where a retry would be refused again."""
    bench = Bench(strict=strict)
    settlement = bench.run(ended(error))
    assert (bench.parked, bench.letters) == ([], [("memory", "1", type(error).__name__)])
    assert bench.aws.letters[0]["error"]["message"] == str(error)
    assert settlement == Settlement(quarantined=1)


@pytest.mark.parametrize("result", [Done.STALE, *MAY_PASS], ids=str)
@pytest.mark.parametrize("strict", [(), ("memory",)], ids=["parked", "strict"])
def test_after_14_days_a_key_that_may_pass_is_a_dead_letter(
    result: Done | Retry, strict: Sequence[str]
) -> None:
    """It says for how long the key was parked, and what is wrong with it now."""
    bench = Bench(strict=strict)
    settlement = bench.run(ended(result, since_s=bench.ancient_s))
    assert (bench.parked, bench.letters) == ([], [("memory", "1", "Unavailable")])
    assert settlement == Settlement(quarantined=1)
    now = STALE if isinstance(result, Done) else result
    error = bench.aws.letters[0]["error"]
    assert error["message"] == f"parked for 14 days, and still: {now}"
    assert type(now).__name__ in error["trace"]


def test_before_14_days_a_key_is_parked_with_its_age() -> None:
    """So that two weeks end, however often it is parked."""
    bench = Bench()
    young = bench.ancient_s + 2
    assert bench.run(ended(DOWN, since_s=young)) == Settlement(parked=1)
    assert [key.since_s for message in bench.aws.parked for key in message.keys] == [young]


def test_nothing_ended_badly_asks_for_nothing() -> None:
    """No call, no line."""
    bench = Bench()
    bench.aws.down = {"sqs", "sns"}
    assert bench.run() == Settlement()


# ── The brake ─────────────────────────────────────────────────────────────────────────────────────


def test_while_the_brake_is_on_refused_keys_are_parked() -> None:
    """Others have their dead letters: of other sinks, and of records that are malformed."""
    bench = Bench()
    bench.refuse_most()
    settlement = bench.run(
        ended(NO, 1), ended(NO, 2, sink="second"), ended(RecordError("malformed"), 3, sink=None)
    )
    assert bench.parked == [("memory", "1")]
    assert bench.letters == [("second", "2", "Refused"), (None, "3", "RecordError")]
    assert settlement == Settlement(parked=1, quarantined=2)


@pytest.mark.parametrize("result", [NO, DOWN, Done.STALE], ids=str)
def test_the_brake_never_holds_what_was_parked_14_days_ago(result: Unsettled) -> None:
    """Else a mapping that nobody mends would keep its keys for ever."""
    bench = Bench()
    bench.refuse_most()
    settlement = bench.run(ended(result, since_s=bench.ancient_s))
    assert (bench.parked, [n for _, n, _ in bench.letters]) == ([], ["1"])
    assert settlement == Settlement(quarantined=1)


def test_a_held_key_that_can_t_be_parked_brings_its_cause_again() -> None:
    """It has no dead letter either."""
    bench = Bench()
    bench.refuse_most()
    bench.aws.down = {"sqs"}
    assert again(bench.run(ended(NO))) == [("cause 1", "Unavailable")]
    assert bench.letters == []


# ── Strict sinks ──────────────────────────────────────────────────────────────────────────────────


def test_a_strict_sink_s_cause_comes_again() -> None:
    """Nothing is parked for it, while others are; the reason is the sink's."""
    bench = Bench(strict=["memory"])
    settlement = bench.run(ended(DOWN, 1), ended(DOWN, 2, sink="second"), ended(DOWN, 3, sink=None))
    assert settlement.again == [("cause 1", DOWN)]
    assert bench.parked == [("second", "2"), (None, "3")]
    assert (settlement.parked, settlement.quarantined) == (2, 0)


def test_a_strict_sink_parks_what_would_end_the_same_way_again() -> None:
    """A stale op would be stale again, and what the brake holds refused again."""
    bench = Bench(strict=["memory"])
    bench.refuse_most()
    settlement = bench.run(ended(Done.STALE, 1), ended(NO, 2), ended(Throttled("429"), 3))
    assert bench.parked == [("memory", "1"), ("memory", "2")]
    assert again(settlement) == [("cause 3", "Throttled")]


# ── Parking or publishing that fails ──────────────────────────────────────────────────────────────


def test_a_key_that_can_t_be_parked_brings_its_cause_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the queue's error; a line names the key, its table and the sink."""
    bench = Bench()
    bench.aws.down = {"sqs"}
    settlement = bench.run(ended(DOWN, 1), ended(NO, 2))
    assert again(settlement) == [("cause 1", "Unavailable")]
    assert "parking" in str(settlement.again[0][1])
    assert bench.letters == [("memory", "2", "Refused")]
    (line,) = [r for r in caplog.records if r.message == "not parked; its cause comes again"]
    said = vars(line)
    assert (said["table"], said["keys"], said["sink"]) == (CORE, source(1).keys, "memory")
    assert line.exc_info is not None
    assert line.exc_info[1] is settlement.again[0][1]


def test_only_the_causes_of_keys_that_were_not_parked_come_again() -> None:
    """SQS takes some messages of a batch, and refuses others."""
    bench = Bench()
    bench.aws.refused = ['"S":"2"']
    now, hour_ago = bench.clock.now, bench.clock.now - 3600
    settlement = bench.run(ended(DOWN, 1, since_s=now), ended(DOWN, 2, since_s=hour_ago))
    assert again(settlement) == [("cause 2", "Unavailable")]
    assert bench.parked == [("memory", "1")]


def test_a_dead_letter_that_can_t_be_published_brings_its_cause_again() -> None:
    """Once, and no other's."""
    bench = Bench()
    bench.aws.refused = ['"n":2']
    settlement = bench.run(
        ended(NO, 1), ended(NO, 2), ended(DOWN, 3), ended(DOWN, 4, since_s=bench.ancient_s)
    )
    assert again(settlement) == [("cause 2", "Unavailable")]
    assert bench.letters == [("memory", "1", "Refused"), ("memory", "4", "Unavailable")]
    assert bench.parked == [("memory", "3")]


def test_what_expired_and_can_t_be_published_brings_its_cause_again() -> None:
    """Nothing is dropped at the end of its two weeks."""
    bench = Bench()
    bench.aws.down = {"sns"}
    settlement = bench.run(ended(DOWN, since_s=bench.ancient_s))
    assert again(settlement) == [("cause 1", "Unavailable")]
    assert bench.parked == []


# ── Several causes, keys and sinks ────────────────────────────────────────────────────────────────


def test_a_key_of_two_causes_is_parked_once() -> None:
    """One resync does for both."""
    bench = Bench()
    assert bench.run(ended(DOWN, cause="a"), ended(Throttled("429"), cause="b")) == Settlement(
        parked=1
    )
    assert bench.parked == [("memory", "1")]


def test_each_cause_of_a_key_that_can_t_be_parked_comes_again_once() -> None:
    """One of them alone might be done with before the other."""
    bench = Bench()
    bench.aws.down = {"sqs"}
    settlement = bench.run(ended(DOWN, cause="a"), ended(DOWN, cause="b"))
    assert again(settlement) == [("a", "Unavailable"), ("b", "Unavailable")]


def test_a_cause_of_several_keys_comes_again_if_one_can_t_be_parked() -> None:
    """Its other keys are parked all the same; writing them twice is harmless."""
    bench = Bench()
    bench.aws.refused = ['"sink":"second"']
    settlement = bench.run(
        ended(DOWN, 1, cause="a"),
        ended(DOWN, 1, cause="a", sink="second"),
        ended(DOWN, 2, cause="b"),
    )
    assert again(settlement) == [("a", "Unavailable")]
    assert bench.parked == [("memory", "1"), ("memory", "2")]


def test_writes_of_a_key_that_have_different_versions_are_not_confused() -> None:
    """Each is parked with its own: the queue's worker keeps the highest (parking.merged)."""
    bench = Bench()
    assert bench.run(ended(DOWN, version=5), ended(DOWN, version=9)) == Settlement(parked=2)
    assert [k.after_version for m in bench.aws.parked for k in m.keys] == [5, 9]


def test_each_sink_has_its_own_message() -> None:
    """And sinks that fail differently don't mix: None stands for all sinks of a model."""
    bench = Bench(strict=["strict"])
    settlement = bench.run(
        ended(DOWN, 1),
        ended(DOWN, 1, sink="second"),
        ended(DOWN, 2),
        ended(NO, 1, sink="third"),
        ended(DOWN, 1, sink="strict"),
        ended(DOWN, 1, sink=None),
    )
    assert bench.parked == [("memory", "1"), ("memory", "2"), ("second", "1"), (None, "1")]
    assert len(bench.aws.parked) == 3
    assert bench.letters == [("third", "1", "Refused")]
    assert again(settlement) == [("cause 1", "Unavailable")]
    assert (settlement.parked, settlement.quarantined) == (4, 1)


def test_a_sink_whose_keys_can_t_be_parked_harms_no_other() -> None:
    """Each has a call of its own."""
    bench = Bench()
    bench.aws.refused = ['"sink":"memory"']
    settlement = bench.run(ended(DOWN, 1), ended(DOWN, 2, sink="second"))
    assert again(settlement) == [("cause 1", "Unavailable")]
    assert bench.parked == [("second", "2")]


def test_keys_of_a_parked_message_are_parked_for_longer() -> None:
    """One try more, and the age of their first parking."""
    bench = Bench()
    since_s = bench.clock.now - 2_000
    message = ParkedMessage("memory", (Parked(source(1), 7, since_s),), 3, since_s)
    settlement = bench.run(ended(DOWN, since_s=since_s), message=message)
    assert settlement == Settlement(parked=1)
    assert bench.aws.parked == [
        ParkedMessage("memory", (Parked(source(1), 7, since_s),), 4, since_s)
    ]
    assert bench.aws.delays_s[0] >= 500


def test_a_message_whose_keys_can_t_be_parked_again_comes_again() -> None:
    """As one that was never parked does."""
    bench = Bench()
    bench.aws.down = {"sqs"}
    message = ParkedMessage("memory", (), 0, bench.clock.now)
    assert again(bench.run(ended(DOWN), message=message)) == [("cause 1", "Unavailable")]


RESULTS = st.sampled_from([Done.STALE, *MAY_PASS, *NEVER])
SINKS = st.sampled_from(["memory", "second", "strict", None])


@given(
    st.lists(st.tuples(RESULTS, SINKS, st.booleans()), max_size=30),
    st.sets(st.sampled_from(["sqs", "sns"])),
    st.booleans(),
)
def test_each_write_ends_in_exactly_one_way(
    writes: list[tuple[Unsettled, str | None, bool]], down: set[str], brake: bool
) -> None:
    """Parked, a dead letter, or its cause comes again: none is dropped, none done twice."""
    bench = Bench(strict=["strict"])
    bench.aws.down = down
    if brake:
        bench.refuse_most()
    settlement = bench.run(
        *(
            ended(result, n, sink=sink, since_s=bench.ancient_s if old else None)
            for n, (result, sink, old) in enumerate(writes)
        )
    )
    ends = [
        *(n for _, n in bench.parked),
        *(n for _, n, _ in bench.letters),
        *(cause.removeprefix("cause ") for cause, _ in settlement.again),
    ]
    assert sorted(ends) == sorted(str(n) for n in range(len(writes)))


# ── What its lines say ────────────────────────────────────────────────────────────────────────────


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [r for r in caplog.records if r.message.startswith("not written yet")]


def test_a_backlog_is_one_line_for_each_error_with_ten_of_its_keys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A line for each key and try would be millions of lines in an outage."""
    Bench().run(
        *(ended(Unavailable("no answer"), n) for n in range(1000)),
        ended(Unavailable("another cause"), 1),
        ended(Throttled("no answer"), 1),
    )
    assert [(r.message, r.error, r.count, len(r.items)) for r in lines(caplog)] == [
        ("not written yet: no answer", "Unavailable", 1000, 10),
        ("not written yet: another cause", "Unavailable", 1, 1),
        ("not written yet: no answer", "Throttled", 1, 1),
    ]
    first = lines(caplog)[0]
    assert first.items[0] == {"table": CORE, "keys": core_keys("THING", "0")}
    assert first.sink == "memory"
    assert isinstance(first.exc_info[1], Unavailable)


def test_an_outage_is_an_error_and_a_stale_key_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """The one is a fault, the other a question of order; each sink has its own lines."""
    bench = Bench(strict=["strict"])
    bench.refuse_most()
    bench.run(
        ended(Done.STALE, 1),
        ended(DOWN, 2),
        ended(NO, 3),
        ended(DOWN, 4, sink="strict"),
        ended(Done.STALE, 5, sink="strict"),
    )
    assert [(r.sink, r.levelno, r.error, r.count) for r in lines(caplog)] == [
        ("memory", logging.ERROR, Unavailable.__name__, 1),
        ("memory", logging.ERROR, Held.__name__, 1),
        ("memory", logging.WARNING, Throttled.__name__, 1),
        ("strict", logging.ERROR, Unavailable.__name__, 1),
        ("strict", logging.WARNING, Throttled.__name__, 1),
    ]


# ── From the result of a resync ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verdict", [Done.WRITTEN, Unmatched()], ids=str)
def test_a_key_that_was_resynced_leaves_nothing_to_do(verdict: Verdict) -> None:
    """Also where no model wants it."""
    assert Settled(Parked(source(1)), verdict).ended("memory", "cause") is None


@pytest.mark.parametrize("verdict", [NO, DOWN, NEVER[1], NEVER[3]], ids=str)
def test_a_key_that_was_not_resynced_is_settled_for_its_sink(
    verdict: Refused | RecordError | RegistryError | Retry,
) -> None:
    """With its key, its cause, and a dead letter that holds what was read."""
    item = {"name": {"S": "x"}}
    key = Parked(source(1), 9, 1.0)
    found = Settled(key, verdict, item, version=12).ended("memory", "cause")
    assert found is not None
    assert (found.sink, found.key, found.result, found.cause) == ("memory", key, verdict, "cause")
    letter = found.letter(NO)
    assert (letter.sink, letter.keys, letter.version) == ("memory", source(1).keys, 12)
    assert letter.error is NO
