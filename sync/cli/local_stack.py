"""The stack on this machine, from the description that `make up` or `make demo` writes."""

import json
import os
from collections.abc import MutableMapping
from typing import Any, Final

from sync.cli.front import ROOT
from sync.errors import ConfigError

STAGE: Final = "local"
DESCRIPTION: Final = ROOT / ".local" / "stack.json"


def running() -> dict[str, Any] | None:
    """The description of this clone's stack; None if it is not running."""
    try:
        description: dict[str, Any] = json.loads(DESCRIPTION.read_text())
        os.kill(description["pid"], 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, KeyError):
        return None
    except PermissionError:  # it is running, as another user
        pass
    return description


def reach(variables: MutableMapping[str, str]) -> None:
    """Point environment *variables* to the local stack, unless they name an endpoint already.

    Raises ConfigError if the stack is not running.
    """
    if variables.get("AWS_ENDPOINT_URL"):
        return
    if (found := running()) is None:
        raise ConfigError("no local stack is up: `make up` starts one")
    for name in [name for name in variables if name.startswith("AWS_")]:
        del variables[name]  # else boto3 would look for the user's profile
    variables.update(found["environment"])
