"""What every step of the demo works with: the stack, its servers, and the items written."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.checker import (
    Collections,
    Documents,
    Expectation,
    Report,
    check_counters,
    check_default_images,
    check_items,
)
from local.data import Item
from local.data.images import Camera
from local.demo.figures import Failed, Figures
from local.demo.letters import Desk
from local.demo.screen import Screen
from local.demo.stack import LocalStack
from local.demo.tables import Tables

_SHOWN = 10  # differences on the screen


@dataclass(slots=True)
class Fleet:
    """Registered aircraft, their links and their images, as last written."""

    registrations: dict[str, Item] = field(default_factory=dict)  # by mark
    links: dict[str, Item] = field(default_factory=dict)  # by sort key
    images: dict[str, list[Item]] = field(default_factory=dict)  # by partition, oldest first
    camera: Camera = field(default_factory=Camera)

    @property
    def items(self) -> list[Item]:
        images = [image for album in self.images.values() for image in album]
        return [*self.registrations.values(), *self.links.values(), *images]


@dataclass(slots=True)
class Scene:
    """The stack, its readers and writers, and the figures so far."""

    stack: LocalStack
    screen: Screen
    tables: Tables
    documents: Documents
    expectation: Expectation
    collections: Collections
    collected: Expectation  # the documents expected in the collections
    desk: Desk
    figures: Figures = field(default_factory=Figures)
    products: dict[str, Item] = field(default_factory=dict)  # as last written, by id
    manufacturers: list[Item] = field(default_factory=list)
    fleet: Fleet = field(default_factory=Fleet)

    @classmethod
    def of(cls, stack: LocalStack, screen: Screen) -> "Scene":
        expectation = Expectation()
        known, there = sorted(expectation.aliases), sorted(stack.aliases)
        if known != there:
            raise Failed(f"the checker knows the aliases {known}, and the stack has {there}")
        return cls(
            stack,
            screen,
            Tables(stack.client("dynamodb"), stack.tables, expectation),
            Documents(stack.opensearch_url),
            expectation,
            Collections(stack.typesense_url, stack.typesense_api_key),
            Expectation.of_typesense(),
            Desk(stack.command),
            Figures(left_out=dict(stack.left_out)),
        )

    @property
    def with_typesense(self) -> bool:
        """Whether the stack has a Typesense."""
        return "typesense" not in self.figures.left_out

    def check(self) -> None:
        """Compare everything with the tables, show the results and keep the figures.

        Raises Failed for any difference, and if there was nothing to compare.
        """
        items = self.tables.values()
        searched = check_items(items, self.documents, self.expectation)
        counters, images = check_counters(items), check_default_images(items)
        figures = self.figures
        figures.table_items = searched.items
        figures.documents = searched.documents
        figures.mismatches = searched.mismatches
        figures.counters = {"counters": counters.counters, "drift": len(counters.drift)}
        figures.default_images = {"entities": images.entities, "invalid": len(images.invalid)}
        self._require_equal("OpenSearch", searched)
        if self.with_typesense:
            collected = check_items(items, self.collections, self.collected)
            figures.typesense = {
                "documents": collected.documents,
                "mismatches": collected.mismatches,
            }
            self._require_equal("Typesense", collected)
        self._require_none("counters differ from a recount of the links", counters.drift)
        self.screen.good(f"{counters.counters:,} counters, each as a recount of the links has it")
        self._require_none("default images are not right", images.invalid)
        self.screen.good(
            f"{images.entities:,} entities with images, each with a default image that exists"
        )

    def _require_equal(self, server: str, report: Report) -> None:
        if not report.equal:
            self._show(report)
            why = f"{report.mismatches:,} mismatches"
            if report.empty:
                why += f", nothing to compare in {', '.join(report.empty)}"
            raise Failed(f"tables and documents in {server} differ: {why}")
        self.screen.good(
            f"{report.items:,} items, {report.documents:,} documents in {server}, "
            "compared field by field: no difference"
        )

    def _require_none(self, what: str, faults: list[str]) -> None:
        for fault in faults[:_SHOWN]:
            self.screen.bad(fault)
        if faults:
            raise Failed(f"{len(faults):,} {what}")

    def _show(self, report: Report) -> None:
        rows = [
            *(("missing", ref.alias, ref.id, "") for ref in report.missing),
            *(("extra", ref.alias, ref.id, "") for ref in report.extra),
            *(("different", ref.alias, ref.id, what) for ref, what in report.different),
        ]
        self.screen.table(["", "alias", "document", "difference"], rows[:_SHOWN])
        if len(rows) > _SHOWN:
            self.screen.say(f"… and {len(rows) - _SHOWN:,} more")


def now() -> str:
    """The time in ISO 8601, UTC, with microseconds; later texts compare greater."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
