"""How everything is doing, in one answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sync.aws.clients import failures, queue_name
from sync.commands.arguments import Arguments
from sync.deadletters.table import Filter
from sync.errors import Retry
from sync.runtime.deadline import Deadline
from sync.runtime.moments import iso
from sync.service import lane_name

if TYPE_CHECKING:
    from sync.service import Service

T = TypeVar("T")

LOST_MS: Final = 24 * 3600 * 1000  # what a stream keeps (DynamoDB guide, Streams)
OLD_S: Final = 900  # of a message that its function should have had
GREEN, YELLOW, RED = ("green", "yellow", "red")
LASTING_MIN: Final = 30  # after so many minutes messages count as lasting, as the alarms have it
AT_LEAST: Final = 27  # of them had some: SQS counts approximately, and may have missed a few
_MOST_COUNTED: Final = 5_000  # open dead letters; more are "at least so many"
_LOOK_BACK_S: Final = 900
_LAG_MIN: Final = 5  # until CloudWatch has a minute's numbers
_QUEUE_ATTRIBUTES: Final = {
    "waiting": "ApproximateNumberOfMessages",
    "delayed": "ApproximateNumberOfMessagesDelayed",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
}
_QUEUE_METRICS: Final = (  # the same, as CloudWatch names them
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)
_UNTOLD: Final[dict[str, int | bool | None]] = dict.fromkeys(
    (*_QUEUE_ATTRIBUTES, "oldest_s", "lasting")
)


def status(_given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "status"}`: sinks, queues, dead letters and how late the streams are.

    Answers `{"level", "problems": [{"level", "what", "run"}], "sinks": [{"sink",
    "last_success_at", "lag_s", "breaker", "broken_by", "dead"}], "queues": [{"sink", "queue",
    "dead_letters", "waiting", "delayed", "in_flight", "oldest_s", "lasting"}], "parked":
    {"waiting", "delayed", "in_flight", "oldest_s", "lasting"}, "dead_letters": {"open",
    "counted_all", "oldest", "queued", "lasting"}, "stream": {"iterator_age_ms"}, "at"}`. What
    can't be told is null, and a problem says why.

    A sink that is written to by a queue of its own is two of "sinks": "NAME queue", which is what
    the stream writes to, and "NAME" behind it. "queues" has its queue and the dead-letter queue of
    that ("dead_letters": true); one whose oldest message waits over 15 minutes is yellow.

    lasting says whether a queue had messages, visible, delayed or in flight, at nearly every minute
    of the last half hour. Of parked keys and of dead letters on their way to the table that is
    yellow: so long they stay only where a sink is down, or where what reads them fails. The age of
    the oldest would not tell: a message that was received three times is not counted in it.

    lag_s is the age of the oldest change of the write that was noted last, at most a minute ago
    while there are writes. Parked keys are counted in messages, for all sinks together: SQS can't
    be asked whose they are. A stream keeps its records for 24 h: an iterator age over
    ITERATOR_AGE_ALARM_MS is yellow; over 24 h records are lost, and red.
    """
    problems: list[dict[str, Any]] = []
    now_s = service.clock.time_ns() / 1e9
    unknown: dict[str, Any] = {}
    dead = _told(problems, {**unknown}, lambda: _dead_letters(service, deadline))
    resync_url = service.config.resync_queue_url
    parked = _told(problems, unknown, lambda: _waiting(service, resync_url, now_s))
    dead_url = service.config.dead_letter_queue_url
    queued = _told(problems, unknown, lambda: _waiting(service, dead_url, now_s))
    age_ms = _told(problems, None, lambda: _iterator_age_ms(service, now_s))
    rows = _told(problems, unknown, lambda: service.state.read() if service.state else {})
    counts: Counter[str | None] | None = dead.pop("by_sink", None)
    sinks = [
        _sink(
            name,
            rows.get(name, {}),
            counts[name] if has_letters and counts is not None else None,
            now_s,
        )
        for name, has_letters in sorted(_names(service))
    ]
    queues = [
        {**queue, **_told(problems, _UNTOLD, partial(_waiting, service, url, now_s))}
        for queue, url in _queues(service)
    ]
    dead |= {
        "queued": sum(queued[name] for name in _QUEUE_ATTRIBUTES) if queued else None,
        "lasting": queued.get("lasting"),
    }
    problems += _late(age_ms, service.config.iterator_age_alarm_ms, list(service.registry.tables))
    problems += _problems(sinks, queues, parked, dead)
    levels = {problem["level"] for problem in problems}
    return {
        "level": RED if RED in levels else YELLOW if levels else GREEN,
        "problems": problems,
        "sinks": sinks,
        "queues": queues,
        "parked": parked,
        "dead_letters": dead,
        "stream": {"iterator_age_ms": age_ms},
        "at": iso(now_s),
    }


