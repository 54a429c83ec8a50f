"""How fast a backfill goes: throttled scans, and its rate."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.errors import NotTried, Retry, Throttled
from tests.records import PRODUCTS
from tests.simulation.aws import client_error
from tests.unit.runs.harness import Line, asked

IDS = [f"p{n}" for n in range(9)]


def throttled(times: int) -> Callable[..., None]:
    """The first scans are throttled."""
    errors: list[ClientError] = [
        client_error("ProvisionedThroughputExceededException", "rate") for _ in range(times)
    ]

    def befall(_service: str, method: str, given: Any) -> None:
        if method == "scan" and given["TableName"] == PRODUCTS and errors:
            raise errors.pop()

    return befall


def test_a_throttled_scan_is_tried_again_a_little_later(line: Line) -> None:
    """Both readings of a page, in the same invocation; nothing fails."""
    line.put(*IDS)
    line.before = throttled(5)
    id_ = line.start(segments=1)
    line.step()
    assert line.counts(id_) == {"read": 9, "written": 9}
    assert len(line.clock.slept) == 5
    assert all(slept_s <= 5 for slept_s in line.clock.slept)


def test_a_scan_that_stays_throttled_goes_on_with_the_next_message(line: Line) -> None:
    """After a while, and for as long as it takes."""
    line.put(*IDS)
    line.before = throttled(6 * 20)
    id_ = line.start(segments=1)
    line.step()
    (segment,) = line.segments(id_)
    assert segment.cause is not None
    assert segment.cause.startswith("Throttled: reading stream-sync-test-products")
    assert (segment.tries, segment.begun) == (1, False)
    line.rest()
    assert line.counts(id_) == {"read": 9, "written": 9}
    assert line.delivered == 21


def test_a_table_that_is_gone_is_said(line: Line) -> None:
    """The run waits until somebody cancels it."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    line.account.dynamodb.delete_table(TableName=PRODUCTS)
    line.step()
    (segment,) = line.segments(id_)
    assert segment.cause is not None
    assert "ResourceNotFoundException" in segment.cause
    line.account.call("backfill cancel", id=id_)
    line.rest()


def test_a_rate_is_kept_by_each_of_the_segments(line: Line) -> None:
    """They share it: with two of them, a page of two units at two units a second takes two."""
    line.put(*IDS)
    scans = asked(line, "scan")
    line.start(segments=2, rate=2)
    began_s = line.clock.now
    line.step()
    first = [scan for scan in scans if scan["Segment"] == scans[0]["Segment"]]
    assert {scan["Limit"] for scan in first} == {1}
    units = len(first)  # of one each, since items are small
    paused_s = sum(line.clock.slept)
    assert paused_s == pytest.approx(units - 2, abs=1)  # not after the last page
    assert line.clock.now - began_s >= paused_s


def test_a_rate_that_is_too_slow_for_an_invocation_delays_the_next_message(line: Line) -> None:
    """Nobody sleeps for minutes."""
    line.put(*IDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.simulation.dynamodb.PAGE_BYTES", 200)
        patch.setattr("sync.runs.worker.PAGE_S", 299.5)
        id_ = line.start(segments=1, rate=1)
        line.step()
        (segment,) = line.segments(id_)
        assert (segment.counts["read"], segment.cause) == (1, None)
        (message,) = line.messages
        assert 1 <= message.visible_at - line.clock.now <= 2
        line.rest()
    assert line.sink() == line.table()


def test_without_a_rate_there_is_no_pause(line: Line) -> None:
    """And a page has as many items as fit."""
    line.put(*IDS)
    scans = asked(line, "scan")
    line.start(segments=1)
    line.rest()
    assert line.clock.slept == []
    assert all(scan["Limit"] == 1_000 and scan["ConsistentRead"] for scan in scans)


@pytest.mark.parametrize("error", [Throttled("x"), NotTried("x")])
def test_a_retry_is_no_bug(line: Line, error: Retry) -> None:
    """Whatever a page raises of that kind has it done again."""
    line.put("a")
    id_ = line.start(segments=1)
    kinds = line.account.service.run_worker._kinds

    class Waits:
        def page(self, *_: Any, **_more: Any) -> Any:
            raise error

    kinds["backfill"] = Waits()  # type: ignore[index]
    line.step()
    (segment,) = line.segments(id_)
    assert segment.cause == f"{type(error).__name__}: x"
