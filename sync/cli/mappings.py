"""Draws `mappings apply`; runs `mappings write` and `mappings check`, which call no function."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sync.cli.asked import Asked
from sync.cli.screen import Screen

if TYPE_CHECKING:
    from sync.model.mappings import Changed

TO_DO: Final = 3  # exit code: nothing failed, and something is left for people to do
_STYLES: Final = {"failed": "red", "waiting": "yellow"}


def apply(asked: Asked) -> int:
    """Returns 1 if a target failed, TO_DO if some only wait for what a person has to supply."""
    screen, rows = asked.screen, asked.answer()["targets"]
    results = {row["result"] for row in rows}
    code = 1 if "failed" in results else TO_DO if "waiting" in results else 0
    if asked.as_json:
        screen.json(rows)
        return code
    why: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        name = f"{row['sink']}/{row['target']}"
        screen.say(f"{row['result']:<10} {name}", _STYLES.get(row["result"], ""))
        if "error" in row:
            why.setdefault((row["result"], row["error"]), []).append(name)
    for (result, error), names in why.items():
        screen.say()
        screen.say(f"{result}: {', '.join(names)}", _STYLES[result])
        screen.say(f"  {error}")
    if "waiting" in results:
        screen.say()
        screen.say("Left for you to do: give what is missing (docs/deploying.md), then run")
        screen.say(f"  python -m sync mappings apply --stage {asked.stage}")
    return code


def write(options: argparse.Namespace, screen: Screen) -> int:
    """Bring mappings/ up to date with the models, and say what has to be reindexed."""
    from sync import models
    from sync.model import mappings

    changed = mappings.write(models.load())
    _say(changed, "wrote {}", screen, as_json=options.json)
    return 0


def check(options: argparse.Namespace, screen: Screen) -> int:
    """Check that mappings/ is up to date with the models; exit code 1 if not."""
    from sync import models
    from sync.model import mappings

    differing = mappings.differing(models.load())
    _say(
        differing,
        "out of date: {} (run python -m sync mappings write)",
        screen,
        as_json=options.json,
    )
    return 1 if differing else 0


def _say(changed: Sequence["Changed"], text: str, screen: Screen, *, as_json: bool) -> None:
    if as_json:
        screen.json([{"file": each.file, "reindex": list(each.fields)} for each in changed])
        return
    if not changed:
        screen.say("up to date")
    for file, fields in changed:
        screen.say(text.format(file))
        if fields:
            sink, _, target = file.removesuffix(".json").partition("/")
            screen.say(
                f"  {', '.join(fields)} can't be changed in place: after the deploy run "
                f"python -m sync reindex {sink} {target}",
                "yellow",
            )
