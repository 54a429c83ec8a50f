"""`dlq list`: dead letters of one status, oldest first, and how many fail for the same cause."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypedDict

from pydantic import Field

from sync.commands.parts.argument import AtMost
from sync.commands.parts.letters import Filters
from sync.commands.parts.paging import Cursor
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

MOST_LISTED: Final = 2_000  # rows of one answer, which Lambda limits to 6 MB
_GROUPED_BY: Final = ("kind", "sink", "model", "error_class")


class Group(TypedDict):
    """How many dead letters have the same kind, sink, model and error class."""

    kind: str | None
    sink: str | None
    model: str | None
    error_class: str | None
    count: int
    oldest: str
    newest: str


class Listed(TypedDict):
    """Rows as `Row.summary` returns them, and the groups of these rows alone."""

    groups: list[Group]
    rows: list[dict[str, Any]]
    cursor: str | None


class DlqList(Filters):
    """List dead letters, oldest first, grouped by sink, model and error.

    Raises Retry if the dead-letter table does not answer.
    """

    status: Literal["open", "replayed", "discarded"] = Field("open", description="with this status")
    limit: Annotated[int, AtMost(MOST_LISTED)] = Field(
        MOST_LISTED, ge=1, description="at most so many dead letters"
    )
    cursor: Cursor = None

    def run(self, service: "Service", deadline: Deadline) -> Listed:
        rows, cursor = service.dead_letter_table.page(
            self.filter(self.status), limit=self.limit, cursor=self.cursor, deadline=deadline
        )
        shown = [row.summary() for row in rows]
        return {"groups": groups(shown), "rows": shown, "cursor": cursor}


def groups(rows: Iterable[Mapping[str, Any]]) -> list[Group]:
    """Group summaries of rows by kind, sink, model and error class, the largest group first."""
    found: dict[tuple[Any, ...], Group] = {}
    for row in rows:
        key = tuple(row.get(part) for part in _GROUPED_BY)
        kind, sink, model, error_class = key
        group = found.setdefault(
            key,
            {
                "kind": kind,
                "sink": sink,
                "model": model,
                "error_class": error_class,
                "count": 0,
                "oldest": row["first_at"],
                "newest": row["last_at"],
            },
        )
        group["count"] += 1
        group["oldest"] = min(group["oldest"], row["first_at"])
        group["newest"] = max(group["newest"], row["last_at"])
    return sorted(found.values(), key=lambda group: (-group["count"], group["oldest"]))
