"""Draws `backfill …`."""

import time
from collections.abc import Mapping
from typing import Any, Final

from sync.cli.asked import Asked
from sync.cli.calls import Answer
from sync.cli.screen import Screen

_EVERY_S: Final = 2.0  # between two looks at a run that is watched
_OVER: Final = frozenset(["done", "cancelled"])
_STYLES: Final = {"done": "green", "running": "green"}


def start(asked: Asked) -> int:
    screen, answer = asked.screen, asked.answer()
    if asked.as_json:
        screen.json(answer)
        return 0
    about = f"{answer['table']} in {answer['segments']:,} segments"
    if answer["items"] is not None:
        about += f", about {answer['items']:,} items"
    if answer["units"] is not None:
        about += f", about {answer['units']:,} read units"
    if beside := answer["beside"]:
        screen.say(f"other backfills of this table are not over: {', '.join(beside)}", "yellow")
    if answer["id"] is None:
        screen.say(f"would be backfilled: {about}", "green")
        return 0
    screen.say(f"backfill {answer['id']} has begun: {about}", "green")
    screen.say(f"python -m sync backfill watch {answer['id']}")
    return 0


def show_list(asked: Asked) -> int:
    screen, answer = asked.screen, asked.answer()
    if asked.as_json:
        screen.json(answer)
        return 0
    if not answer["runs"]:
        screen.say("no backfills", "green")
        return 0
    screen.first(
        ["id", "table", "status", "read", "of about", "written", "parked", "failed", "started"],
        [
            (
                *(run["id"], run["table"], run["status"], run["totals"]["read"], run["items"]),
                *(run["totals"][name] for name in ("written", "parked", "failed")),
                run["started_at"],
            )
            for run in answer["runs"]
        ],
    )
    return 0


def show(asked: Asked) -> int:
    screen, answer = asked.screen, asked.answer()
    if asked.as_json:
        screen.json(answer)
        return 0
    _draw(screen, answer)
    return 0


def watch(asked: Asked) -> int:
    """Show how far a backfill is, until it is over or paused; exits with 1 unless it is done.

    It goes on if this ends.
    """
    screen, answer = asked.screen, asked.answer()
    with screen.progress("read", answer["run"]["items"]) as progress:
        while True:
            run = answer["run"]
            progress.add(run["totals"]["read"] - progress.done)
            if run["status"] in _OVER or _has_paused(answer):
                break
            time.sleep(_EVERY_S)
            answer = asked.answer()
    if asked.as_json:
        screen.json(answer)
    else:
        _draw(screen, answer)
    return 0 if run["status"] == "done" else 1


def _has_paused(answer: Answer) -> bool:
    working = any(each["state"] == "working" for each in answer["segments"])
    return bool(answer["run"]["status"] == "paused" and not working)


def _draw(screen: Screen, answer: Answer) -> None:
    run: Mapping[str, Any] = answer["run"]
    screen.say(f"{run['table']}: {run['status']}", _STYLES.get(run["status"], "yellow"))
    if run["cause"]:
        screen.say(f"waits: {run['cause']}", "yellow")
    totals = run["totals"]
    of = f" of about {run['items']:,}" if run["items"] is not None else ""
    screen.say(f"{totals['read']:,}{of} items read, with {totals['units']:,.0f} read units")
    for name, style in (("written", "green"), ("parked", "yellow"), ("failed", "red")):
        if totals[name]:
            screen.say(f"{totals[name]:,} {name}", style)
    screen.say()
    screen.first(
        ["segment", "state", "read", "tries", "waits for", "changed"],
        [
            (
                *(each["segment"], each["state"], each["counts"].get("read", 0)),
                *(each["tries"], each["cause"], each["updated_at"]),
            )
            for each in answer["segments"]
        ],
    )
