"""How a sink is read: to compare what it holds with what items ask for (sync/verify/)."""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

from sync.errors import Refused
from sync.runtime.deadline import Deadline
from sync.writing.op import Op
from sync.writing.sink import Sink


@dataclass(frozen=True, slots=True)
class Differs:
    """What a sink holds is not what an op asks for.

    *missing*: it holds nothing. *extra*: it holds a document where there should be none.
    *different*: it holds another body; *fields* names the fields at its top level that differ.
    """

    kind: Literal["missing", "extra", "different"]
    fields: tuple[str, ...] = ()


class Compared(NamedTuple):
    """An op, and how its sink differs from it; None: it holds what the op asks for."""

    op: Op
    differs: Differs | None


Walk = Generator[tuple[str, str], None, None]
"""The ids of documents, each with the place after it, from which another walk can go on."""


@runtime_checkable
class Comparable(Protocol):
    """A sink that can be read. Each method raises Retry if the destination does not answer."""

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        """Read the documents of *ops*, and yield one result for each, in any order.

        Sees every write that was answered before, and writes nothing. Values are compared as the
        sink stores them: a document that a write of the op would leave as it is does not differ.
        """
        ...

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        """All documents in *target*; *start*: the place from which an earlier walk goes on.

        Every document that is there during the whole walk is yielded at least once, whatever is
        written meanwhile. Raises ConfigError if *start* is no place of a walk.
        """
        ...

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        """The ids of about *count* documents in *target*, others each time; all if it has fewer."""
        ...


def compared_by(sink: type[Sink]) -> str:
    """What to run for a sink that is not Comparable: its class attribute `compared_by`."""
    return str(getattr(sink, "compared_by", "nothing: it can't be read"))


def compared(
    ops: Iterable[Op],
    most: int,
    check: Callable[[Op], object],
    read: Callable[[str, Sequence[Op]], Iterable[Any]],
) -> Iterator[Compared]:
    """How the documents of *ops* differ, target by target.

    *read* is given a target and at most *most* of its ops, and returns what is held of each, in
    their order, as `differs` takes it. *check* raises Refused for a document that can't be held: it
    is not asked for.
    """
    by_target: dict[str, list[Op]] = {}
    for op in ops:
        try:
            check(op)
        except Refused:
            yield Compared(op, None if op.body is None else Differs("missing"))
        else:
            by_target.setdefault(op.target, []).append(op)
    for target, wanted in by_target.items():
        for at in range(0, len(wanted), most):
            part = wanted[at : at + most]
            for op, held in zip(part, read(target, part), strict=True):
                yield Compared(op, differs(op.body, held))


def differs(asked: bytes | None, held: Any) -> Differs | None:
    """How the document *held*, as `exact` reads it, differs from the body *asked*.

    Either may be None: there should be no document, or there is none.
    """
    if asked is None or held is None:
        return None if asked is held else Differs("extra" if asked is None else "missing")
    wanted = exact(asked)
    if same(wanted, held):
        return None
    if not isinstance(wanted, Mapping) or not isinstance(held, Mapping):
        return Differs("different")
    names = sorted(
        name
        for name in {*wanted, *held}
        if not same(wanted.get(name, _ABSENT), held.get(name, _ABSENT))
    )
    return Differs("different", tuple(names))


def exact(text: bytes | str) -> Any:
    """The value of the JSON *text*, with exact numbers. Raises ValueError."""
    return json.loads(text, parse_float=Decimal)


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are equal. 1 and 1.0 are one number; true is no number."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


_ABSENT: Final = object()  # equal to no value of JSON
