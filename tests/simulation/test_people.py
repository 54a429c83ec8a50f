"""What people do amid everything: each command does, or refuses, what it is asked, and rows that
somebody changed by hand are found and put right."""

from typing import Any

import pytest

from sync.errors import ConfigError
from tests.simulation import derived, meddling, people
from tests.simulation.invariants import Violated
from tests.simulation.models import CORE, core_keys
from tests.simulation.scenario import draw
from tests.simulation.stack import Stack
from tests.simulation.world import World
from tests.simulation.writes import links


@pytest.fixture
def service() -> Stack:
    stack = Stack(World(1), draw(1))
    stack.calls.trouble.over = True
    return stack


def rest(stack: Stack) -> None:
    stack.world.run(most_steps=100_000)
    assert [error for function in stack.functions for error in function.unexpected] == []


@pytest.mark.parametrize("payload", people.MISTAKES, ids=str)
def test_each_mistake_is_refused(service: Stack, payload: dict[str, Any]) -> None:
    answers: list[Any] = []
    service.command(payload, answers.append, expected=(ConfigError,))
    rest(service)
    assert answers == [None]


def test_a_mistake_that_is_done_is_noticed(service: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the service took what it is given."""
    monkeypatch.setattr(people, "MISTAKES", ({"command": "recover"},) * 3)
    people.mistype(service)
    with pytest.raises(Violated, match="was done"):
        rest(service)


def test_every_command_is_given_its_pages(service: Stack) -> None:
    """A limit of one item leads through the whole table, of which each page tells."""
    items = [core_keys("SHELF", f"S#{n}") for n in range(5)]
    for keys in items:
        service.core.put({**keys, "title": {"S": "t"}})
    rest(service)
    service.store.values.clear()
    people.pages(service, {"command": "resync", "table": CORE, "limit": 2}, 3)
    rest(service)
    assert len(service.store.values) == len(items)


def test_what_somebody_changed_is_put_right(service: Stack) -> None:
    """Whatever it was: counters are others, or gone."""
    random = service.world.random
    for spot in links(random):
        keys = {name: dict(value) for name, value in spot.keys.items()}
        service.core.put({**keys, **spot.values(random, "t")})
    rest(service)
    right = list(service.core)
    assert list(derived.counts(service.core, service.contributions)) == []
    for _ in range(4):
        meddling.meddle(service)
    rest(service)
    with pytest.raises(Violated, match="counters hold"):
        list(derived.counts(service.core, service.contributions))
    meddling.put_right(service, lambda: rest(service))
    assert sorted(service.core, key=str) == sorted(right, key=str)
