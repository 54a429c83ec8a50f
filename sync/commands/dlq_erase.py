"""`dlq erase`: remove what dead letters hold of an item."""

from typing import TYPE_CHECKING, TypedDict

from pydantic import Field

from sync.commands.parts.argument import Key
from sync.commands.parts.command import Command
from sync.commands.parts.keys import Table, checked, key_names
from sync.recovery.letters import row_id
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class ErasedLetter(TypedDict):
    """A dead letter that lost its body and trace. *sink* is null if it is about all sinks."""

    id: str
    sink: str | None


class Erased(TypedDict):
    erased: list[ErasedLetter]


class DlqErase(Command):
    """Remove what dead letters hold of these items, bodies and traces, from table and bucket.

    The rows stay, with their keys, and can be replayed: a replay needs no body. Raises ConfigError
    for a table or key that no model has, Retry if table or bucket do not answer.
    """

    table: Table
    keys: list[Key] = Field(min_length=1, description="the keys of the items")

    def run(self, service: "Service", deadline: Deadline) -> Erased:
        names = key_names(service, self.table)
        keys = [checked(service, self.table, key, names) for key in self.keys]
        sinks = [None, *sorted(sink.name for sink in service.registry.sinks)]
        ids = [row_id(self.table, key, sink) for key in keys for sink in sinks]
        erased: list[ErasedLetter] = []
        for row in service.dead_letter_table.known(ids, deadline).values():
            service.bodies.remove_all(row.id)  # first, so that a failed call can be repeated
            service.dead_letter_table.erase(row)
            erased.append({"id": row.id, "sink": row.sink})
        return {"erased": erased}
