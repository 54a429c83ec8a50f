"""Reads metrics from CloudWatch, minute by minute."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sync.aws.clients import Clients, failures

_LOOK_BACK_S: Final = 900


class Metric(NamedTuple):
    """A metric of one thing, such as the age of a queue's oldest message."""

    namespace: str
    name: str
    dimension: tuple[str, str]  # name and value: QueueName, dead-letters


class Minute(NamedTuple):
    """The maximum of a metric in one minute."""

    at: datetime
    value: int


def minutes(clients: Clients, metric: Metric, now_s: float, since_s: int) -> Sequence[Minute]:
    """The minutes of the last *since_s* seconds with data, the oldest first. Raises Retry."""
    name, value = metric.dimension
    with failures(f"asking for {metric.name}"):
        answer = clients("cloudwatch").get_metric_statistics(
            Namespace=metric.namespace,
            MetricName=metric.name,
            Dimensions=[{"Name": name, "Value": value}],
            StartTime=datetime.fromtimestamp(now_s - since_s, UTC),
            EndTime=datetime.fromtimestamp(now_s, UTC),
            Period=60,
            Statistics=["Maximum"],
        )
    points = answer["Datapoints"]  # in no order
    return sorted(Minute(point["Timestamp"], int(point["Maximum"])) for point in points)


def latest(clients: Clients, metric: Metric, now_s: float) -> int | None:
    """The newest value of the last 15 minutes; None if there is none. Raises Retry."""
    found = minutes(clients, metric, now_s, _LOOK_BACK_S)
    return found[-1].value if found else None
