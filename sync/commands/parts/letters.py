"""Which dead letters a command is about: named by id, chosen by filters, or all that are open."""

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
_AT_ONCE: Final = 100  # rows of one portion: a replay reads their items by one BatchGetItem


class Result(TypedDict):
    """What became of one dead letter."""

    id: str
    result: str
    why: str


class Results(TypedDict):
    """A page of results, with how many there are of each."""

    results: list[Result]
    counts: dict[str, int]
    cursor: str | None


Work: TypeAlias = Callable[[Sequence[Row]], list[Result]]


class Filters(Command):
    """Filters of dead letters; a row has to pass all that are given."""

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
    """Open dead letters: some by id, those that pass the filters, or all."""

    ids: Annotated[
        list[str] | None, AfterValidator(lambda ids: list(dict.fromkeys(ids))), Positional()
    ] = Field(None, description="these dead letters")
    all: bool = Field(False, description="every open one")
    dry_run: bool = Field(False, description="say which, and do nothing")
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
        """What *work* makes of the chosen rows, portion by portion, oldest or first named first.

        Ends at the limit, or with too little time for another portion.
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
                rows, others, cursor = _named(table, self.ids, most, cursor)
                results += others
            results += work(rows)
            full = len(results) >= self.limit or deadline.remaining() < PORTION_S
            if cursor is None or full:
                counts = Counter(result["result"] for result in results)
                return {"results": results, "counts": dict(counts), "cursor": cursor}


def _named(
    table: DeadLetterTable, ids: Sequence[str], most: int, cursor: str | None
) -> tuple[list[Row], list[Result], str | None]:
    """The open rows of *most* ids from *cursor* on, what the others are, and the next cursor."""
    if cursor is not None and cursor not in ids:
        raise no_cursor(cursor)
    left = ids[ids.index(cursor) :] if cursor is not None else ids
    rows: list[Row] = []
    others: list[Result] = []
    for id_ in left[:most]:
        row = table.get(id_)
        if row is None:
            others.append({"id": id_, "result": "not found", "why": "there is no such row"})
        elif row.status != OPEN:
            why = f"{row.status} at {row.resolved_at}: {row.reason}"
            others.append({"id": id_, "result": "not open", "why": why})
        else:
            rows.append(row)
    return rows, others, left[most] if most < len(left) else None
