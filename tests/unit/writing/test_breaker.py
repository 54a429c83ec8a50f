"""Not waiting on a sink that is down, or on one target of it."""

from sync.aws.keys import Source
from sync.errors import Misconfigured, Refused, Retry, Throttled, Unavailable
from sync.writing.breaker import FIRST_S, LONGEST_S, Breaker, Breakers
from sync.writing.op import Done, Op, Outcome
from tests.doubles.clocks import ManualClock

OP = Op("memory", Source("t", {"id": {"S": "1"}}), "target", "1", None, 1)
DOWN = Unavailable("down")
MISSING = Misconfigured("404 no such alias", of_target=True)


def outcomes(*results: Done | Refused | Retry) -> list[Outcome]:
    return [Outcome(OP, result) for result in results]


def test_it_opens_when_nothing_gets_done() -> None:
    """The refusal carries the cause, so that its trace can be shown."""
    breaker = Breaker(ManualClock())
    assert breaker.refusal() is None
    breaker.saw(outcomes(DOWN, DOWN))
    refusal = breaker.refusal()
    assert refusal is not None
    assert refusal.__cause__ is DOWN


def test_an_op_that_is_answered_keeps_it_closed() -> None:
    """Written, stale or refused: the destination is there."""
    breaker = Breaker(ManualClock())
    for result in (Done.WRITTEN, Done.STALE, Refused("no")):
        breaker.saw(outcomes(DOWN, result))
        assert breaker.refusal() is None


def test_it_lets_a_try_through_after_a_while_longer_each_time() -> None:
    """Doubling up to a bound; the first success starts afresh."""
    clock = ManualClock()
    breaker = Breaker(clock)
    pauses = []
    for _ in range(8):
        breaker.saw(outcomes(DOWN))
        before = clock.now
        while breaker.refusal() is not None:
            clock.sleep(1.0)
        pauses.append(clock.now - before)
    assert pauses[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert pauses[-1] == LONGEST_S
    breaker.saw(outcomes(Done.WRITTEN))
    breaker.saw(outcomes(Throttled("429")))
    clock.sleep(FIRST_S)
    assert breaker.refusal() is None


def test_a_partial_failure_during_the_try_does_not_open_it_again() -> None:
    """The destination is back, if not for everything."""
    clock = ManualClock()
    breaker = Breaker(clock)
    breaker.saw(outcomes(DOWN))
    clock.sleep(FIRST_S)
    breaker.saw(outcomes(Done.WRITTEN, DOWN))
    assert breaker.refusal() is None


def of(target: str, result: Done | Refused | Retry) -> Outcome:
    return Outcome(Op("memory", OP.source, target, "1", None, 1), result)


def open_targets(breakers: Breakers) -> list[str | None]:
    return [target for target, _ in breakers.open()]


def test_trouble_of_one_target_is_that_targets() -> None:
    """Also where nothing else is written in the same call: other targets, and the sink, are open
    for business."""
    breakers = Breakers(ManualClock())
    breakers.saw([of("a", MISSING), of("a", MISSING)])
    assert open_targets(breakers) == ["a"]
    assert breakers.refusal("a") is not None
    assert breakers.refusal("b") is None
    assert breakers.refusal() is None


def test_trouble_of_the_sink_is_every_targets() -> None:
    """A server that is down takes nothing for any of them."""
    breakers = Breakers(ManualClock())
    breakers.saw([of("a", DOWN)])
    assert open_targets(breakers) == [None]
    assert breakers.refusal("b") is not None


def test_a_target_that_takes_something_is_in_order_again() -> None:
    """Its breaker closes with the first op that the sink answers for it, not with another's."""
    clock = ManualClock()
    breakers = Breakers(clock)
    breakers.saw([of("a", MISSING)])
    breakers.saw([of("b", Done.WRITTEN)])
    assert open_targets(breakers) == ["a"]
    clock.sleep(FIRST_S)
    breakers.saw([of("a", Done.WRITTEN)])
    breakers.saw([of("a", MISSING)])
    clock.sleep(FIRST_S)
    assert breakers.refusal("a") is None  # the pause began afresh


def test_an_answer_about_a_target_is_an_answer_of_the_sink() -> None:
    """What went unanswered beside it is no outage."""
    breakers = Breakers(ManualClock())
    breakers.saw([of("a", DOWN), of("b", Done.STALE)])
    assert open_targets(breakers) == []


def test_a_refusal_says_how_long_and_after_what() -> None:
    """It is the error of every key that is parked meanwhile."""
    clock = ManualClock()
    breaker = Breaker(clock)
    breaker.saw(outcomes(Throttled("429"), DOWN))
    clock.sleep(4.4)
    assert str(breaker.refusal()) == "not tried for another 11 s, after: down"


def test_it_tells_its_cause_and_when_its_pause_ends() -> None:
    """The last of the errors; the state table shows both."""
    clock = ManualClock()
    breaker = Breaker(clock)
    assert (breaker.cause, breaker.until, breaker.left_s) == (None, 0.0, 0.0)
    breaker.saw(outcomes(Throttled("429"), DOWN))
    assert (breaker.cause, breaker.until) == (DOWN, clock.now + FIRST_S)
    assert breaker.left_s == FIRST_S
    clock.sleep(FIRST_S + 1)
    assert breaker.left_s == 0.0
    breaker.saw(outcomes(Done.WRITTEN))
    assert (breaker.cause, breaker.left_s) == (None, 0.0)
    breaker.saw(outcomes(DOWN))
    assert breaker.left_s == FIRST_S  # as long as the first time


def test_a_target_is_refused_by_its_own_breaker_with_its_own_cause() -> None:
    """And where the sink is down too, with the sink's."""
    breakers = Breakers(ManualClock())
    breakers.saw([of("a", MISSING)])
    own = breakers.refusal("a")
    assert own is not None
    assert own.__cause__ is MISSING
    breakers.saw([of("b", DOWN)])
    whole = breakers.refusal("a")
    assert whole is not None
    assert whole.__cause__ is DOWN
    assert open_targets(breakers) == [None, "a"]


def test_a_target_waits_longer_each_time_as_a_sink_does() -> None:
    """It has a breaker of its own, that remembers."""
    clock = ManualClock()
    breakers = Breakers(clock)
    for pause in (FIRST_S, 2 * FIRST_S):
        breakers.saw([of("a", MISSING)])
        assert breakers.refusal("a") is not None
        clock.sleep(pause - 1)
        assert breakers.refusal("a") is not None
        clock.sleep(1)
        assert breakers.refusal("a") is None


def test_a_target_that_takes_a_part_is_open_for_business() -> None:
    """What is missing for one document of it is not missing for all."""
    breakers = Breakers(ManualClock())
    breakers.saw([of("a", MISSING), of("a", Refused("no"))])
    assert open_targets(breakers) == []


def test_an_outage_of_the_sink_is_no_trouble_of_a_target() -> None:
    """When the sink is back its targets are tried at once."""
    clock = ManualClock()
    breakers = Breakers(clock)
    breakers.saw([of("a", DOWN)])
    clock.sleep(FIRST_S)
    breakers.saw([of("b", Done.WRITTEN)])
    assert breakers.refusal("a") is None
