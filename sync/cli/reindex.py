"""Draws `reindex`: calls it until it has come to its end."""

import time
from collections.abc import Mapping
from typing import Any, Final

from sync.cli.asked import Asked
from sync.cli.calls import Answer
from sync.cli.verify import differences_table

_EVERY_S: Final = 2.0  # between two looks at its backfills
_PASSES: Final = 5  # comparisons; what differs still then, needs a person
_DONE: Final[Mapping[str, str]] = {
    "swapped": "readers see {live}",
    "rolled back": "readers see {live} again",
    "dropped": "readers see {live}, and there is no other",
}


def reindex(asked: Asked) -> int:
    """Returns 1 if it has not come to its end: documents still differ, or a backfill is paused.

    Called again, it goes on.
    """
    screen, answer = asked.screen, _last(asked)
    if asked.as_json:
        screen.json(answer)
        return 0 if answer["phase"] in _DONE else 1
    if (done := _DONE.get(answer["phase"])) is not None:
        screen.say(f"{answer['target']}: {done.format(**answer)}", "green")
        if answer["shadow"] is not None:
            screen.say(f"{answer['shadow']} is written to as well, until `reindex … --drop`", "dim")
        return 0
    paused = [run["id"] for run in answer["runs"] if run["status"] == "paused"]
    if paused:
        screen.say(f"paused: {', '.join(paused)}; `backfill resume` lets it go on", "yellow")
        return 1
    screen.say(f"{answer['left']:,} documents of {answer['shadow']} still differ", "red")
    differences_table(screen, answer["differences"])
    return 1


def _last(asked: Asked) -> Answer:
    """The last of the answers until there is nothing more to do. Draws bars."""
    screen, answer = asked.screen, asked.answer()
    if answer["phase"] == "filling":
        total = sum(run["items"] or 0 for run in answer["runs"])
        with screen.progress("read", total) as progress:
            while answer["phase"] == "filling" and not _stands_still(answer):
                progress.add(_read(answer) - progress.done)
                time.sleep(_EVERY_S)
                answer = asked.answer()
    passes = 0
    with screen.progress("compared", None) as progress:
        while answer["phase"] == "comparing":
            progress.add(answer["checked"])
            passes += answer["cursor"] is None
            if passes == _PASSES:
                break
            answer = asked.call({**asked.payload, "cursor": answer["cursor"]})
    return answer


def _stands_still(answer: Answer) -> bool:
    """Whether all its backfills that are not over are paused."""
    going: list[Any] = [run["status"] for run in answer["runs"] if run["finished_at"] is None]
    return bool(going) and all(status == "paused" for status in going)


def _read(answer: Answer) -> int:
    return sum(run["totals"]["read"] for run in answer["runs"])
