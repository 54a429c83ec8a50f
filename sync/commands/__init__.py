"""What people ask for by hand; each command is a payload of `sls invoke`, and of the CLI.

    sls invoke --function admin --data '{"command": "dlq list", "sink": "opensearch"}'

Each command's function documents its payload and its answer. Where an answer has a "cursor", it
is a page: the same payload with that cursor gives the next one, until the cursor is null.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sync.commands import dead_letters, erase, indexes, recount, recover, resync, status
from sync.commands.arguments import Arguments
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

Answer = dict[str, Any]


class Command(NamedTuple):
    """A command and the names that its payload may have."""

    run: Callable[[Arguments, "Service", Deadline], Answer]
    takes: tuple[str, ...] = ()


_FILTERS: Final = ("sink", "model", "error", "table", "kind")
_PAGE: Final = ("limit", "cursor")

COMMANDS: Final[Mapping[str, Command]] = {
    "mappings apply": Command(indexes.apply),
    "dlq list": Command(dead_letters.show_list, (*_FILTERS, "status", *_PAGE)),
    "dlq show": Command(dead_letters.show, ("id",)),
    "dlq replay": Command(
        dead_letters.replay, ("ids", "all", *_FILTERS, "dry_run", "limit", "cursor")
    ),
    "dlq discard": Command(dead_letters.discard, ("ids", "reason")),
    "dlq erase": Command(erase.erase, ("table", "keys")),
    "recover": Command(recover.recover),
    "resync": Command(resync.resync, ("table", "keys", "sink", "dry_run", *_PAGE)),
    "recount": Command(recount.recount, ("repair", *_PAGE)),
    "status": Command(status.status),
}


def run(payload: Mapping[str, Any], service: "Service", deadline: Deadline) -> Answer:
    """Carry out `{"command": NAME, …}`.

    Raises ConfigError for a command there is not, or for a payload that it does not take; other
    errors as the command says.
    """
    name = payload.get("command")
    command = COMMANDS.get(name) if isinstance(name, str) else None
    if command is None:
        raise ConfigError(f"no command {name!r}; there are: {', '.join(COMMANDS)}")
    if surplus := sorted(set(payload) - {"command", *command.takes}):
        takes = ", ".join(command.takes) or "nothing"
        raise ConfigError(f"{name} does not take {', '.join(surplus)}; it takes {takes}")
    return command.run(Arguments(payload), service, deadline)
