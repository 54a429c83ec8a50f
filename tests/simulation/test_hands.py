"""What people and strangers do is looked at, whatever became of it."""

from functools import partial

import pytest

from tests.simulation import hands
from tests.simulation.invariants import Violated
from tests.simulation.scenario import draw
from tests.simulation.stack import Stack
from tests.simulation.world import World


@pytest.fixture
def quiet() -> Stack:
    stack = Stack(World(1), draw(1))
    stack.calls.trouble.over = True
    return stack


def send(stack: Stack, count: int) -> None:
    for _ in range(count):
        stack.world.after(0.0, partial(hands.befall, stack, "strange"))
    stack.world.run(most_steps=100_000)


def test_what_strangers_send_is_kept_as_it_came(quiet: Stack) -> None:
    """On whatever queue, after as many tries as that has."""
    send(quiet, 12)
    assert len(hands.needless(quiet)) == len(quiet.strange) == 12


def test_a_message_that_is_nowhere_kept_is_noticed(quiet: Stack) -> None:
    """One that was dropped quietly, for one."""
    send(quiet, 1)
    quiet.dead_letters.items.clear()
    with pytest.raises(Violated, match="nobody kept it"):
        hands.needless(quiet)


def test_what_nobody_knows_is_refused(quiet: Stack) -> None:
    """A misspelt incident would never happen."""
    with pytest.raises(ValueError, match="earthquake"):
        hands.befall(quiet, "earthquake")
