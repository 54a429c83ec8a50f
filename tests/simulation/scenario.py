"""What a seed decides: what is written, how it is delivered, and what goes wrong meanwhile."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from sync.sinks.base import AttributeMap
from tests.simulation import opensearch, plain
from tests.simulation.calls import Fault, Outage, Trouble
from tests.simulation.models import BUG, CORE, PARTS, core_keys, part_keys
from tests.simulation.world import SECOND, START_NS

SITES: Final = (
    "opensearch.bulk",
    "plain.write",
    "sqs.send_message_batch",
    "sns.publish_batch",
    "s3.put_object",
    "s3.get_object",
    "dynamodb.batch_get_item",
    "dynamodb.update_item",
    "dynamodb.get_item",
    "dynamodb.query",
    "dynamodbstreams.get_shard_iterator",
    "dynamodbstreams.get_records",
    "lambda.invoke",
    "lambda.on_failure",
)
SELDOM: Final = tuple(site for site in SITES if site.startswith(("dynamodb.", "dynamodbstreams.")))
KINDS: Final = {
    "mixed": 66,
    "calm": 3,
    "race": 10,  # resyncs meet writes of the stream
    "late": 8,  # effects come late
    "slow clocks": 4,  # … and so late that the clocks of resyncs are behind their versions
    "fast clock": 4,  # one machine's resyncs are ahead of the stream
    "late plain": 5,  # effects on the sink without versions come late, and nothing else goes wrong
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
SINKS: Final = ("opensearch.bulk", "plain.write")
ADMIN: Final = ("dynamodb.get_item", "dynamodb.query")  # called by commands alone
DOWN: Final = (Fault.THROTTLED, Fault.SERVER_ERROR, Fault.CUT_BEFORE, Fault.TIMEOUT)
LARGE: Final = 205_000  # characters: a record that does not fit a message


@dataclass(frozen=True, slots=True)
class Write:
    """Something the application does *at* so many seconds from the beginning."""

    at: float
    kind: str  # put, update, delete, expire
    table: str
    keys: AttributeMap
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    kind: str  # one of KINDS
    writes: tuple[Write, ...]
    trouble: Trouble
    mapping: dict[str, Any]  # settings of the stream mappings
    ends: float  # when all trouble is over
    stamp_skew_s: float  # of the stream's creation times
    clocks_s: tuple[float, ...]  # by how much the clocks of machines are off
    gc_deletes_s: float
    late_plain: bool  # effects on the sink without versions may be late; nothing else goes wrong
    view: str
    duplicates: float  # share of queue and topic deliveries
    incidents: tuple[tuple[float, str], ...]  # (at, what)
    concurrency: int  # of the resync worker
    state: bool  # sinks note how they do
    old_message: bool  # a key was parked almost 14 days ago


def draw(seed: int) -> Scenario:
    random = Random(f"scenario {seed}")
    kind = random.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    span = random.choice((5.0, 60.0, 60.0, 300.0, 300.0, 1500.0))
    if kind in AT_FIRST:
        span = 120.0
    late_plain, calm = kind == "late plain", kind == "calm"
    retries = random.choice((3, 3, 3, -1))
    skew = random.choice((0.0, 2.0, 2.0, 60.0, 150.0))
    clocks = tuple(random.uniform(-skew, skew) for _ in range(6))
    clocks = CLOCKS.get(kind, clocks)
    ends = span + random.choice((1.0, 30.0, 120.0, 600.0))
    very_late = kind in ("late", "slow clocks") or random.random() < 0.3
    outages = _outages(random, span) if kind == "mixed" else ()
    ends = max([ends, *(outage.ends - START_NS / SECOND for outage in outages)])
    trouble = Trouble(
        rates=_rates(random, calm=calm, late_plain=late_plain),
        outages=outages,
        kinds={"plain.write": (Fault.TIMEOUT_LATE,)} if late_plain else {},
        latest_s=19.0 if late_plain else 600.0 if very_late else 30.0,
        slow=random.choice((0.0, 0.02, 0.3, 0.3, 0.4)),
    )
    duplicates = random.choice((0.0, 0.02, 0.2))
    if ends - span > 900:  # of what is tried for hours, each copy is tried for hours
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
    if kind == "late":  # what versions are for
        late = random.choice(((Fault.TIMEOUT_LATE, Fault.CRASH_LATE), (Fault.CRASH_LATE,)))
        trouble.kinds = {"opensearch.bulk": late}
        trouble.rates = {"opensearch.bulk": random.choice((0.2, 0.5)), "plain.write": 0.1}
    return Scenario(
        kind=kind,
        writes=tuple(_writes(random, span, kind, bugs=retries > 0)),
        trouble=trouble,
        mapping={
            "batch_size": random.choice((1, 1, 5) if kind == "late" else (1, 5, 20, 100)),
            "window_s": random.choice((0, 0, 1, 5)),
            "parallelization_factor": random.choice((1, 1, 2, 5)),
            "bisect": random.random() < 0.8,
            "maximum_retry_attempts": retries,
        },
        ends=ends,
        stamp_skew_s=random.choice((0.0, 0.0, 3.0) if kind == "late" else (0.0, 1.0, 3.0)),
        clocks_s=clocks,
        gc_deletes_s=1e9 if very_late else 60.0,
        late_plain=late_plain,
        view=random.choice(("NEW_AND_OLD_IMAGES", "NEW_AND_OLD_IMAGES", "NEW_IMAGE")),
        duplicates=duplicates,
        incidents=tuple(_incidents(random, ends, few=kind == "late"))
        if kind in ("mixed", "late")
        else (),
        concurrency=random.choice((2, 3, 8)),
        state=random.random() < 0.3,
        old_message=not late_plain and random.random() < 0.05,
    )


def _rates(random: Random, *, calm: bool, late_plain: bool) -> dict[str, float]:
    if calm:
        return {}
    if late_plain:
        return {"plain.write": 0.4}
    base = random.choice((0.02, 0.05, 0.12))
    rates = dict.fromkeys(SITES, base)
    for site in random.sample(SITES, 2):
        rates[site] = random.choice((0.0, 0.3, 0.6))
    rates["sns.publish_batch"] = max(0.25, rates["sns.publish_batch"])  # called seldom
    rates["s3.put_object"], rates["s3.get_object"] = 0.6, 0.85
    for site in SELDOM:
        rates[site] = 0.6 if site in ADMIN else 0.35
    rates["dynamodb.update_item"] = 0.04  # a range of 50 records needs 50 of them, in one go
    return rates


def _outages(random: Random, span: float) -> tuple[Outage, ...]:
    found = []
    for site, chance in (("opensearch", 0.3), ("plain", 0.3), ("sqs", 0.12), ("sns", 0.12),
                         ("dynamodb", 0.1), ("s3", 0.05)):  # fmt: skip
        if random.random() < chance:
            begins = START_NS / SECOND + random.uniform(0, span)
            sink = site in ("opensearch", "plain")
            lasts = random.choice((10.0, 60.0, 600.0, 3600.0 if sink else 300.0))
            if sink and random.random() < 0.02:  # each hour costs each parked message four tries
                lasts = random.choice((0.3, 0.3, 0.3, 0.3, 0.3, 2.0)) * 86_400
            found.append(Outage(site, begins, begins + lasts, random.choice(DOWN)))
    return tuple(found)


def _incidents(random: Random, ends: float, *, few: bool) -> list[tuple[float, str]]:
    kinds = {
        "kill": 6, "recycle": 3, "split": 2, "replace poller": 2, "rewind": 2, "restart": 2,
        "alias": 1, "block": 1, "replay": 3, "replay twice": 2, "show": 16,
    }  # fmt: skip
    count = random.choice((0, 0, 4) if few else (0, 4, 8, 16))
    chosen = random.choices(tuple(kinds), tuple(kinds.values()), k=count)
    most = min(ends, 2000.0)
    return [(random.uniform(0, most), kind) for kind in chosen]


def _writes(random: Random, span: float, kind: str, *, bugs: bool) -> list[Write]:
    count = random.randint(58, 66)
    places: list[tuple[str, AttributeMap]] = [
        (CORE, core_keys("ARTICLE", f"A#{n}")) for n in range(random.randint(2, 4))
    ]
    places += [(CORE, core_keys("SHELF", f"S#{n} é/|")) for n in range(random.randint(1, 2))]
    places += [(PARTS, part_keys(bytes([0, 255, n]), n * 1000)) for n in range(2)]
    places += [(CORE, core_keys("OTHER", "nobody's"))]
    bursts = [random.uniform(0, span) for _ in range(random.choice((2, 6, 25)))]
    if kind in AT_FIRST:  # the second burst comes when what the first one parked is resynced
        again = {"race": (40, 65), "fast clock": (66, 90)}.get(kind, (0, 30))
        bursts = [0.0, 0.0, 5.0, *(random.uniform(*again) for _ in range(AGAIN[kind]))]
        places = random.sample(places[:-3], 3) + places[-3:]
    poisoned = random.choice((0.0, 0.03, 0.1)) if kind == "mixed" else 0.0
    few = random.random() < 0.3  # values that come again, so that states do too
    writes: list[Write] = []
    there: set[str] = set()  # a delete of what is absent changes nothing, and makes no record
    times = sorted(min(span, random.choice(bursts) + random.expovariate(1.0)) for _ in range(count))
    for number, at in enumerate(times):
        # Each place at least once: those are never fewer than six.
        table, keys = places[number] if number < len(places) else random.choice(places)
        # Two of one second, and not of one batch:
        if kind == "late" and number > len(places) and random.random() < 0.6:
            table, keys = writes[-1].table, writes[-1].keys
            at = max(at, writes[-1].at) + random.uniform(0.3, 0.7)
        action = random.choices(("put", "update", "delete", "expire"), (50, 25, 18, 7))[0]
        values: dict[str, Any] = {}
        if str(keys) not in there and action in ("delete", "expire"):
            action = "put"
        if action in ("put", "update"):
            there.add(str(keys))
            title = f"t{random.randrange(3) if few else number}"
            values["title"] = {"S": title}
            if random.random() < poisoned:
                values["title"] = _poison(random, title, bugs=bugs)
            values |= _extras(random)
        else:
            there.remove(str(keys))
        writes.append(Write(at, action, table, keys, values))
    return sorted(writes, key=lambda write: write.at)


def _poison(random: Random, title: str, *, bugs: bool) -> dict[str, Any]:
    words = [opensearch.REFUSED_WORD, opensearch.REJECTED_WORD, plain.REFUSED_WORD]
    if bugs:
        words.append(BUG)
    kind = random.randrange(len(words) + 2)
    if kind < len(words):
        return {"S": f"{title} {words[kind]}"}
    if random.random() < 0.6:
        return {"L": [{"S": "x" * LARGE}]}
    return {"N": "5"}


def _extras(random: Random) -> dict[str, Any]:
    values: dict[str, Any] = {"unknown": {"B": "AAEC"}}
    if random.random() < 0.5:
        values["rank"] = {"N": random.choice(("1", "-0.5", "12345678901234567890.12345", "1E+3"))}
    if random.random() < 0.2:
        values["labels"] = {"SS": ["b", "a"]}
    if random.random() < 0.2:
        values["details"] = {"M": {"x": {"N": "1"}, "y": {"L": [{"NULL": True}, {"S": "é"}]}}}
    return values
