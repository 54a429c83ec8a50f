"""Draws `status`."""

from collections.abc import Mapping
from typing import Any

from sync.cli.asked import Asked
from sync.commands.parts.queues import UNKNOWN, Waiting, total


def status(asked: Asked) -> int:
    """Returns 1 if the level is red."""
    screen, answer = asked.screen, asked.answer()
    level = answer["level"]  # also the name of its colour
    if asked.as_json:
        screen.json(answer)
        return 1 if level == "red" else 0
    screen.say(level, level)
    for problem in answer["problems"]:
        screen.say(f"  {problem['what']}", problem["level"])
        if problem["run"]:
            screen.say(f"    {problem['run']}")
    screen.say()
    screen.table(
        ["sink", "last success", "lag s", "breaker", "dead"],
        [
            (s["sink"], s["last_success_at"], s["lag_s"], s["breaker"], s["dead"])
            for s in answer["sinks"]
        ],
    )
    dead, age_ms = answer["dead_letters"], answer["stream"]["iterator_age_ms"]
    parked: Waiting = {**UNKNOWN, **answer["parked"]}
    screen.say()
    screen.table(
        ["", "", "oldest"],
        [
            *((_holding(q), total(q), _seconds(q["oldest_s"])) for q in answer["queues"]),
            ("parked messages, all sinks", total(parked), _seconds(parked["oldest_s"])),
            ("open dead letters", dead.get("open"), dead.get("oldest")),
            ("dead letters not yet kept", dead["queued"], None),
            ("iterator age, streams", None, _seconds(None if age_ms is None else age_ms / 1000)),
        ],
    )
    return 1 if level == "red" else 0


def _holding(queue: Mapping[str, Any]) -> str:
    """What the messages of a sink's queue are."""
    what = "dead letters not yet kept" if queue["dead_letters"] else "messages on their way"
    return f"{what}, {queue['sink']}"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} s"
