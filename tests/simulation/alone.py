"""Running one thing in a world in which nothing else happens, for tests of the parts."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from tests.simulation.world import World

NOBODY: Final = SimpleNamespace(aws_request_id="alone", container=None)


def pass_time(world: World, seconds: float) -> None:
    world.after(seconds, lambda: None)
    world.run(most_steps=10_000)


def in_task(world: World, run: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """What *run* returns or raises as a task of a machine."""
    ended: list[tuple[Any, BaseException | None]] = []
    world.spawn(run, lambda value, error: ended.append((value, error)), owner=NOBODY)
    world.run(most_steps=10_000)
    (result,) = ended
    return result
