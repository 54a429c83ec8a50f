"""Reads sinks; one that can't be read is left out of a page, and the others are not."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

from sync.errors import Retry
from sync.runtime.deadline import Deadline
from sync.verify.findings import Page
from sync.writing.comparing import Comparable, Compared, Walk
from sync.writing.op import Op


class Reading:
    """What *sinks* hold. Once a sink can't be read, `page.unread` has the error, and nothing more
    of that sink is read for this page."""

    def __init__(self, sinks: Mapping[str, Comparable]) -> None:
        self._sinks = sinks

    def has(self, op: Op, only: Collection[str] | None) -> bool:
        """Whether the document of *op* can be compared, and its sink is one of *only*."""
        return op.sink in self._sinks and (only is None or op.sink in only)

    def compare(
        self, sink: str, ops: Sequence[Op], page: Page, deadline: Deadline
    ) -> Iterator[Compared]:
        """See `Comparable.compare`; ends early if *sink* can't be read."""
        if sink in page.unread:
            return
        try:
            yield from self._sinks[sink].compare(ops, deadline)
        except Retry as error:
            page.unread[sink] = error

    def ids(
        self, sink: str, target: str, start: str | None, page: Page, deadline: Deadline
    ) -> Walk:
        """See `Comparable.ids`; ends early if *sink* can't be read."""
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
        try:
            return self._sinks[sink].sample(target, count, deadline)
        except Retry as error:
            page.unread[sink] = error
            return []
