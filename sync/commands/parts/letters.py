"""Selects the dead letters that a command is about: by id, by filters, or all open ones."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Self, TypeAlias, TypedDict

from pydantic import AfterValidator, Field, model_validator

from sync.commands.parts.argument import AtMost, Positional
from sync.commands.parts.command import Command
from sync.commands.parts.paging import PORTION_S, Cursor, no_cursor
from sync.deadletters.row import OPEN, Row
from sync.deadletters.table import DeadLetterTable, Filter
from sync.runtime.deadline import Deadline

MOST_CHOSEN: Final = 1_000
_AT_ONCE: Final = 100  # rows of one portion: one BatchGetItem reads their items


class Result(TypedDict):
    """The result for one dead letter."""

    id: str
    result: str
    why: str


class Results(TypedDict):
    """A page of results, and how often each occurs."""

    results: list[Result]
    counts: dict[str, int]
    cursor: str | None


Work: TypeAlias = Callable[[Sequence[Row]], list[Result]]


class Filters(Command):
    """Filters of dead letters; a row has to match all that are given."""

    sink: str | None = Field(None, description="of this sink")
    model: str | None = Field(None, description="of this model")
    error: str | None = Field(None, description="with an error of this class")
    table: str | None = Field(None, description="of this table, by its full name")
    kind: str | None = Field(None, description="of this kind: quarantined, given-up, parked …")

    def filter(self, status: str) -> Filter:
        return Filter(
            status=status,
            sink=self.sink,
            model=self.model,
            error=self.error,
            table=self.table,
            kind=self.kind,
        )


class Chosen(Filters):
    """Selects open dead letters: by id, by filters, or all."""

    ids: Annotated[
        list[str] | None, AfterValidator(lambda ids: list(dict.fromkeys(ids))), Positional()
    ] = Field(None, description="ids of dead letters")
    all: bool = Field(False, description="every open dead letter")
    dry_run: bool = Field(False, description="say which, and change nothing")
    limit: Annotated[int, AtMost(MOST_CHOSEN)] = Field(
        MOST_CHOSEN, ge=1, description="at most so many dead letters"
    )
    cursor: Cursor = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        chosen = self.ids is not None, any(self.filter(OPEN).equal()), self.all
        if sum(chosen) != 1:
            raise ValueError("needs 'ids', or some of sink, model, error, table and kind, or 'all'")
        return self

    def each(self, table: DeadLetterTable, deadline: Deadline, work: Work) -> Results:
        """Run *work* on the selected rows in portions, the oldest or first named rows first.

        Stops at the limit, or if too little time is left for another portion.
        """
        results: list[Result] = []
        cursor = self.cursor
        while True:
            most = min(_AT_ONCE, self.limit - len(results))
            if self.ids is None:
                rows, cursor = table.page(
                    self.filter(OPEN), limit=most, cursor=cursor, deadline=deadline
                )
            else:
                rows, others, cursor = _named(table, self.ids, most, cursor, deadline)
                results += others
            results += work(rows)
            full = len(results) >= self.limit or deadline.remaining() < PORTION_S
            if cursor is None or full:
                counts = Counter(result["result"] for result in results)
                return {"results": results, "counts": dict(counts), "cursor": cursor}


def _named(
    table: DeadLetterTable, ids: Sequence[str], most: int, cursor: str | None, deadline: Deadline
) -> tuple[list[Row], list[Result], str | None]:
    """The open rows of *most* ids from *cursor* on, results for the others, the next cursor."""
    if cursor is not None and cursor not in ids:
        raise no_cursor(cursor)
    left = ids[ids.index(cursor) :] if cursor is not None else ids
    known = table.known(left[:most], deadline)
    rows: list[Row] = []
    others: list[Result] = []
    for id_ in left[:most]:
        row = known.get(id_)
        if row is None:
            others.append({"id": id_, "result": "not found", "why": "there is no such row"})
        elif row.status != OPEN:
            why = f"{row.status} at {row.resolved_at}: {row.reason}"
            others.append({"id": id_, "result": "not open", "why": why})
        else:
            rows.append(row)
    return rows, others, left[most] if most < len(left) else None
