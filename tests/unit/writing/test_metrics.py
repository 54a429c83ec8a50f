"""Lines that CloudWatch makes metrics of."""

import json
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.writing.metrics import NAMESPACE, Metrics
from sync.writing.op import Done, Op, Outcome
from tests.doubles.account import Account
from tests.doubles.clocks import ManualClock
from tests.doubles.trouble import SOUND
from tests.records import PRODUCTS, stream_record

SOURCE = Source("t", {"id": {"S": "1"}})


def op(version: int, since_s: float | None = None) -> Op:
    return Op("memory", SOURCE, "things", "1", b"{}", version, since_s)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def metrics(lines: list[str]) -> Metrics:
    return Metrics("test", ManualClock(1_800_000_010.5), lines.append)


def read(line: str) -> tuple[dict[str, Any], Any]:
    """Dimensions and values of a line, by its own directive, as CloudWatch reads it."""
    found = json.loads(line)
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    (dimensions,) = directive["Dimensions"]
    values = {metric["Name"]: found[metric["Name"]] for metric in directive["Metrics"]}
    assert set(found) == {"_aws", *dimensions, *values}
    assert isinstance(found["_aws"]["Timestamp"], int)
    return {name: found[name] for name in dimensions}, values


def test_a_line_for_each_sink_says_how_its_documents_fared(
    metrics: Metrics, lines: list[str]
) -> None:
    """And how long after their changes; what was parked counts from then on."""
    outcomes = [(op(1_800_000_008 * 10**9 + 7), Done.WRITTEN), (op(5), Done.STALE)]
    metrics.saw("opensearch", [Outcome(*each) for each in outcomes])
    metrics.saw("typesense", [Outcome(op(7, since_s=1_800_000_000.5), Done.WRITTEN)])
    metrics.count("opensearch", "parked", 3)
    metrics.count(None, "dead_letters")
    metrics.flush()
    assert [read(line) for line in lines] == [
        (
            {"stage": "test", "sink": "opensearch"},
            {"written": 1, "stale": 1, "parked": 3, "latency_ms": [2500]},
        ),
        ({"stage": "test", "sink": "typesense"}, {"written": 1, "latency_ms": [10_000]}),
        ({"stage": "test"}, {"dead_letters": 1}),
    ]
    metrics.flush()
    assert len(lines) == 3


def test_a_line_has_no_more_values_than_cloudwatch_takes(
    metrics: Metrics, lines: list[str]
) -> None:
    """A hundred of one metric, the least and the most among them."""
    versions = [(1_800_000_010 - n) * 10**9 for n in range(1000)]
    metrics.saw("s", [Outcome(op(version), Done.WRITTEN) for version in versions])
    metrics.flush()
    ((_, values),) = map(read, lines)
    assert (values["written"], len(values["latency_ms"])) == (1000, 100)
    assert (values["latency_ms"][0], values["latency_ms"][-1]) == (500, 999_500)


def test_a_clock_that_is_behind_gives_no_negative_latency(
    metrics: Metrics, lines: list[str]
) -> None:
    """The stream's clock is another's."""
    metrics.saw("s", [Outcome(op(1_800_000_099 * 10**9), Done.WRITTEN)])
    metrics.flush()
    assert read(lines[0])[1]["latency_ms"] == [0]


def test_each_invocation_writes_what_it_did(account: Account) -> None:
    """Also one that ends in an error."""
    record = stream_record({"productId": {"S": "p"}}, SOUND, table=PRODUCTS)
    account.handle({"Records": [record]})
    ((dimensions, values),) = map(read, account.metrics)
    assert dimensions == {"stage": "test", "sink": "opensearch"}
    assert (values["written"], len(values["latency_ms"])) == (1, 1)
    with pytest.raises(Exception, match="no handler"):
        account.handle({})
    assert len(account.metrics) == 1
