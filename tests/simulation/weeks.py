"""Histories that last for days or weeks: what expires, is trimmed or is given up for its age."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from local.delivery.rules import Backoff
from tests.simulation.calls import Fault, Outage
from tests.simulation.world import SECOND, START_NS

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
SINKS: Final = ("opensearch", "plain", "typesense")
DOWN: Final = (Fault.THROTTLED, Fault.SERVER_ERROR, Fault.CUT_BEFORE)


@dataclass(frozen=True, slots=True)
class Long:
    """What makes a history last, in seconds from its beginning.

    *bursts*: when the application writes. *incidents*: what happens, and when. *backoff*: how long
    Lambda waits before it tries a batch again, which AWS does not tell.
    """

    ends: float
    bursts: tuple[float, ...]
    outages: tuple[Outage, ...] = ()
    incidents: tuple[tuple[float, str], ...] = ()
    retries: int | None = None  # None: as deployed
    backoff: Backoff = Backoff()  # noqa: RUF009 - frozen


def _outage(site: str, begins: float, ends: float, how: Fault) -> Outage:
    start = START_NS / SECOND
    return Outage(site, start + begins, start + ends, how)


def _down(random: Random, cast: tuple[str, ...]) -> Long:
    """A sink is down until parked keys have expired into letters, and comes back."""
    sink = random.choice(SINKS[:2]) if "documents" in cast else SINKS[2]
    ends = random.uniform(14.2, 16.0) * DAY_S
    later = [random.uniform(0.9, 1.1) * ends for _ in range(9)]
    return Long(
        ends=1.2 * ends,
        bursts=(0.0, *later),  # each message that is parked is tried 1,400 times
        outages=(_outage(sink, 0.0, ends, random.choice(DOWN)),),
        incidents=_happenings(random, ("recover", "replay", "recycle", "restart"), 1.2 * ends, 4),
    )


def _weeks(random: Random, _cast: tuple[str, ...]) -> Long:
    """Tombstones and streams' records are long gone when items come again, letters are replayed
    days later, and what queues hold waits for days."""
    ends = random.uniform(9.0, 25.0) * DAY_S
    kinds = ("recover", "replay", "replay twice", "resync", "rewind", "replace poller", "recycle",
             "restart", "show", "split", "kill")  # fmt: skip
    incidents = _happenings(random, kinds, ends, random.choice((4, 8, 16)))
    if random.random() < 0.5:
        begins = random.uniform(0.0, 0.3) * ends
        lasts = random.uniform(0.1, 12.0) * DAY_S
        incidents += (begins, "pause queues"), (min(0.95 * ends, begins + lasts), "resume queues")
    bursts = tuple(random.uniform(0.0, 0.95) * ends for _ in range(random.choice((3, 8))))
    return Long(ends=ends, bursts=bursts, incidents=incidents)


def _trimmed(random: Random, _cast: tuple[str, ...]) -> Long:
    """Nobody reads the streams for more than a day, and what they lose is lost."""
    begins, lasts = random.uniform(0.0, 20.0), random.uniform(24.5, 50.0) * HOUR_S
    bursts = (0.0, 10.0, *(begins + random.uniform(0.0, lasts) for _ in range(4)))
    return Long(
        ends=begins + lasts + HOUR_S,
        bursts=bursts,
        incidents=((begins, "pause streams"), (begins + lasts, "resume streams")),
    )


def _stuck(random: Random, _cast: tuple[str, ...]) -> Long:
    """Keys can't be parked, and Lambda tries again until records are too old (a day)."""
    lasts = random.uniform(24.5, 40.0) * HOUR_S
    how = random.choice(DOWN)
    sinks = random.sample(SINKS, random.choice((1, 2, 3)))
    since = random.choice((0.0, 12.0))  # then queues hold what was written before
    return Long(
        ends=lasts + HOUR_S,
        bursts=(0.0, 10.0, *(random.uniform(0.0, lasts) for _ in range(2))),
        outages=(
            _outage("sqs", since, lasts, how),
            *(_outage(site, 0.0, lasts, how) for site in sinks),
        ),
        incidents=_happenings(random, ("recover", "replay", "recycle", "kill"), lasts, 4),
        retries=-1,
        backoff=Backoff(cap_s=random.choice((300.0, 900.0))),
    )


LONG: Final[Mapping[str, Callable[[Random, tuple[str, ...]], Long]]] = {
    "down for weeks": _down,
    "weeks": _weeks,
    "trimmed": _trimmed,
    "stuck for a day": _stuck,
}


def _happenings(
    random: Random, kinds: tuple[str, ...], ends: float, most: int
) -> tuple[tuple[float, str], ...]:
    return tuple((random.uniform(0.0, ends), random.choice(kinds)) for _ in range(most))