def _told(problems: list[dict[str, Any]], otherwise: T, ask: Callable[[], T]) -> T:
    """What *ask* says; where it can't be told, *otherwise*, and a problem."""
    try:
        return ask()
    except Retry as error:
        problems.append({"level": YELLOW, "what": f"not to be told: {error}", "run": None})
        return otherwise


def _late(age_ms: int | None, late_ms: int, tables: Sequence[str]) -> Iterator[dict[str, Any]]:
    if age_ms is not None and age_ms > LOST_MS:
        for table in tables:
            yield {
                "level": RED,
                "what": f"a stream is {_duration(age_ms)} late: records of {table} may be lost",
                "run": f"python -m sync resync --table {table}",
            }
    elif age_ms is not None and age_ms > late_ms:
        yield {
            "level": YELLOW,
            "what": f"a stream is {_duration(age_ms)} late: records are lost at 24 h",
            "run": None,
        }


def _problems(
    sinks: Sequence[dict[str, Any]],
    queues: Sequence[dict[str, Any]],
    parked: Mapping[str, Any],
    dead: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    for sink in sinks:
        if sink["breaker"] != "closed":
            yield {
                "level": YELLOW,
                "what": f"{sink['sink']} does not answer: {sink['broken_by']}",
                "run": None,
            }
    if parked.get("lasting"):
        yield {
            "level": YELLOW,
            "what": "keys have been parked for half an hour: their sink can't have them, or the "
            "resync function fails; see its log",
            "run": None,
        }
    for queue in queues:
        old, lasting = (queue["oldest_s"] or 0) > OLD_S, queue["dead_letters"] and queue["lasting"]
        if old or lasting:
            what = "dead letters" if queue["dead_letters"] else "changes"
            waited = f"{queue['oldest_s']:,} s" if old else "half an hour"
            yield {
                "level": YELLOW,
                "what": f"{what} for {queue['sink']} have waited for {waited}: "
                f"the function behind {queue['queue']} fails, or can't keep up; see its log",
                "run": None,
            }
    if dead["lasting"]:
        yield {
            "level": YELLOW,
            "what": "dead letters have waited for half an hour to be kept: their consumer, the "
            "deadletters function, fails or can't keep up; see its log",
            "run": None,
        }
    if dead.get("open"):
        yield {
            "level": YELLOW,
            "what": f"open dead letters: {dead['open']:,}, the oldest since {dead['oldest']}",
            "run": "python -m sync dlq list",
        }


def _names(service: "Service") -> Iterator[tuple[str, bool]]:
    """What is noted of sinks, and whether dead letters have that name."""
    yield from ((name, True) for name in service.sinks)
    yield from ((lane_name(name), False) for name in service.senders)


def _queues(service: "Service") -> Iterator[tuple[dict[str, Any], str]]:
    """What sinks' own queues are called and for, and their URLs."""
    for name, sender in service.senders.items():
        for url, dead in ((sender.queue_url, False), (sender.dead_letter_queue_url, True)):
            yield {"sink": name, "queue": queue_name(url), "dead_letters": dead}, url


def _sink(name: str, row: dict[str, Any], dead: int | None, now_s: float) -> dict[str, Any]:
    success, broken = row.get("last_success_at"), row.get("broken_at")
    # What was written to another target since says nothing of this one.
    is_news = broken and (row.get("broken_target") or broken > (success or ""))
    open_until = row.get("broken_until") if is_news else None
    if open_until and open_until <= iso(now_s):
        open_until = None
    return {
        "sink": name,
        "last_success_at": success,
        "lag_s": int(row["lag_s"]) if "lag_s" in row else None,
        "breaker": f"open until {open_until}" if open_until else "closed",
        "broken_by": row.get("broken_by") if open_until else None,
        "dead": dead,
    }


def _dead_letters(service: "Service", deadline: Deadline) -> dict[str, Any]:
    rows, more = service.dead_letter_table.page(
        Filter(), limit=_MOST_COUNTED, cursor=None, deadline=deadline
    )
    return {
        "open": len(rows),
        "counted_all": more is None,
        "oldest": rows[0].first_at if rows else None,
        "by_sink": Counter(row.sink for row in rows),
    }


def _waiting(service: "Service", url: str, now_s: float) -> dict[str, Any]:
    """How many messages a queue has, how long the oldest has waited, and whether some last."""
    name = queue_name(url)
    oldest = _metric(
        service, now_s, "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}
    )
    depth = _depth(service, url)
    return {**depth, "oldest_s": oldest, "lasting": _lasting(service, name, now_s)}


def _depth(service: "Service", url: str) -> dict[str, int]:
    with failures(f"asking for the depth of {queue_name(url)}"):
        answer = service.clients("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=list(_QUEUE_ATTRIBUTES.values())
        )
    return {name: int(answer["Attributes"][of]) for name, of in _QUEUE_ATTRIBUTES.items()}


def _lasting(service: "Service", queue: str, now_s: float) -> bool | None:
    """Whether *queue* has not been empty for long; None where CloudWatch has no numbers of it."""
    held: Counter[datetime] = Counter()
    since_s = 60 * (LASTING_MIN + _LAG_MIN)
    for metric in _QUEUE_METRICS:
        for point in _points(service, now_s, since_s, "AWS/SQS", metric, {"QueueName": queue}):
            held[point["Timestamp"]] += int(point["Maximum"])
    if not held:
        return None
    return sum(held[minute] > 0 for minute in sorted(held)[-LASTING_MIN:]) >= AT_LEAST


def _iterator_age_ms(service: "Service", now_s: float) -> int | None:
    function = f"stream-sync-{service.config.stage}-stream"
    return _metric(service, now_s, "AWS/Lambda", "IteratorAge", {"FunctionName": function})


def _metric(
    service: "Service", now_s: float, namespace: str, name: str, of: dict[str, str]
) -> int | None:
    """The latest maximum of a minute in the last quarter of an hour; None where there is none."""
    points = _points(service, now_s, _LOOK_BACK_S, namespace, name, of)
    points = sorted(points, key=lambda point: point["Timestamp"])
    return int(points[-1]["Maximum"]) if points else None


def _points(
    service: "Service", now_s: float, since_s: int, namespace: str, name: str, of: dict[str, str]
) -> Sequence[Mapping[str, Any]]:
    """The maximum of each minute that has numbers, in no order."""
    with failures(f"asking for {name}"):
        answer = service.clients("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in of.items()],
            StartTime=datetime.fromtimestamp(now_s - since_s, UTC),
            EndTime=datetime.fromtimestamp(now_s, UTC),
            Period=60,
            Statistics=["Maximum"],
        )
    points: Sequence[Mapping[str, Any]] = answer["Datapoints"]
    return points


def _duration(ms: int) -> str:
    return f"{ms / 3_600_000:.1f} h" if ms >= 3_600_000 else f"{ms // 60_000} min"
