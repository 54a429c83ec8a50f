"""A sink in memory whose targets can be reindexed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.errors import Misconfigured
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.comparing import Compared, Walk
from sync.writing.op import Op, Outcome
from sync.writing.shadows import SHADOW, Places, of_both


class Shadowed(Memory):
    """Each target is an alias of the place `<target>-v1`, and can have a shadow."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Places] = {}
        self.made: list[Mapping[str, Any]] = []  # the schemas of shadows

    def places(self, target: str) -> Places:
        return self.known.get(target, Places(f"{target}-v1", None))

    def shadow(self, target: str, schema: Mapping[str, Any], deadline: Deadline) -> Places:
        del deadline
        found = self.places(target)
        assert found.live is not None
        if found.shadow is None:
            self.made.append(schema)
            number = int(found.live.rpartition("-v")[2]) + 1
            self.known[target] = Places(found.live, f"{target}-v{number}")
        return self.places(target)

    def swap(self, target: str, live: str, deadline: Deadline) -> Places:
        del deadline
        found = self.places(target)
        if found.live != live:
            if found.shadow != live:
                raise Misconfigured(f"{live} is not the shadow of {target}")
            self.known[target] = Places(live, found.live)
        return self.places(target)

    def drop(self, target: str, shadow: str) -> Places:
        found = self.places(target)
        if found.shadow != shadow:
            raise Misconfigured(f"{shadow} is not the shadow of {target}")
        self.known[target] = Places(found.live, None)
        for place in [each for each in self.documents if each[0] == shadow]:
            del self.documents[place]
            del self._versions[place]
        return self.places(target)

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        for op in ops:
            found = self.places(op.target)
            (live,) = super().write([replace(op, target=str(found.live))], deadline)
            result = live.result
            if found.shadow is not None:
                (shadow,) = super().write([replace(op, target=found.shadow)], deadline)
                result = of_both(op, live.result, shadow.result, found)
            yield Outcome(op, result)

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        for op in ops:
            there = replace(op, target=self.place(op.target))
            for _, differs in super().compare([there], deadline):
                yield Compared(op, differs)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        return super().ids(self.place(target), start, deadline)

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        return super().sample(self.place(target), count, deadline)

    def place(self, alias: str) -> str:
        """What is behind *alias*. Raises Misconfigured."""
        target = alias.removesuffix(SHADOW)
        found = self.places(target)
        place = found.live if target == alias else found.shadow
        if place is None:
            raise Misconfigured(f"there is no alias {alias}", of_target=True)
        return place
