"""`verify`: compare tables and sinks both ways, values included, and repair what differs."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypedDict

from pydantic import Field

from sync.aws.keys import AttributeMap, keys_in
from sync.commands.parts.argument import AtMost
from sync.commands.parts.command import Command
from sync.commands.parts.differences import Difference, rows_of
from sync.commands.parts.keys import check_sink, key_names
from sync.commands.parts.paging import PORTION_S, Cursor, no_cursor
from sync.errors import ConfigError, NotGiven, Retry
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.runtime.log import logger
from sync.verify.findings import Page
from sync.verify.verify import CONFIRM_S
from sync.writing.comparing import Comparable, compared_by

if TYPE_CHECKING:
    from sync.service import Service

MOST: Final = 20_000  # items and documents of one answer
MOST_SAMPLE: Final = 10_000  # of one table or target
MOST_LISTED: Final = 1_000  # differences of one answer, which Lambda limits to 6 MB; see `Page`


class Checked(TypedDict):
    """How many items were compared with sinks, and how many documents with tables."""

    items: int
    documents: int


class Verified(TypedDict):
    """What differs. *repaired* counts those of missing, extra and different that were repaired.

    Not counted there: *busy* documents, whose items changed at each look; *invalid* items, which
    their models refuse; *untraced* documents, whose ids say nothing of a key. *not_compared* says
    for each other sink what to run instead, or why it could not be read; *unread* names those of
    them that should have been read: their documents may differ.
    """

    checked: Checked
    missing: int
    extra: int
    different: int
    repaired: int
    busy: int
    invalid: int
    untraced: int
    not_compared: dict[str, str]
    unread: list[str]
    differences: list[Difference]
    cursor: str | None


class Step(NamedTuple):
    """The items of *table* against the sinks; or, with a *sink*, its documents in *target*."""

    table: str | None
    sink: str | None = None
    target: str = ""


class Verify(Command):
    """Compare tables and sinks both ways, values included, and repair what differs.

    Writes may go on meanwhile: what differs is looked at again after a pause, and counts only if
    its item has not changed. A sink that can't be read does not stop the comparison of the others.
    Raises ConfigError for a table or sink that no model has, or a sink that can't be compared;
    Retry if a table can't be read, or the sink that is named.
    """

    table: str | None = Field(None, description="full name of one table; without it all tables")
    sink: str | None = Field(None, description="compare this sink alone")
    sample: int | None = Field(
        None,
        ge=1,
        description="look only at so many items of each table, and documents of each target, "
        f"others each time; at most {MOST_SAMPLE:,}",
    )
    repair: bool = Field(False, description="resync what differs")
    limit: Annotated[int, AtMost(MOST)] = Field(
        MOST, ge=1, description="at most so many items and documents; a sample has its own"
    )
    cursor: Cursor = None

    def run(self, service: "Service", deadline: Deadline) -> Verified:
        steps = list(self._steps(service))
        at, start = self._place(service, steps)
        counts: Counter[str] = Counter()
        not_compared = self._not_compared(service)
        unread: dict[str, Retry] = {}
        found: list[Difference] = []
        while True:
            left = self.limit - counts["items"] - counts["documents"]
            # What is left over is for the repair.
            within = deadline.within(max(0.0, deadline.remaining() - PORTION_S))
            page = self._page(service, steps[at], start, left, within, _down(unread))
            self._check(page)
            rows = rows_of(service, page.differences, deadline, repair=self.repair)
            _count(service, counts, page, rows)
            unread |= page.unread
            found += rows
            at, start = (at, page.next) if page.next is not None else (at + 1, None)
            while at < len(steps) and steps[at].sink in _down(unread):
                at, start = at + 1, None
            full = not self.sample and counts["items"] + counts["documents"] >= self.limit
            late = deadline.remaining() < CONFIRM_S + PORTION_S
            if at == len(steps) or full or late or len(found) >= MOST_LISTED:
                break
        return {
            "checked": {"items": counts["items"], "documents": counts["documents"]},
            "missing": counts["missing"],
            "extra": counts["extra"],
            "different": counts["different"],
            "repaired": counts["repaired"],
            "busy": counts["busy"],
            "invalid": counts["invalid"],
            "untraced": counts["untraced"],
            "not_compared": not_compared | {sink: str(error) for sink, error in unread.items()},
            "unread": sorted(_faults(unread)),
            "differences": found,
            "cursor": None if at == len(steps) else strict([at, start]),
        }

    def _page(
        self,
        service: "Service",
        step: Step,
        start: Any,
        left: int,
        deadline: Deadline,
        down: Collection[str],
    ) -> Page:
        """What the *step* finds from *start* on, without the sinks that are *down*."""
        verify = service.verify
        sample = None if self.sample is None else min(self.sample, MOST_SAMPLE)
        if step.sink is not None:
            if sample is not None:
                return verify.sample_documents(step.sink, step.target, sample, deadline)
            return verify.documents(step.sink, step.target, start, left, deadline)
        assert step.table is not None  # noqa: S101 - a step without a sink is of a table
        asked = service.sinks if self.sink is None else [self.sink]
        only = {*asked} - {*down}
        if sample is not None:
            return verify.sample_items(step.table, sample, deadline, only=only)
        return verify.items(step.table, start, left, deadline, only=only)

    def _check(self, page: Page) -> None:
        """Raises Retry if the sink that is asked for can't be read."""
        if self.sink in _faults(page.unread):
            raise page.unread[self.sink]

    def _steps(self, service: "Service") -> Iterator[Step]:
        """First the tables, then the targets of each sink. Raises ConfigError."""
        check_sink(service, self.sink)
        if self.table is not None:
            key_names(service, self.table)
        targets: list[Step] = []
        tables: set[str] = set()
        for kind in service.registry.sinks:
            if self.sink not in (None, kind.name):
                continue
            if not isinstance(service.sinks[kind.name], Comparable):
                if self.sink is not None:
                    raise ConfigError(f"{kind.name} can't be compared; run: {compared_by(kind)}")
                continue
            for _, table, target in service.registry.feeding(kind):
                if self.table in (None, table):
                    tables.add(table)
                    targets.append(Step(None, kind.name, target))
        if not targets:
            raise ConfigError("no model feeds a sink that can be compared")
        yield from (Step(table) for table in sorted(tables))
        yield from sorted(set(targets), key=str)

    def _not_compared(self, service: "Service") -> dict[str, str]:
        return {
            kind.name: f"run: {compared_by(kind)}"
            for kind in service.registry.sinks
            if self.sink is None and not isinstance(service.sinks[kind.name], Comparable)
        }

    def _place(self, service: "Service", steps: Sequence[Step]) -> tuple[int, Any]:
        """Which of *steps* the cursor is in, and where. Raises ConfigError."""
        if self.cursor is None:
            return 0, None
        try:
            at, start = json.loads(self.cursor)
        except (ValueError, TypeError) as error:
            raise no_cursor(self.cursor) from error
        if type(at) is not int or not 0 <= at < len(steps):
            raise no_cursor(self.cursor)
        table = steps[at].table
        if start is not None and not (
            isinstance(start, str) if table is None else _is_key(service, table, start)
        ):
            raise no_cursor(self.cursor)
        return at, start


