"""What the commands that compare tables with sinks share: going through steps, page by page."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sync.aws.keys import AttributeMap, keys_in
from sync.commands.parts.differences import Difference, rows_of
from sync.commands.parts.keys import key_names
from sync.commands.parts.paging import PORTION_S
from sync.errors import NotGiven, Retry
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.verify.findings import Page
from sync.verify.verify import CONFIRM_S, Verify

if TYPE_CHECKING:
    from sync.service import Service

MOST: Final = 20_000  # items and documents of one answer
MOST_SAMPLE: Final = 10_000  # of one table or target
MOST_LISTED: Final = 1_000  # differences of one answer, which Lambda limits to 6 MB; see `Page`
KINDS: Final = ("missing", "extra", "different")


class Step(NamedTuple):
    """The items of *table* against the sinks; or, with a *sink*, its documents in *target*."""

    table: str | None
    sink: str | None = None
    target: str = ""


class Place(NamedTuple):
    """A step by its number, and where in it; JSON. None: at its beginning."""

    step: int
    start: Any = None

    def is_of(self, service: "Service", steps: Sequence[Step]) -> bool:
        """Whether a comparison of *steps* can go on here."""
        if type(self.step) is not int or not 0 <= self.step < len(steps):
            return False
        table = steps[self.step].table
        if self.start is None or table is None:
            return isinstance(self.start, str | None)
        keys: AttributeMap | None = keys_in(self.start)
        return keys is not None and set(keys) == set(key_names(service, table))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Which *steps* to go through, and how. *sinks*: the names of those to compare. *sample*: so
    many of each step; None: all. *repair*: resync what differs. *limit*: of one answer."""

    verify: Verify
    steps: Sequence[Step]
    sinks: Collection[str]
    sample: int | None
    repair: bool
    limit: int

    def run(self, service: "Service", place: Place, deadline: Deadline) -> "Compared":
        """Go on at *place*, as far as limits and *deadline* allow. Raises Retry."""
        made = Compared(place)
        steps = self.steps
        while made.next is not None:
            at, start = made.next
            if steps[at].sink in _down(made.unread):
                made.next = self._after(at, None)
                continue
            done = made.counts["items"] + made.counts["documents"]
            late = deadline.remaining() < CONFIRM_S + PORTION_S
            full = self.sample is None and done >= self.limit
            if made.pages and (late or full or len(made.differences) >= MOST_LISTED):
                break
            # What is left over is for the repair.
            within = deadline.within(max(0.0, deadline.remaining() - PORTION_S))
            page = self._page(steps[at], start, self.limit - done, within, _down(made.unread))
            made.add(
                service, page, rows_of(service, page.differences, deadline, repair=self.repair)
            )
            made.next = self._after(at, page.next)
        return made

    def _after(self, at: int, start: Any) -> Place | None:
        if start is not None:
            return Place(at, start)
        return Place(at + 1) if at + 1 < len(self.steps) else None

    def _page(
        self, step: Step, start: Any, left: int, deadline: Deadline, down: Collection[str]
    ) -> Page:
        """What the *step* finds from *start* on, without the sinks that are *down*."""
        verify = self.verify
        sample = None if self.sample is None else min(self.sample, MOST_SAMPLE)
        if step.sink is not None:
            if sample is not None:
                return verify.sample_documents(step.sink, step.target, sample, deadline)
            return verify.documents(step.sink, step.target, start, left, deadline)
        assert step.table is not None  # noqa: S101 - a step without a sink is of a table
        only = {*self.sinks} - {*down}
        if sample is not None:
            return verify.sample_items(step.table, sample, deadline, only=only)
        return verify.items(step.table, start, left, deadline, only=only)


@dataclass(slots=True)
class Compared:
    """What was found. *next*: where to go on; None: all steps are done."""

    next: Place | None
    pages: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    unread: dict[str, Retry] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        """How many documents differed, repaired or not."""
        return sum(self.counts[kind] for kind in KINDS)

    @property
    def faults(self) -> dict[str, Retry]:
        """The sinks that could not be read, but for those that wait for something that a person has
        to supply."""
        return {sink: e for sink, e in self.unread.items() if not isinstance(e, NotGiven)}

    def add(self, service: "Service", page: Page, rows: Sequence[Difference]) -> None:
        """Add *page*, also to the metrics; log which sinks could not be read."""
        self.pages += 1
        self.counts.update(
            items=page.items,
            documents=page.documents,
            busy=page.busy,
            invalid=page.invalid,
            untraced=page.untraced,
        )
        for sink, compared in page.compared.items():
            service.metrics.count(sink, "verified", compared)
        for row in rows:
            self.counts[row["kind"]] += 1
            self.counts["repaired"] += row["repaired"]
            if not row["repaired"]:
                service.metrics.count(row["sink"], "differences")
        self.differences += rows
        for sink, error in page.unread.items():
            self.unread[sink] = error
            if not isinstance(error, NotGiven):
                service.metrics.count(None, "unread")
                logger.warning(
                    "verify can't read a sink", extra={"sink": sink, "error": str(error)}
                )


def _down(unread: Mapping[str, Retry]) -> set[str]:
    """The sinks of which another target can't be read either. To ask again would take minutes."""
    return {sink for sink, error in unread.items() if not error.of_target}
