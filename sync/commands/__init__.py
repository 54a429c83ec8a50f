"""What people ask for by hand; each command is a payload of `sls invoke`, and of the CLI.

    sls invoke --function admin --data '{"command": "dlq list", "sink": "opensearch"}'

Every file of this folder is one command, and none is named anywhere else: `dlq_list.py` is
`dlq list`. It holds the payload, the work and the answer; only the file asked for is imported.
Where an answer has a "cursor", it is a page: the same payload with that cursor gives the next one,
until the cursor is null.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from sync.errors import ConfigError
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.commands.parts.command import Command
    from sync.service import Service


def names() -> list[str]:
    """Every command there is."""
    return sorted(info.name.replace("_", " ") for info in iter_modules(__path__) if not info.ispkg)


def load(name: str) -> type["Command"]:
    """The class of the command *name*, which is one of `names`."""
    from sync.commands.parts.command import Command

    module = import_module(f"{__name__}.{name.replace(' ', '_')}")
    (command,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Command)
        and value.__module__ == module.__name__
    )
    return command


def run(payload: Mapping[str, Any], service: "Service", deadline: Deadline) -> Mapping[str, Any]:
    """Carry out `{"command": NAME, …}`.

    Raises ConfigError for a command there is not, or for a payload that it does not take; other
    errors as the command says.
    """
    name = payload.get("command")
    if name not in (known := names()):
        raise ConfigError(f"no command {name!r}; there are: {', '.join(known)}")
    return load(name).read(payload).run(service, deadline)
