"""Every state a small world can get into, and a shortest way to a bad one."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)


class Explored(NamedTuple):
    """How many states there are, how many of them are at rest, and how a bad one is reached."""

    states: int
    at_rest: int
    history: list[str] | None


def explore(
    start: S,
    steps: Callable[[S], Iterable[tuple[str, S]]],
    *,
    at_rest: Callable[[S], bool],
    good: Callable[[S], bool],
) -> Explored:
    """Take every step from every state; stop at the first state at rest that is not *good*."""
    came: dict[S, tuple[S, str] | None] = {start: None}
    waiting = deque([start])
    resting = 0
    while waiting:
        state = waiting.popleft()
        if at_rest(state):
            resting += 1
            if not good(state):
                return Explored(len(came), resting, _history(came, state))
        for name, after in steps(state):
            if after not in came:
                came[after] = state, name
                waiting.append(after)
    return Explored(len(came), resting, None)


def _history(came: dict[S, tuple[S, str] | None], state: S) -> list[str]:
    names = []
    while (step := came[state]) is not None:
        state, name = step
        names.append(name)
    return names[::-1]
