"""`dlq show`: one dead letter, with trace and body."""

import json
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from pydantic import Field, StringConstraints

from sync.commands.parts.argument import Positional
from sync.commands.parts.command import Command
from sync.deadletters.row import OPEN, Row
from sync.errors import ConfigError, Retry
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class Shown(TypedDict):
    """The row with its trace, and the record, item or message that could not be written."""

    row: dict[str, Any]
    meanwhile: str | None  # what the sink holds while the row is open
    body: Any  # a stream record or item as JSON; an unknown message as text
    body_error: NotRequired[str]  # why the body could not be read from S3; it is null then


class DlqShow(Command):
    """Show one dead letter, with trace and body.

    Raises ConfigError if there is no such row, Retry if the dead-letter table does not answer.
    """

    id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), Positional()] = (
        Field(description="id of the dead letter")
    )

    def run(self, service: "Service", deadline: Deadline) -> Shown:  # noqa: ARG002
        row = service.dead_letter_table.get(self.id)
        if row is None:
            raise ConfigError(f"there is no dead letter {self.id!r}")
        shown = {**row.summary(), "trace": row.trace}
        if row.payload is not None:
            shown["payload"] = row.payload.plain()
        meanwhile = _meanwhile(row)
        try:
            text = row.body if row.payload is None else service.bodies.fetch(row.payload)
        except Retry as error:
            return {"row": shown, "meanwhile": meanwhile, "body": None, "body_error": str(error)}
        return {"row": shown, "meanwhile": meanwhile, "body": _parsed(text)}


def _meanwhile(row: Row) -> str | None:
    """What the sink holds while *row* is open; None if it is not open, or about no item."""
    if row.status != OPEN or row.keys is None:
        return None
    holds = f"{row.sink} still holds" if row.sink else "its sinks still hold"
    return f"{holds} what was written last for this item: an older document, or none"


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
