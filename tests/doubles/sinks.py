"""Sinks in memory that have their troubles."""

from collections.abc import Callable, Iterable, Sequence

from sync.errors import Refused, Retry
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Op, Outcome, Result

Answer = Callable[[Op], Result | None]


def no_answer(_op: Op) -> None:
    """The op is written."""


class Answering(Memory):
    """Answers an op as *answer* says, and writes those for which it says nothing.

    *calls* has the ops of each write.
    """

    def __init__(self, answer: Answer = no_answer, *, versioned: bool = True) -> None:
        super().__init__(versioned=versioned)
        self.answer = answer
        self.calls: list[Sequence[Op]] = []

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        self.calls.append(ops)
        for op in ops:
            if (result := self.answer(op)) is not None:
                yield Outcome(op, result)
            else:
                yield from super().write([op], deadline)


class Failing(Answering):
    """Answers every op with *error*, as long as there is one."""

    def __init__(self, error: Refused | Retry | None) -> None:
        super().__init__(lambda _: self.error)
        self.error = error
