"""Reads sinks; one that can't be read is left out of a page, and the others are not."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from sync.errors import Retry
from sync.runtime.deadline import Deadline
from sync.verify.findings import Page
from sync.writing.comparing import Comparable, Compared, Walk
from sync.writing.op import Op


class Reading:
    """What *sinks* hold. Once a sink can't be read, `page.unread` has the error, and nothing more
    of that sink is read for this page.

    *instead*: the targets to be read in place of others, by the sink's name and the other's. If it
    has any, only the documents of these others are compared. All that is told names the others.
    """

    def __init__(
        self,
        sinks: Mapping[str, Comparable],
        instead: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._sinks = sinks
        self._instead = instead or {}
        self._back = {(sink, read): target for (sink, target), read in self._instead.items()}

    def has(self, op: Op, only: Collection[str] | None) -> bool:
        """Whether the document of *op* can be compared, and its sink is one of *only*."""
        return (
            op.sink in self._sinks
            and (only is None or op.sink in only)
            and (not self._instead or (op.sink, op.target) in self._instead)
        )

    def compare(
        self, sink: str, ops: Sequence[Op], page: Page, deadline: Deadline
    ) -> Iterator[Compared]:
        """See `Comparable.compare`; ends early if *sink* can't be read."""
        if sink in page.unread:
            return
        try:
            there = [_moved(op, self._instead) for op in ops]
            for op, differs in self._sinks[sink].compare(there, deadline):
                yield Compared(_moved(op, self._back), differs)
        except Retry as error:
            page.unread[sink] = error

    def ids(
        self, sink: str, target: str, start: str | None, page: Page, deadline: Deadline
    ) -> Walk:
        """See `Comparable.ids`; ends early if *sink* can't be read."""
        target = self._instead.get((sink, target), target)
        try:
            with closing(self._sinks[sink].ids(target, start, deadline)) as walk:
                for each in walk:
                    yield each
                    if sink in page.unread:
                        return
        except Retry as error:
            page.unread[sink] = error

    def sample(
        self, sink: str, target: str, count: int, page: Page, deadline: Deadline
    ) -> Sequence[str]:
        """See `Comparable.sample`; none if *sink* can't be read."""
        target = self._instead.get((sink, target), target)
        try:
            return self._sinks[sink].sample(target, count, deadline)
        except Retry as error:
            page.unread[sink] = error
            return []


def _moved(op: Op, to: Mapping[tuple[str, str], str]) -> Op:
    """*op* in the target that *to* names for its own; else as it is."""
    target = to.get((op.sink, op.target))
    return op if target is None else replace(op, target=target)
