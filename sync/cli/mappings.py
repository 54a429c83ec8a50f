"""Draws `mappings apply`; runs `mappings write` and `mappings check`, which call no function."""

import argparse
from collections.abc import Sequence
from typing import Final

from sync.cli.asked import Asked
from sync.cli.screen import Screen

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
    """Bring mappings/ up to date with the models."""
    from sync import models
    from sync.model import mappings

    changed = mappings.write(models.load())
    _say(changed, [f"wrote {name}" for name in changed], screen, as_json=options.json)
    return 0


def check(options: argparse.Namespace, screen: Screen) -> int:
    """Check that mappings/ is up to date with the models; exit code 1 if not."""
    from sync import models
    from sync.model import mappings

    differing = mappings.differing(models.load())
    lines = [f"out of date: {name} (run python -m sync mappings write)" for name in differing]
    _say(differing, lines, screen, as_json=options.json)
    return 1 if differing else 0


def _say(names: Sequence[str], lines: Sequence[str], screen: Screen, *, as_json: bool) -> None:
    if as_json:
        screen.json(names)
    else:
        screen.say("\n".join(lines) or "up to date")
