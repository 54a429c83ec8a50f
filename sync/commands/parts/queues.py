"""The messages of a queue: how many, how old, and whether it is never empty."""

from collections import Counter
from datetime import datetime
from typing import Final, TypedDict

from sync.aws.clients import Clients, failures, queue_name
from sync.commands.parts.cloudwatch import Metric, latest, minutes

LASTING_MIN: Final = 30  # minutes of messages that count as lasting, as in the alarms
AT_LEAST: Final = 27  # of these minutes with messages: SQS counts approximately, and may miss some
_LAG_MIN: Final = 5  # minutes until CloudWatch has the data of a minute
_STATES: Final = (  # of messages, as CloudWatch names them
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


class Depth(TypedDict):
    """How many messages a queue has. null: unknown."""

    waiting: int | None
    delayed: int | None
    in_flight: int | None


class Waiting(Depth):
    """The messages of a queue, and how long it has had some.

    *lasting*: whether it had messages, visible, delayed or in flight, in nearly every minute of the
    last half hour. *oldest_s* leaves out messages that were received three times or more.
    """

    oldest_s: int | None
    lasting: bool | None


UNKNOWN: Final[Waiting] = {
    "waiting": None,
    "delayed": None,
    "in_flight": None,
    "oldest_s": None,
    "lasting": None,
}


def waiting(clients: Clients, url: str, now_s: float) -> Waiting:
    """The messages of the queue at *url*. Raises Retry if SQS or CloudWatch do not answer."""
    queue = queue_name(url)
    oldest_s = latest(clients, _metric("ApproximateAgeOfOldestMessage", queue), now_s)
    depth = _depth(clients, url)
    return {**depth, "oldest_s": oldest_s, "lasting": _lasting(clients, queue, now_s)}


def total(depth: Depth) -> int | None:
    """The number of messages in all states; None if unknown."""
    counts = depth["waiting"], depth["delayed"], depth["in_flight"]
    return None if None in counts else sum(count for count in counts if count is not None)


def _depth(clients: Clients, url: str) -> Depth:
    with failures(f"asking for the depth of {queue_name(url)}"):
        answer = clients("sqs").get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
    counts = answer["Attributes"]
    return {
        "waiting": int(counts["ApproximateNumberOfMessages"]),
        "delayed": int(counts["ApproximateNumberOfMessagesDelayed"]),
        "in_flight": int(counts["ApproximateNumberOfMessagesNotVisible"]),
    }


def _lasting(clients: Clients, queue: str, now_s: float) -> bool | None:
    """Whether *queue* has long had messages; None if CloudWatch has no data of it."""
    held: Counter[datetime] = Counter()
    since_s = 60 * (LASTING_MIN + _LAG_MIN)
    for state in _STATES:
        for minute in minutes(clients, _metric(state, queue), now_s, since_s):
            held[minute.at] += minute.value
    if not held:
        return None
    return sum(held[at] > 0 for at in sorted(held)[-LASTING_MIN:]) >= AT_LEAST


def _metric(name: str, queue: str) -> Metric:
    return Metric("AWS/SQS", name, ("QueueName", queue))