def _is_key(service: "Service", table: str, start: Any) -> bool:
    keys: AttributeMap | None = keys_in(start)
    return keys is not None and set(keys) == set(key_names(service, table))


def _faults(unread: Mapping[str, Retry]) -> dict[str, Retry]:
    """Those of *unread* that do not just wait for something that a person has to supply."""
    return {sink: error for sink, error in unread.items() if not isinstance(error, NotGiven)}


def _down(unread: Mapping[str, Retry]) -> set[str]:
    """The sinks of which another target can't be read either. To ask again would take minutes."""
    return {sink for sink, error in unread.items() if not error.of_target}


def _count(
    service: "Service", counts: Counter[str], page: Page, rows: Sequence[Difference]
) -> None:
    """Add *page* to *counts*, and to the metrics; log which sinks could not be read."""
    counts.update(
        items=page.items,
        documents=page.documents,
        busy=page.busy,
        invalid=page.invalid,
        untraced=page.untraced,
    )
    for sink, compared in page.compared.items():
        service.metrics.count(sink, "verified", compared)
    for row in rows:
        counts[row["kind"]] += 1
        counts["repaired"] += row["repaired"]
        if not row["repaired"]:
            service.metrics.count(row["sink"], "differences")
    for sink, error in _faults(page.unread).items():
        service.metrics.count(None, "unread")
        logger.warning("verify can't read a sink", extra={"sink": sink, "error": str(error)})
