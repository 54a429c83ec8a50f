"""`dlq discard`: close dead letters that are no longer needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from sync.commands.parts.letters import Chosen, Result, Results
from sync.deadletters.row import DISCARDED, Row
from sync.deadletters.table import DeadLetterTable
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class DlqDiscard(Chosen):
    """Close open dead letters without writing anything to their sinks.

    A result is "discarded", "not open", "not found", or "would be discarded" in a dry run. Raises
    Retry if the dead-letter table does not answer.
    """

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(
        description="why; it is kept with the dead letter"
    )

    @model_validator(mode="after")
    def _some_ids(self) -> Self:
        if self.ids == []:
            raise ValueError("needs 'ids', or a filter: an empty list names nothing")
        return self

    def run(self, service: "Service", deadline: Deadline) -> Results:
        table = service.dead_letter_table

        def discard(rows: Sequence[Row]) -> list[Result]:
            return [self._discard(row, table) for row in rows]

        return self.each(table, deadline, discard)

    def _discard(self, row: Row, table: DeadLetterTable) -> Result:
        if self.dry_run:
            return {"id": row.id, "result": "would be discarded", "why": row.error}
        if table.resolve(row, DISCARDED, self.reason):
            return {"id": row.id, "result": "discarded", "why": self.reason}
        return {"id": row.id, "result": "not open", "why": "it was changed meanwhile"}
