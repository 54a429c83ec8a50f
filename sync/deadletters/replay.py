"""Replaying dead letters: resyncs their keys. The stored bodies are never written."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sync.aws.items import Found, Items
from sync.aws.keys import Source
from sync.deadletters.row import REPLAYED, Row
from sync.deadletters.table import DeadLetterTable
from sync.errors import RecordError, RegistryError, Retry
from sync.model.registry import Registry
from sync.recovery.by_hand import ByHand
from sync.recovery.parking import Parked
from sync.recovery.resync import Settled, Unmatched
from sync.recovery.state import state_of
from sync.runtime.deadline import Deadline
from sync.writing.op import Done

AT_ONCE: Final = 100  # keys in one resync: one BatchGetItem


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a row: "replayed", "failed", "no keys" or "not open"; *why*: for people."""

    row: Row
    result: str
    why: str

    def plain(self) -> dict[str, str]:
        """The result as a JSON object, for a command's answer."""
        return {"id": self.row.id, "result": self.result, "why": self.why}


class Replay:
    """Resyncs the keys of dead-letter rows, and resolves the rows whose resync succeeded."""

    def __init__(
        self,
        registry: Registry,
        resync: ByHand,
        items: Items,
        table: DeadLetterTable,
        *,
        queued: Collection[str] = (),
    ) -> None:
        """*queued*: names of the sinks that are written through lanes."""
        self._registry = registry
        self._resync = resync
        self._items = items
        self._table = table
        self._queued = queued

    def run(self, rows: Sequence[Row], deadline: Deadline) -> Iterator[Replayed]:
        """Replay the open *rows*, at most 100 of one sink at once; yields the result of each.

        Idempotent, and safe if run twice at once: a replay writes what the items say, and a row is
        resolved once. Raises Retry if the dead-letter table does not respond.
        """
        by_sink: dict[str | None, list[Row]] = {}
        for row in rows:
            if row.keys is None or row.table is None:
                yield Replayed(row, "no keys", _without_keys(row))
            elif error := self._wrong_key(row):
                yield self._failed(row, error, None)
            else:
                by_sink.setdefault(row.sink, []).append(row)
        for sink, members in by_sink.items():
            for at in range(0, len(members), AT_ONCE):
                yield from self._resync_rows(sink, members[at : at + AT_ONCE], deadline)

    def changed(self, rows: Sequence[Row], deadline: Deadline) -> list[Row]:
        """The *rows* whose item has changed since they last failed: a replay may succeed now.

        An item counts as changed if its earlier state is unknown, and as unchanged if it can't be
        read now.
        """
        sources = {
            row.id: _source(row)
            for row in rows
            if row.keys and row.table and not self._wrong_key(row)
        }
        found = self._items.read(list(sources.values()), deadline)
        return [row for row in rows if row.id in sources and _differs(row, found[sources[row.id]])]

    def _wrong_key(self, row: Row) -> Exception | None:
        """Why the row's key does not fit its table, which would fail the whole BatchGetItem."""
        try:
            self._registry.match(row.table or "", row.keys or {})
        except (RecordError, RegistryError) as error:
            return error
        return None

    def _resync_rows(
        self, sink: str | None, rows: Sequence[Row], deadline: Deadline
    ) -> Iterator[Replayed]:
        by_source = {_source(row): row for row in rows}
        keys = [Parked(source, row.after) for source, row in by_source.items()]
        # Untried keys need no parking: their rows stay open, and can be replayed again.
        for settled in self._resync.run(keys, deadline, only=sink, park_untried=False):
            yield self._settle(settled, by_source[settled.key.source])

    def _settle(self, settled: Settled, row: Row) -> Replayed:
        if isinstance(settled.verdict, Done | Unmatched):
            why = self._how(settled, row)
            found = None if isinstance(settled.found, Retry) else settled.found
            if self._table.resolve(row, REPLAYED, why, wrote=settled.version, item=found):
                return Replayed(row, "replayed", why)
            return Replayed(row, "not open", "resolved, or failed again, in the meantime")
        return self._failed(row, settled.verdict, settled.found)

    def _failed(self, row: Row, error: Exception, found: Found) -> Replayed:
        state: str | None = None
        if not isinstance(error, Retry) and not isinstance(found, Retry):
            state = state_of(found)  # until the item changes, a replay would fail again
        if not self._table.failed(row, error, state=state):
            return Replayed(row, "not open", "resolved in the meantime")
        return Replayed(row, "failed", f"{type(error).__name__}: {error}")

    def _how(self, settled: Settled, row: Row) -> str:
        """How the row was resolved, for people."""
        if isinstance(settled.verdict, Unmatched):
            into = f"{row.sink} from it" if row.sink else "anything from it"
            return f"no model wants this key, or feeds {into}, any more: nothing was written"
        if row.sink in self._queued:
            return f"sent anew, as the table has it; what {row.sink} refuses becomes a dead letter"
        if settled.found is None:
            return "the item is gone; so is its document now"
        return "written as the table has it, and verified"


def _source(row: Row) -> Source:
    return Source(row.table or "", row.keys or {})


def _differs(row: Row, found: Found) -> bool:
    return not isinstance(found, Retry) and row.state != state_of(found)


def _without_keys(row: Row) -> str:
    """What a person can do about a row without keys."""
    if row.kind == "lost-range":
        return f"run python -m sync resync --table {row.table}, then discard it"
    if row.sink is not None:  # an unreadable message of its lanes
        return f"resync the tables of its sink with --sink {row.sink}, then discard it"
    return f"a row of kind {row.kind} without keys can only be discarded"
