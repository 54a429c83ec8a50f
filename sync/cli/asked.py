"""One command as a person typed it: its payload, how to run it, and where to draw the answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sync.cli.calls import Answer, Call, Payload, pages
from sync.cli.screen import Screen


@dataclass(frozen=True, slots=True)
class Asked:
    """*as_json*: one line of JSON, and nothing else, on standard output."""

    payload: Payload
    call: Call
    screen: Screen
    stage: str
    as_json: bool

    def answer(self) -> Answer:
        """The answer to a command that has no pages."""
        return self.call(self.payload)

    def pages(self, held: Callable[[Answer], int], *, size: int) -> Iterator[Answer]:
        """The answers, page by page; see `calls.pages`."""
        return pages(self.call, self.payload, held=held, size=size)


Draw: TypeAlias = Callable[[Asked], int]
"""Runs the command, draws the answer, and returns the exit code."""


def plain(asked: Asked) -> int:
    """Draws a command that has no own drawing: one page of its answer, value by value."""
    answer = asked.answer()
    if asked.as_json:
        asked.screen.json(answer)
    else:
        asked.screen.fields(answer)
    return 0
