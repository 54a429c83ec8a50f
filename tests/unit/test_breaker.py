"""Not waiting on a sink that is down."""

from sync.breaker import FIRST_S, LONGEST_S, Breaker
from sync.errors import Refused, Retry, Throttled, Unavailable
from sync.ops import Done, Op, Outcome, Source
from tests.clocks import ManualClock

OP = Op(Source("t", {"id": {"S": "1"}}), "target", "1", None, 1)
DOWN = Unavailable("down")


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
