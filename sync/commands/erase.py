"""Forgetting what dead letters hold of an item."""

from typing import TYPE_CHECKING, Any

from sync.commands.arguments import Arguments
from sync.commands.keys import checked, key_names
from sync.errors import ConfigError
from sync.recovery.letters import row_id
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


def erase(given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "dlq erase", "table", "keys": [{"PK": {"S": …}, …}]}`: remove what the dead
    letters of these items hold of them: body and trace, in table and bucket.

    The rows stay, with their keys, and can be replayed, which needs no body. Answers `{"erased":
    [{"id", "sink"}]}`. Raises ConfigError for a table or key that no model has, Retry where table
    or bucket do not answer.
    """
    table = given.needed("table")
    names = key_names(service, table)
    keys = [checked(service, table, key, names) for key in given.objects("keys", dict, "keys")]
    if not keys:
        raise ConfigError("dlq erase needs 'keys'")
    sinks = [None, *sorted(sink.name for sink in service.registry.sinks)]
    ids = {row_id(table, key, sink): sink for key in keys for sink in sinks}
    erased = []
    for id_ in service.dead_letter_table.known(list(ids), deadline):
        row = service.dead_letter_table.get(id_)
        if row is not None:
            service.bodies.remove_all(row.id)  # before the row: what fails can be asked for again
            service.dead_letter_table.erase(row)
            erased.append({"id": row.id, "sink": row.sink})
    return {"erased": erased}
