"""The problems that `status` reports: how bad each is, and what to run."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias, TypedDict

Level: TypeAlias = Literal["green", "yellow", "red"]

LOST_MS: Final = 24 * 3600 * 1000  # what a stream keeps (DynamoDB guide, Streams)
OLD_S: Final = 900  # age of a message that its function should have handled


class Problem(TypedDict):
    """*run*: the command that helps, if one does."""

    level: Level
    what: str
    run: str | None


def worst(problems: Sequence[Problem]) -> Level:
    levels = {problem["level"] for problem in problems}
    return "red" if "red" in levels else "yellow" if levels else "green"


def yellow(what: str, run: str | None = None) -> Problem:
    return {"level": "yellow", "what": what, "run": run}


def of_streams(age_ms: int | None, late_ms: int, tables: Sequence[str]) -> Iterator[Problem]:
    """A stream keeps its records for 24 h; older ones are lost."""
    if age_ms is not None and age_ms > LOST_MS:
        for table in tables:
            yield {
                "level": "red",
                "what": f"a stream is {_duration(age_ms)} late: records of {table} may be lost",
                "run": f"python -m sync resync --table {table}",
            }
    elif age_ms is not None and age_ms > late_ms:
        yield yellow(f"a stream is {_duration(age_ms)} late: records are lost at 24 h")


def of_sinks(sinks: Sequence[Any]) -> Iterator[Problem]:
    for sink in sinks:
        if sink["breaker"] != "closed":
            yield yellow(f"{sink['sink']} does not answer: {sink['broken_by']}")


def of_parked(parked: Any) -> Iterator[Problem]:
    """Keys stay parked only while a sink is down, or if the resync function fails."""
    if parked.get("lasting"):
        yield yellow(
            "keys have been parked for half an hour: their sink can't have them, or the "
            "resync function fails; see its log"
        )


def of_queues(queues: Sequence[Any]) -> Iterator[Problem]:
    """A sink's busy queue is never empty, so the age of its oldest message counts. Its dead-letter
    queue holds messages for long only if their consumer fails."""
    for queue in queues:
        old, lasting = (queue["oldest_s"] or 0) > OLD_S, queue["dead_letters"] and queue["lasting"]
        if old or lasting:
            what = "dead letters" if queue["dead_letters"] else "changes"
            waited = f"{queue['oldest_s']:,} s" if old else "half an hour"
            yield yellow(
                f"{what} for {queue['sink']} have waited for {waited}: "
                f"the function behind {queue['queue']} fails, or can't keep up; see its log"
            )


def of_dead_letters(dead: Any) -> Iterator[Problem]:
    if dead["lasting"]:
        yield yellow(
            "dead letters have waited for half an hour to be kept: their consumer, the "
            "deadletters function, fails or can't keep up; see its log"
        )
    if dead.get("open"):
        yield yellow(
            f"open dead letters: {dead['open']:,}, the oldest since {dead['oldest']}",
            "python -m sync dlq list",
        )


def _duration(ms: int) -> str:
    return f"{ms / 3_600_000:.1f} h" if ms >= 3_600_000 else f"{ms // 60_000} min"
