"""The second look: what a write in flight explains is no difference."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from sync.aws.items import Items
from sync.errors import RecordError, RegistryError, Unavailable
from sync.recovery.state import state_of
from sync.runtime.deadline import Deadline
from sync.verify.expected import Expected
from sync.verify.findings import Difference, Page, Suspect
from sync.verify.looking import read
from sync.verify.reading import Reading
from sync.writing.comparing import Differs
from sync.writing.op import Op

ROUNDS: Final = 3  # of looking; an item that changed before each of them is busy
SETTLE_S: Final = 10.0  # longer than a write takes from table to sink, unless something is wrong
SLICE: Final = 100  # items in memory at once: one BatchGetItem


class Confirm:
    """Looks again at suspects, each time SETTLE_S after the last look.

    A suspect is a difference if its items have not changed since that look, and the sink still
    holds something else. A write that was under way has arrived by then.
    """

    def __init__(self, expected: Expected, reading: Reading, items: Items) -> None:
        self._expected = expected
        self._reading = reading
        self._items = items

    def run(self, suspects: Iterable[Suspect], page: Page, deadline: Deadline) -> None:
        """Add to *page* those of *suspects* that differ, or are busy. Raises Retry.

        Of a sink that can't be read nothing is said but that.
        """
        waiting = _of_read(suspects, page)
        for _ in range(ROUNDS):
            if not waiting:
                return
            if not deadline.pause(SETTLE_S):
                raise Unavailable("no time is left to look again at what differs")
            changed: list[Suspect] = []
            for at in range(0, len(waiting), SLICE):
                part = waiting[at : at + SLICE]
                for suspect, states, differs in self._look(part, page, deadline):
                    if states == suspect.states:
                        source = next(iter(suspect.sources), None)
                        page.differences.append(Difference(suspect.address, differs, source))
                    else:
                        changed.append(replace(suspect, states=states))
            waiting = _of_read(changed, page)
        page.busy = len(waiting)

    def _look(
        self, suspects: Sequence[Suspect], page: Page, deadline: Deadline
    ) -> Iterator[tuple[Suspect, tuple[str, ...], Differs]]:
        """Those of *suspects* that differ now, each with the states of its items, and how."""
        items = read(self._items, [s for each in suspects for s in each.sources], deadline)
        before = {suspect.address: suspect for suspect in suspects}
        ops: dict[str, list[Op]] = {}
        for suspect in suspects:
            try:
                op = self._expected.at(suspect.address, {s: items[s] for s in suspect.sources})
            except (RecordError, RegistryError):
                page.invalid += 1
                continue
            ops.setdefault(op.sink, []).append(op)
        for sink, of_sink in ops.items():
            for op, differs in self._reading.compare(sink, of_sink, page, deadline):
                if differs is not None:
                    suspect = before[op.address]
                    states = tuple(state_of(items[source]) for source in suspect.sources)
                    yield suspect, states, differs


def _of_read(suspects: Iterable[Suspect], page: Page) -> list[Suspect]:
    """Those of *suspects* whose sinks could be read."""
    return [suspect for suspect in suspects if suspect.address[0] not in page.unread]
