"""`python -m sync resync`, `status` and `mappings`. Each returns the exit code."""

from argparse import Namespace
from collections import Counter
from typing import Any, Final

from sync.aws.keys import Source
from sync.cli.calls import Call, pages
from sync.cli.keys import parse_key
from sync.cli.screen import Screen

_PAGE: Final = 1_000  # keys of a call: the bar moves with each
TO_DO: Final = 3  # exit code: nothing is wrong, and something is left for people to do
_RESULTS: Final = {"failed": "red", "waiting": "yellow"}
_COLOURS: Final = {"green": "green", "yellow": "yellow", "red": "red"}


def resync(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where a key could not be brought in line."""
    payload: dict[str, Any] = {
        "command": "resync",
        "table": options.table,
        "sink": options.sink,
        "dry_run": options.dry_run,
    }
    keys = [parse_key(text) for text in options.key]
    counts: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []
    with screen.progress("resynced", len(keys) or None) as progress:
        for answer in pages(
            call,
            {**payload, "keys": keys} if keys else payload,
            held=_handled,
            limit=options.limit,
            size=_PAGE,
        ):
            counts.update(answer["counts"])
            failed += answer["failures"]
            progress.add(_handled(answer))
    if options.json:
        screen.json({"counts": counts, "failures": failed})
        return 1 if failed else 0
    for name, count in counts.items():
        colour = {"failed": "red", "parked": "yellow"}.get(name, "green")
        after = ", and will be tried again by itself" if name == "parked" else ""
        screen.say(f"{count:,} {name}{after}", colour)
    if not counts:
        screen.say(f"{options.table} holds no items", "yellow")
    if failed:
        screen.say()
        screen.first(
            ["item", "why"],
            [(str(Source(options.table, f["keys"])), f["error"]) for f in failed],
        )
    return 1 if failed else 0


def recover(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where a dead letter that was replayed is open still."""
    answer = call({"command": "recover"})
    failed = [result for result in answer["results"] if result["result"] == "failed"]
    if options.json:
        screen.json(answer)
        return 1 if failed else 0
    screen.say(f"{answer['looked_at']:,} open dead letters looked at")
    for name, count in answer["counts"].items():
        screen.say(f"{count:,} {name}", "red" if name == "failed" else "green")
    if answer["parked"]:
        screen.say(f"{answer['parked']:,} keys parked that a call left behind", "yellow")
    if failed:
        screen.say()
        screen.first(["id", "why"], [(one["id"], one["why"]) for one in failed])
    return 1 if failed else 0


def status(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where it is red."""
    answer = call({"command": "status"})
    level = answer["level"]
    if options.json:
        screen.json(answer)
        return 1 if level == "red" else 0
    screen.say(level, _COLOURS[level])
    for problem in answer["problems"]:
        screen.say(f"  {problem['what']}", _COLOURS[problem["level"]])
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
    parked, dead, age = answer["parked"], answer["dead_letters"], answer["stream"]
    screen.say()
    screen.table(
        ["", "", "oldest"],
        [
            *((_holding(q), _sum(q), _seconds(q["oldest_s"])) for q in answer["queues"]),
            ("parked messages, all sinks", _sum(parked), _seconds(parked.get("oldest_s"))),
            ("open dead letters", dead.get("open"), dead.get("oldest")),
            ("dead letters not yet kept", dead.get("queued"), None),
            ("iterator age, streams", None, _seconds(_s(age["iterator_age_ms"]))),
        ],
    )
    return 1 if level == "red" else 0


def mappings_apply(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where a target could not be made; TO_DO where all that is missing is for people to give."""
    rows = call({"command": "mappings apply"})["targets"]
    results = {row["result"] for row in rows}
    code = 1 if "failed" in results else TO_DO if "waiting" in results else 0
    if options.json:
        screen.json(rows)
        return code
    why: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        name = f"{row['sink']}/{row['target']}"
        screen.say(f"{row['result']:<10} {name}", _RESULTS.get(row["result"], ""))
        if "error" in row:
            why.setdefault((row["result"], row["error"]), []).append(name)
    for (result, error), names in why.items():
        screen.say()
        screen.say(f"{result}: {', '.join(names)}", _RESULTS[result])
        screen.say(f"  {error}")
    if "waiting" in results:
        screen.say()
        screen.say("Left for you to do: give what is missing (docs/deploying.md), then run")
        screen.say(f"  python -m sync mappings apply --stage {options.stage}")
    return code


def mappings(options: Namespace, screen: Screen) -> int:
    """1 where `check` finds files out of date."""
    from sync import models
    from sync.model import mappings

    if options.action == "write":
        changed = mappings.write(models.load())
        lines = [f"wrote {name}" for name in changed]
        return _say(changed, lines, options, screen, wrong=False)
    differing = mappings.differing(models.load())
    lines = [f"out of date: {name} (run python -m sync mappings write)" for name in differing]
    return _say(differing, lines, options, screen, wrong=bool(differing))


def _say(value: Any, lines: list[str], options: Namespace, screen: Screen, *, wrong: bool) -> int:
    if options.json:
        screen.json(value)
    else:
        screen.say("\n".join(lines) or "up to date")
    return 1 if wrong else 0


def _handled(answer: Any) -> int:
    return sum(answer["counts"].values())


def _holding(queue: dict[str, Any]) -> str:
    """What the messages of a sink's own queue are."""
    what = "dead letters not yet kept" if queue["dead_letters"] else "messages on their way"
    return f"{what}, {queue['sink']}"


def _sum(queue: dict[str, Any]) -> int | None:
    counted = [queue.get(name) for name in ("waiting", "delayed", "in_flight")]
    return None if None in counted else sum(filter(None, counted))


def _s(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} s"
