"""`resync`: bring sinks in line with a table, for some keys or for every item."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypedDict

from pydantic import Field

from sync.aws.keys import Source, keys_in
from sync.commands.parts.argument import AtMost, Key
from sync.commands.parts.command import Command
from sync.commands.parts.keys import Table, check_sink, checked, key_names
from sync.commands.parts.paging import PORTION_S, Cursor, no_cursor
from sync.commands.parts.resynced import resynced
from sync.errors import Retry
from sync.recovery.resync import Unmatched
from sync.recovery.tables import keys_of
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.writing.op import Done

if TYPE_CHECKING:
    from sync.service import Service

MOST_KEYS: Final = 20_000  # of one answer
_MOST_FAILURES: Final = 2_000  # of one answer, which Lambda limits to 6 MB
_AT_ONCE: Final = 100  # keys of one portion: one BatchGetItem reads their items


class Failure(TypedDict):
    """A key whose documents could not be brought in line, and why."""

    keys: Any
    error: str


class Resynced(TypedDict):
    """How many keys had which result, and the keys that are parked or failed.

    A "parked" key is retried automatically; a "failed" key is a dead letter now.
    """

    counts: dict[str, int]  # "written", "unmatched", "parked", "failed", "would be written"
    failures: list[Failure]
    cursor: str | None


class Resync(Command):
    """Bring sinks in line with a table: read items, write what they say, and verify.

    Deletes the documents of a key whose item is gone. Without keys it reads all items of the table,
    so it does not find documents without an item. Raises ConfigError for a table or key that no
    model has, Retry if the table can't be scanned.
    """

    table: Table
    keys: list[Key] = Field([], description="keys of the items; without keys every item")
    sink: str | None = Field(None, description="write to this sink alone")
    dry_run: bool = Field(False, description="count only, and do nothing")
    limit: Annotated[int, AtMost(MOST_KEYS)] = Field(
        MOST_KEYS, ge=1, description="at most so many items"
    )
    cursor: Cursor = None

    def run(self, service: "Service", deadline: Deadline) -> Resynced:
        names = key_names(service, self.table)
        check_sink(service, self.sink)
        keys = [checked(service, self.table, key, names) for key in self.keys]
        counts: Counter[str] = Counter()
        failed: list[Failure] = []
        start = self._start(names)
        while True:
            most = min(_AT_ONCE, self.limit - sum(counts.values()))
            if keys:
                end = (start or 0) + most
                sources = [Source(self.table, key) for key in keys[start or 0 : end]]
                start = end if end < len(keys) else None
            else:
                sources, start = keys_of(service.clients, self.table, names, start, most)
            self._resync(service, sources, deadline, counts, failed)
            full = sum(counts.values()) >= self.limit or len(failed) >= _MOST_FAILURES
            if start is None or full or deadline.remaining() < PORTION_S:
                cursor = None if start is None else strict(start)
                return {"counts": dict(counts), "failures": failed, "cursor": cursor}

    def _start(self, names: Sequence[str]) -> Any:
        """Where the cursor points: a place in the payload's keys, or a key of the table."""
        if self.cursor is None:
            return None
        try:
            start = json.loads(self.cursor)
        except ValueError as error:
            raise no_cursor(self.cursor) from error
        if self.keys:
            good = type(start) is int and 0 <= start < len(self.keys)
        else:
            good = keys_in(start) is not None and set(start) == set(names)
        if not good:
            raise no_cursor(self.cursor)
        return start

    def _resync(
        self,
        service: "Service",
        sources: Sequence[Source],
        deadline: Deadline,
        counts: Counter[str],
        failed: list[Failure],
    ) -> None:
        """Bring *sources* in line, and add their results to *counts* and *failed*."""
        if self.dry_run:
            for source in sources:
                matched = service.registry.match(source.table, source.keys)
                counts["would be written" if matched else "unmatched"] += 1
            return
        for source, verdict in resynced(service, sources, self.sink, deadline.within(PORTION_S)):
            if isinstance(verdict, Done):
                counts["written"] += 1
            elif isinstance(verdict, Unmatched):
                counts["unmatched"] += 1
            else:
                counts["parked" if isinstance(verdict, Retry) else "failed"] += 1
                error = f"{type(verdict).__name__}: {verdict}"
                failed.append({"keys": source.keys, "error": error})
