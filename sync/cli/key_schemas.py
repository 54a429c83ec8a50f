"""Runs `mappings tables` and `mappings check-tables`: the keys of tables, kept in a file."""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import NoRegionError, ProfileNotFound

from sync.aws import tables
from sync.aws.clients import client
from sync.cli.front import ROOT
from sync.cli.screen import Screen
from sync.errors import ConfigError

FILE: Final = ROOT / "mappings" / "tables.json"
_WRITE: Final = "python -m sync mappings tables"

KeySchemas = Mapping[str, Mapping[str, Any]]
"""By the name of a table: "keys" with the type of each, partition key first, "view", "stream"."""


def write(options: argparse.Namespace, screen: Screen) -> int:
    """Write the keys and streams of all tables with a stream to mappings/tables.json."""
    found = _found()
    FILE.write_text(json.dumps(found, indent=2) + "\n")
    if options.json:
        screen.json(found)
    else:
        screen.say(f"wrote {FILE.name}: {len(found):,} tables have a stream")
    return 0


def check(options: argparse.Namespace, screen: Screen) -> int:
    """Check mappings/tables.json against the tables; exit code 1 if keys or streams changed.

    A table that is new since then is told too, and changes no exit code. Raises ConfigError if
    the file is missing, or is none of `mappings tables`.
    """
    kept, now = _kept(), _found()
    changes = list(_changes(kept, now))
    new = sorted(now.keys() - kept.keys())
    if options.json:
        screen.json({"changed": changes, "new": new})
        return 1 if changes else 0
    for change in changes:
        screen.say(f"{change['table']}: {change['what']}", "yellow")
    for name in new:
        screen.say(f"{name}: new")
    if changes or new:
        screen.say(f"run {_WRITE} once what is made of these tables is right")
    else:
        screen.say("up to date")
    return 1 if changes else 0


def _found() -> KeySchemas:
    """What is there now. Raises ConfigError if boto3 knows no region, Retry."""
    try:
        found = {
            table.name: {"keys": table.keys, "view": table.view, "stream": table.stream}
            for table in tables.streamed(client)
        }
    except (NoRegionError, ProfileNotFound) as error:
        raise ConfigError(str(error)) from error
    return dict(sorted(found.items()))


def _kept() -> KeySchemas:
    try:
        kept = json.loads(FILE.read_text())
        if all(isinstance(one["keys"], dict) for one in kept.values()):
            schemas: KeySchemas = kept
            return schemas
    except FileNotFoundError:
        raise ConfigError(f"{FILE.name} is missing: run {_WRITE}") from None
    except (ValueError, AttributeError, KeyError, TypeError):
        pass
    raise ConfigError(f"{FILE.name} is damaged: run {_WRITE}")


def _changes(kept: KeySchemas, now: KeySchemas) -> Iterator[dict[str, str]]:
    """What is no longer as *kept* has it, with its table."""
    for name, before in sorted(kept.items()):
        if name not in now:
            yield {"table": name, "what": "gone, or its stream is off"}
            continue
        after = now[name]
        if list(before["keys"].items()) != list(after["keys"].items()):
            keys = f"{_shown(before['keys'])}, now {_shown(after['keys'])}"
            yield {"table": name, "what": f"its keys changed: {keys}"}
        for what in ("view", "stream"):
            if before.get(what) != after[what]:
                yield {"table": name, "what": f"{what} {before.get(what)}, now {after[what]}"}


def _shown(keys: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in keys.items())
