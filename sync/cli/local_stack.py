"""The stack that runs on this machine, as `make up` or `make demo` describe it in a file."""

import json
import os
from collections.abc import MutableMapping
from typing import Any, Final

from sync.cli.front import ROOT
from sync.errors import ConfigError

STAGE: Final = "local"
DESCRIPTION: Final = ROOT / ".local" / "stack.json"


def running() -> dict[str, Any] | None:
    """The description of the stack of this clone that is up; None if there is none."""
    try:
        description: dict[str, Any] = json.loads(DESCRIPTION.read_text())
        os.kill(description["pid"], 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, KeyError):
        return None
    except PermissionError:  # it is somebody else's, and there
        pass
    return description


def reach(variables: MutableMapping[str, str]) -> None:
    """Let *variables* of the environment lead to the stack, unless they name an endpoint already.

    Raises ConfigError where none is up.
    """
    if variables.get("AWS_ENDPOINT_URL"):
        return
    if (found := running()) is None:
        raise ConfigError("no local stack is up: `make up` starts one")
    for name in [name for name in variables if name.startswith("AWS_")]:
        del variables[name]  # a profile of the user's would be looked for
    variables.update(found["environment"])
