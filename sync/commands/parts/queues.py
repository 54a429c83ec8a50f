"""What waits on a queue: how much, how long, and whether it is there all the time."""

from collections import Counter
from datetime import datetime
from typing import Final, TypedDict

from sync.aws.clients import Clients, failures, queue_name
from sync.commands.parts.cloudwatch import Metric, latest, minutes

LASTING_MIN: Final = 30  # after so many minutes messages count as lasting, as the alarms have it
AT_LEAST: Final = 27  # of them had some: SQS counts approximately, and may have missed a few
_LAG_MIN: Final = 5  # until CloudWatch has a minute's numbers
_STATES: Final = (  # of messages, as CloudWatch names them
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


class Depth(TypedDict):
    """How many messages a queue has. null: that is not known."""

    waiting: int | None
    delayed: int | None
    in_flight: int | None


class Waiting(Depth):
    """Messages of a queue, and for how long there have been some.

    *lasting* says whether there were some, visible, delayed or in flight, at nearly every minute of
    the last half hour. The age of the oldest leaves out what was received three times.
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
    """What waits on the queue at *url*. Raises Retry where SQS or CloudWatch do not answer."""
    queue = queue_name(url)
    oldest_s = latest(clients, _metric("ApproximateAgeOfOldestMessage", queue), now_s)
    depth = _depth(clients, url)
    return {**depth, "oldest_s": oldest_s, "lasting": _lasting(clients, queue, now_s)}


def total(depth: Depth) -> int | None:
    """All messages, whatever their state; None where that is not known."""
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
    """Whether *queue* has not been empty for long; None where CloudWatch has no numbers of it."""
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
