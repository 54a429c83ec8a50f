"""What every step of the demo works with."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.checker import Documents, Expectation, Report, check
from local.demo.figures import Failed, Figures
from local.demo.letters import Desk
from local.demo.screen import Screen
from local.demo.stack import LocalStack
from local.demo.tables import Tables

_SHOWN = 10  # divergences


@dataclass(slots=True)
class Scene:
    """The stack, ways to read and write it, and what was found so far."""

    stack: LocalStack
    screen: Screen
    tables: Tables
    documents: Documents
    expectation: Expectation
    desk: Desk
    figures: Figures = field(default_factory=Figures)
    products: dict[str, dict[str, Any]] = field(default_factory=dict)  # as last written, by id
    manufacturers: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, stack: LocalStack, screen: Screen) -> "Scene":
        expectation = Expectation()
        known, there = sorted(place.alias for place in expectation.places), sorted(stack.aliases)
        if known != there:
            raise Failed(f"the checker knows the aliases {known}, and the stack has {there}")
        return cls(
            stack,
            screen,
            Tables(stack.client("dynamodb"), stack.tables, expectation),
            Documents(stack.opensearch_url),
            expectation,
            Desk(stack.command),
        )

    def check(self) -> Report:
        """Hold every item against its document, show what was found and keep the figures.

        Raises Failed for any divergence, and where there was nothing to compare.
        """
        report = check(self.tables.dynamodb, self.stack.tables, self.documents, self.expectation)
        self.figures.table_items = report.items
        self.figures.documents = report.documents
        self.figures.mismatches = report.mismatches
        if not report.equal:
            self._show(report)
            why = f"{report.mismatches:,} mismatches"
            if report.empty:
                why += f", nothing to compare in {', '.join(report.empty)}"
            raise Failed(f"tables and documents differ: {why}")
        self.screen.good(
            f"{report.items:,} items, {report.documents:,} documents, "
            "compared field by field: no difference"
        )
        return report

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
    """ISO 8601, UTC, microseconds; texts of two moments compare as the moments do."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
