"""What a seed decides: what is written, how it is delivered, and what goes wrong meanwhile."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from local.delivery.rules import Backoff
from sync.sinks.counters.rows import TOMBSTONE_S
from sync.sinks.opensearch.mapping import GC_DELETES_S
from tests.simulation import aws, typesense
from tests.simulation.calls import Fault, Outage, Trouble
from tests.simulation.sites import RANGES, SELDOM, SITES, swarm
from tests.simulation.table import EXPIRED_S
from tests.simulation.template import DEPLOYED
from tests.simulation.weeks import DAY_S, LONG, Long
from tests.simulation.whole_drawn import drawn as of_whole_tables
from tests.simulation.world import SECOND, START_NS
from tests.simulation.writes import CASTS, DELETES, Write, action, values_of

KINDS: Final = {
    "mixed": 33,
    "one down": 3,  # a sink or an index, and nothing else goes wrong
    "calm": 3,
    "race": 10,  # resyncs meet writes of the stream
    "late": 8,  # effects come late
    "slow clocks": 4,  # … and so late that the clocks of resyncs are behind their versions
    "fast clock": 4,  # one machine's resyncs are ahead of the stream
    "late plain": 5,  # effects on the sink without versions come late, and nothing else goes wrong
    "late lanes": 5,  # … as do those on Typesense's queue and on Typesense
    "lanes": 9,  # Typesense fails, and few lanes have to keep order all the same
    "contended": 8,  # many are at few counters
    "by hand": 5,  # a person resyncs over and over, beside a healthy stream, and calls die
    "replays": 4,  # … or replays, while effects on the sink without versions come late
    "pointers": 8,  # images come and go, and what is done about them comes late
    "overlap": 3,  # invocations go on whose poller is replaced
    "weeks": 3,  # what is kept for a time is gone when items come again
    "down for weeks": 0.4,  # a sink, until parked keys expire
    "trimmed": 2,  # streams lose records that nobody read
    "stuck for a day": 1,  # nothing can be parked until records expire
}
AT_FIRST: Final = {  # what befalls the first writes
    "race": Fault.CUT_AFTER,
    "slow clocks": Fault.TIMEOUT_LATE,
    "fast clock": Fault.CUT_BEFORE,
}
AGAIN: Final = {"race": 9, "slow clocks": 3, "fast clock": 1}  # bursts after the first
CLOCKS: Final = {  # by how much machines' clocks are off, where a kind depends on it
    "late": (-150.0, -75.0, 0.0, 75.0, 150.0),
    "slow clocks": (-150.0, -100.0, -60.0),
    "fast clock": (150.0, 0.0, 0.0),
}
BEFALLEN: Final = ("mixed", "late", "lanes", "contended", "pointers")
INCIDENTS: Final = {  # and how often, compared with others
    "kill": 6, "recycle": 3, "split": 2, "replace poller": 2, "rewind": 2, "restart": 2,
    "alias": 2, "block": 2, "key": 2, "replay": 3, "replay twice": 2, "show": 24, "recover": 3,
    "resync": 5, "recount": 3, "discard": 2, "erase": 2, "clock": 4, "strange": 3, "ask": 12,
    "mistype": 5, "meddle": 6,
}  # fmt: skip
MIXED_ALONE: Final = ("discard", "erase", "strange", "meddle")  # where what they leave is looked at
BY_HAND: Final = {"by hand": "resync typesense", "replays": "replay"}
"""What a person does, where that is all that befalls."""
AMID_S: Final = (0.0, 30.0, 60.0, 90.0, 115.0)  # bursts of writes, and the person's calls
REPLAYED_S: Final = 7.0  # apart
SINKS: Final = ("opensearch.bulk", "plain.write")
SINK_NAMES: Final = ("opensearch", "plain", "typesense", "counters", "default_image")
LATE_KINDS: Final[
    dict[str, dict[str, tuple[Fault, ...]]]
] = {  # what comes late where nothing else goes wrong
    "late plain": {"plain.write": (Fault.TIMEOUT_LATE,)},
    "replays": {"plain.write": (Fault.TIMEOUT_LATE,)},
    "late lanes": {
        aws.FIFO_SITE: (Fault.TIMEOUT_LATE,),
        typesense.IMPORT: (Fault.TIMEOUT_LATE, Fault.CUT_LATE),
        typesense.DELETE: (Fault.TIMEOUT_LATE, Fault.CUT_LATE),
    },
}
TRIED_FOR_DAYS: Final = ("down for weeks", "stuck for a day")  # so that each call is made often
LATEST: Final = (Fault.TIMEOUT_LATE, Fault.CRASH_LATE)
ADMIN: Final = ("dynamodb.get_item", "dynamodb.query")  # called by commands alone
ONE_DOWN_S: Final = 900.0
DOWN: Final = (Fault.THROTTLED, Fault.SERVER_ERROR, Fault.CUT_BEFORE, Fault.TIMEOUT)
MIXED: Final = {  # who takes part in a seed of the mixed kind
    ("documents",): 30,
    ("registry",): 12,
    ("images",): 12,
    ("links",): 10,
    ("crates",): 8,
    ("bulk documents",): 2,
    ("bulk registry",): 2,
    ("documents", "images"): 12,
    ("registry", "links"): 8,
    ("documents", "registry", "images", "links"): 16,
}
PARTLY: Final = {  # … and in those of other kinds, if not documents alone
    "calm": tuple(MIXED),
    "late lanes": (("registry",), ("registry", "images")),
    "lanes": (("registry",), ("registry", "images")),
    "by hand": (("registry",),),
    "contended": (("links",), ("images", "links")),
    "pointers": (("few images",),),
    "one down": (("documents",), ("documents", "registry", "images")),
    "overlap": (("links",), ("other images",), ("links", "other images")),
    # A bulk load is parked as a whole: for weeks that would be nothing but tries.
    **dict.fromkeys(LONG, tuple(cast for cast in MIXED if not cast[0].startswith("bulk "))),
    "down for weeks": (("documents",), ("registry",), ("documents", "images"), ("images",)),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    kind: str  # one of KINDS
    cast: tuple[str, ...]  # who takes part: names of CASTS
    writes: tuple[Write, ...]
    trouble: Trouble
    mapping: dict[str, Any]  # settings of the stream mappings
    ends: float  # when all trouble is over
    stamp_skew_s: float  # of the stream's creation times
    clocks_s: tuple[float, ...]  # by how much the clocks of machines are off
    gc_deletes_s: float
    late_plain: bool  # effects on the sink without versions may be late; nothing else goes wrong
    late_lanes: bool  # … or those on the FIFO queue
    lanes: int  # of Typesense's queue
    view: str
    duplicates: float  # share of queue and topic deliveries
    incidents: tuple[tuple[float, str], ...]  # (at, what)
    concurrency: int  # of each queue's worker; 0: as deployed
    state: bool  # sinks note how they do
    old_message: bool  # a key was parked almost 14 days ago
    ttl: bool  # what has expired is deleted, some time later, until all trouble is over
    deploys: bool  # the release before begins
    strict: str  # the sink of which Lambda retries what fails
    backoff: Backoff  # of Lambda, between tries of a batch
    bulk: bool  # many items are loaded, and nearly all of them are wrong
    most_bytes: int | None  # in a request to Typesense, for a proxy before it
    missing: str | None = None  # an index without its alias, until all trouble is over


def draw(seed: int) -> Scenario:
    random = Random(f"scenario {seed}")
    kind = random.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    span = random.choice((5.0, 60.0, 60.0, 300.0, 300.0, 1500.0))
    if kind in AT_FIRST or kind in BY_HAND:
        span = 120.0
    elif kind == "pointers":
        span = random.choice((60.0, 300.0))
    cast = _cast(random, kind)
    long = LONG[kind](random, cast) if kind in LONG else None
    deployed = int(DEPLOYED.stream["maximum_retry_attempts"])
    retries = deployed if kind == "replays" else random.choice((*[deployed] * 3, -1))
    skew = random.choice((0.0, 2.0, 2.0, 60.0, 150.0))
    clocks = tuple(random.uniform(-skew, skew) for _ in range(6))
    clocks = CLOCKS.get(kind, clocks)
    ends = span + random.choice((1.0, 30.0, 120.0, 600.0))
    very_late = kind in ("late", "slow clocks") or random.random() < 0.3
    late_plain = kind in ("late plain", "replays")
    outages = _outages(random, span) if kind == "mixed" else ()
    if long:
        retries = deployed if long.retries is None else long.retries
        span, ends, outages = long.ends, long.ends, long.outages
        if "links" in cast:  # whose tombstones go, at the latest, that much later
            span = ends = ends + TOMBSTONE_S + EXPIRED_S + DAY_S
    ends = max([ends, *(outage.ends - START_NS / SECOND for outage in outages)])
    trouble = Trouble(
        rates=_rates(random, kind),
        outages=outages,
        kinds=LATE_KINDS.get(kind, {}),
        latest_s=19.0 if late_plain else 600.0 if very_late else 30.0,
        slow=random.choice((0.0, 0.02, 0.3, 0.3, 0.4, *((0.9,) if kind == "mixed" else ()))),
        hangs=0.001 if kind == "mixed" else 0.0,
    )
    if kind == "mixed" and random.random() < 0.5:
        trouble.rates, trouble.kinds = swarm(random)
    incidents = list(long.incidents) if long else _incidents(random, kind, ends)
    deploys = kind in ("mixed", "weeks") and "documents" in cast and random.random() < 0.2
    if deploys:
        incidents.append((random.uniform(0.6 * span, min(ends - 0.5, 1.1 * span)), "deploy"))
    duplicates = random.choice((0.0, 0.02, 0.2))
    if very_late and len(set(clocks)) > 1:
        # docs/guarantees.md, "What it assumes": of two deliveries at once one may be lost with a
        # version from the future under way, and the other end the message.
        duplicates = 0.0
    if ends - span > 900 or kind in TRIED_FOR_DAYS:
        # Of what is tried for hours, each copy is tried for hours.
        duplicates = min(duplicates, 0.001)
        for site in ("sqs.send_message_batch", "dynamodb.batch_get_item", "lambda.invoke"):
            trouble.rates = {**trouble.rates, site: min(trouble.rates.get(site, 0.0), 0.002)}
    if kind in AT_FIRST:  # what is parked at first is resynced while keys change once more
        down = START_NS / SECOND, START_NS / SECOND + 35.0
        trouble.outages = tuple(Outage(site, *down, AT_FIRST[kind]) for site in SINKS)
        if kind == "slow clocks":
            trouble.outages = trouble.outages[:1]
        trouble.rates = {"dynamodb.batch_get_item": 0.4} if kind == "race" else {}
        trouble.kinds = {"dynamodb.batch_get_item": (Fault.PARTIAL,)}
        trouble.slow = random.choice((0.1, 0.3))
    if kind == "lanes" and random.random() < 0.5:  # lanes fill, and parked keys come back to them
        down = START_NS / SECOND, START_NS / SECOND + random.choice((30.0, 90.0))
        trouble.outages = (Outage("typesense", *down, random.choice(DOWN)),)
    if kind == "by hand":
        # Calls die once they have sent what they read, or else can't verify it.
        trouble.rates = {aws.FIFO_SITE: 0.4, "dynamodb.batch_get_item": random.choice((0.0, 0.3))}
        trouble.kinds = {
            aws.FIFO_SITE: (Fault.CRASH_AFTER,),
            "dynamodb.batch_get_item": (Fault.THROTTLED,),
        }
        trouble.slow = 0.3
    if kind == "pointers":
        trouble.kinds = {"dynamodb.transact_write_items": LATEST}
        trouble.latest_s = random.choice((20.0, 60.0))
    if kind == "late":  # what versions are for
        late = random.choice(((Fault.TIMEOUT_LATE, Fault.CRASH_LATE), (Fault.CRASH_LATE,)))
        trouble.kinds = {"opensearch.bulk": late}
        trouble.rates = {"opensearch.bulk": random.choice((0.2, 0.5)), "plain.write": 0.1}
    drawn = Scenario(
        kind=kind,
        cast=cast,
        writes=tuple(_writes(random, span, kind, cast, long, bugs=retries > 0)),
        trouble=trouble,
        mapping={
            "batch_size": random.choice(
                (1, 1, 5)
                if kind in ("late", "pointers")
                else (1, 5, 20, DEPLOYED.stream["batch_size"])
            ),
            "window_s": random.choice((0,) if kind == "pointers" else (0, 0, 1, 5)),
            "parallelization_factor": random.choice(
                (2, 5) if kind in ("contended", "pointers") else (1, 1, 2, 5)
            ),
            "bisect": random.random() < 0.8,
            "maximum_retry_attempts": retries,
        },
        ends=ends,
        stamp_skew_s=random.choice((0.0, 0.0, 3.0) if kind == "late" else (0.0, 1.0, 3.0)),
        clocks_s=clocks,
        gc_deletes_s=GC_DELETES_S if very_late else 60.0,
        late_plain=late_plain,
        late_lanes=kind == "late lanes",
        lanes=random.choice((1, 2, 32)),
        view=random.choice(("NEW_AND_OLD_IMAGES", "NEW_AND_OLD_IMAGES", "NEW_IMAGE")),
        duplicates=duplicates,
        incidents=tuple(incidents),
        concurrency=random.choice((0, 3, 8)),
        state=random.random() < 0.3,
        old_message=not kind.startswith("late ") and random.random() < 0.05,
        ttl=long is not None,
        deploys=deploys,
        strict=random.choice(SINK_NAMES)
        if kind == "mixed" and retries > 0 and random.random() < 0.15
        else "",
        backoff=long.backoff if long else Backoff(),
        bulk=cast[0].startswith("bulk "),
        most_bytes=random.choice((None, None, 4000, 8000)) if kind in ("mixed", "lanes") else None,
    )
    return _one_down(random, drawn) if kind == "one down" else of_whole_tables(drawn, seed)


def _one_down(random: Random, drawn: Scenario) -> Scenario:
    """*drawn*, in which one thing is down from the beginning until long after the last write."""
    ends = drawn.writes[-1].at + ONE_DOWN_S
    down = random.choice(("opensearch", "plain", "typesense", "articles", "registry"))
    is_sink = down in ("opensearch", "plain", "typesense")
    outage = Outage(down, START_NS / SECOND, START_NS / SECOND + ends, random.choice(DOWN))
    return replace(
        drawn,
        trouble=Trouble(outages=(outage,) if is_sink else ()),
        missing=None if is_sink else down,
        mapping={**drawn.mapping, "parallelization_factor": random.choice((1, 2))},
        ends=ends,
        stamp_skew_s=0.0,
        clocks_s=(0.0,),
        duplicates=0.0,
        old_message=False,
    )


def _cast(random: Random, kind: str) -> tuple[str, ...]:
    if kind == "mixed":
        return random.choices(tuple(MIXED), tuple(MIXED.values()))[0]
    return random.choice(PARTLY.get(kind, (("documents",),)))


def _rates(random: Random, kind: str) -> dict[str, float]:
    if kind == "calm":
        return {}
    if kind in LATE_KINDS:
        return dict.fromkeys(LATE_KINDS[kind], 0.4)
    if kind in TRIED_FOR_DAYS:
        return dict.fromkeys(SITES, 0.002)
    if kind in LONG:  # what fails nine times of ten does not for weeks
        return dict.fromkeys(SITES, random.choice((0.02, 0.1, 0.3)))
    base = random.choice((0.02, 0.05, 0.12))
    rates = dict.fromkeys(SITES, base)
    for site in random.sample(SITES, 2):
        rates[site] = random.choice((0.0, 0.3, 0.6))
    rates["sns.publish_batch"] = max(0.25, rates["sns.publish_batch"])  # called seldom
    rates["s3.put_object"], rates["s3.get_object"], rates["s3.delete_object"] = 0.6, 0.9, 0.6
    rates["s3.list_objects_v2"] = 0.6
    for site in SELDOM:
        rates[site] = 0.65 if site in ADMIN else 0.4
    rates[RANGES] = 0.05
    rates["dynamodb.get_item core"] = 0.3
    rates["typesense.delete"] = rates["sqs.change_message_visibility"] = 0.5
    rates["typesense.import"] = max(0.25, rates["typesense.import"])
    if kind == "lanes":
        rates["typesense.import"] = random.choice((0.05, 0.2, 0.5))
        # Where nothing can be parked or quarantined, messages come again, and what is behind them.
        rates["sqs.send_message_batch"] = random.choice((base, 1.0))
        rates["sns.publish_batch"] = random.choice((0.6, 1.0))
    if kind == "pointers":
        rates = dict.fromkeys(rates, 0.02)
    if kind in ("contended", "pointers"):
        rates["dynamodb.transact_write_items"] = random.choice((0.2, 0.4, 0.6))
        rates["dynamodb.batch_get_item"] = 0.05
    return rates


def _outages(random: Random, span: float) -> tuple[Outage, ...]:
    found = []
    for site, chance in (("opensearch", 0.3), ("plain", 0.3), ("typesense", 0.3), ("sqs", 0.12),
                         ("sns", 0.12), ("dynamodb", 0.1), ("s3", 0.05)):  # fmt: skip
        if random.random() < chance:
            begins = START_NS / SECOND + random.uniform(0, span)
            sink = site in ("opensearch", "plain", "typesense")
            lasts = random.choice((10.0, 60.0, 600.0, 3600.0 if sink else 300.0))
            if sink and random.random() < 0.02:  # each hour costs each parked message four tries
                lasts = random.choice((0.3, 0.3, 0.3, 0.3, 0.3, 2.0)) * 86_400
            found.append(Outage(site, begins, begins + lasts, random.choice(DOWN)))
    return tuple(found)


def _incidents(random: Random, kind: str, ends: float) -> list[tuple[float, str]]:
    if kind in BY_HAND:
        times = [begins + random.uniform(0.0, 2.0) for begins in AMID_S for _ in range(3)]
        if kind == "replays":
            times = [REPLAYED_S * n + random.random() for n in range(int(ends / REPLAYED_S))]
        return [(at, BY_HAND[kind]) for at in times]
    if kind == "overlap":
        return [(random.uniform(0, ends), "overlap") for _ in range(random.choice((10, 30)))]
    if kind not in BEFALLEN:
        return []
    kinds = {
        what: often
        for what, often in INCIDENTS.items()
        if kind == "mixed" or what not in MIXED_ALONE
    }
    count = random.choice((0, 4, 8, 16) if kind == "mixed" else (0, 0, 4))
    if random.random() < 0.5:  # a swarm has few kinds, and those often
        kinds = dict(random.sample(sorted(kinds.items()), random.randint(2, 6)))
    chosen = random.choices(tuple(kinds), tuple(kinds.values()), k=count)
    most = min(ends, 2000.0)
    return [(random.uniform(0, most), kind) for kind in chosen]


def _writes(
    random: Random, span: float, kind: str, cast: tuple[str, ...], long: Long | None, *, bugs: bool
) -> list[Write]:
    count = random.randint(58, 66)
    spots = [spot for name in cast for spot in CASTS[name](random)]
    bursts = [random.uniform(0, span) for _ in range(random.choice((2, 6, 25)))]
    if kind == "pointers":  # each write is a burst of its own: what is seen at once is one op
        bursts = [random.uniform(0, span) for _ in range(100)]
    if kind in AT_FIRST:  # the second burst comes when what the first one parked is resynced
        again = {"race": (40, 65), "fast clock": (66, 90)}.get(kind, (0, 30))
        bursts = [0.0, 0.0, 5.0, *(random.uniform(*again) for _ in range(AGAIN[kind]))]
        spots = random.sample(spots[:-3], 3) + spots[-3:]
    if kind == "by hand":  # no call comes after the last writes, which would mend all
        bursts = list(AMID_S)
    if long:
        bursts = list(long.bursts)
    poisoned = {
        "mixed": random.choice((0.0, 0.05, 0.12)),
        "lanes": random.choice((0.03, 0.2)),
        "replays": 0.1,
        "weeks": random.choice((0.0, 0.1)),
    }
    huge = random.choice((0.0, 0.0, 0.02)) if kind in ("mixed", "lanes") else 0.0
    few = random.random() < 0.3  # values that come again, so that states do too
    writes: list[Write] = []
    there: set[str] = set()
    times = sorted(min(span, random.choice(bursts) + random.expovariate(1.0)) for _ in range(count))
    last = spots[0]
    for number, at in enumerate(times):
        # Each spot at least once: those are never fewer than six.
        spot = spots[number] if number < len(spots) else random.choice(spots)
        # Two of one second, and not of one batch:
        if kind == "late" and number > len(spots) and random.random() < 0.6:
            spot = last
            at = max(at, writes[-1].at) + random.uniform(0.3, 0.7)
        last = spot
        what = action(random, spot, there=str(spot.keys) in there)
        values: dict[str, Any] = {}
        if what in DELETES:
            there.remove(str(spot.keys))
        else:
            there.add(str(spot.keys))
            text = f"t{random.randrange(3) if few else number}"
            values = values_of(
                random, spot, text, poisoned=poisoned.get(kind, 0.0), huge=huge, bugs=bugs
            )
        writes.append(Write(at, what, spot.table, spot.keys, values))
    return sorted(writes, key=lambda write: write.at)
