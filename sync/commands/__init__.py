"""The commands of operators; each is a payload of `sls invoke`, and a command of the CLI.

    sls invoke --function admin --data '{"command": "dlq list", "sink": "opensearch"}'

Each file of this folder is one command: `dlq_list.py` is `dlq list`. It holds the payload, the work
and the answer. No other file lists the commands, and only the command that runs is imported. An
answer with a "cursor" is one page: the same payload with that cursor gives the next page, until the
cursor is null.
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
    """The names of all commands, sorted."""
    return sorted(info.name.replace("_", " ") for info in iter_modules(__path__) if not info.ispkg)


def load(name: str) -> type["Command"]:
    """The class of the command *name*, one of `names`."""
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
    """Run the command of `{"command": NAME, …}` and return its answer.

    Raises ConfigError for an unknown command, or for a payload that it does not take; the command's
    docstring names other errors.
    """
    name = payload.get("command")
    if name not in (known := names()):
        raise ConfigError(f"no command {name!r}; there are: {', '.join(known)}")
    return load(name).read(payload).run(service, deadline)
