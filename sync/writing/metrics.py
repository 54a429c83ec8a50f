"""Metrics of each sink, as log lines from which CloudWatch extracts them.

One line for each sink and invocation, in the embedded metric format (CloudWatch guide, "Embedded
metric format specification"), which needs no request and no library. Namespace `stream-sync`, with
the dimensions `stage` and `sink`:

    written, stale      ops, by the sink's answer
    parked              keys, counted each time they are parked
    refused             dead letters
    verified            documents that `verify` compared, from both sides
    differences         of these, that differ and were not repaired
    latency_ms          of written ops, from the change in the table, whose time has whole seconds,
                        to the sink's answer

with the dimension `stage` alone:

    parked              keys that were parked for all sinks of their model
    refused             dead letters of records that no model could read
    dead_letters        rows that the consumer wrote
    run_pages           pages that runs have completed (sync/runs/)
    run_items           items that they read
    run_waits           pages that have to be done again later
    unread              sinks that `verify` could not read
    held                refusals that the brake parked instead (sync/recovery/brake.py)
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sync.runtime.clock import Clock
from sync.runtime.jsontext import compact
from sync.writing.op import Done, Outcome
from sync.writing.versions import SECOND

NAMESPACE: Final = "stream-sync"
_MOST_VALUES: Final = 100  # of one metric in a line (limit of the format)
_UNITS: Final = {"latency_ms": "Milliseconds"}

Emit = Callable[[str], object]


def to_stdout(line: str) -> None:
    """Write *line* to standard output, which Lambda sends to CloudWatch Logs."""
    sys.stdout.write(f"{line}\n")


class Metrics:
    """Collects the metrics of an invocation until `flush`. One for each warm container."""

    def __init__(self, stage: str, clock: Clock, emit: Emit = to_stdout) -> None:
        self._stage = stage
        self._clock = clock
        self._emit = emit
        self._counts: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        self._latencies: defaultdict[str, list[int]] = defaultdict(list)

    def count(self, sink: str | None, name: str, by: int = 1) -> None:
        """Add *by* to the count *name* of *sink*; None: of the whole stage."""
        if by:
            self._counts[sink][name] += by

    def saw(self, sink: str, outcomes: Iterable[Outcome]) -> None:
        """Count the *outcomes* of a write to *sink*, and their latencies."""
        now_ns = self._clock.time_ns()
        for op, result in outcomes:
            if isinstance(result, Done):
                self.count(sink, result.value)
            if result is Done.WRITTEN:
                changed_s = op.version // SECOND if op.since_s is None else op.since_s
                self._latencies[sink].append(max(0, int(now_ns - changed_s * SECOND) // 10**6))

    def flush(self) -> None:
        """Write what was collected, and start anew."""
        for sink, counts in self._counts.items():
            latencies = self._latencies.get(sink or "", [])
            values: dict[str, Any] = {**counts}
            if latencies:
                values["latency_ms"] = _spread(sorted(latencies))
            self._emit(self._line(sink, values))
        self._counts.clear()
        self._latencies.clear()

    def _line(self, sink: str | None, values: Mapping[str, Any]) -> str:
        dimensions = {"stage": self._stage, **({} if sink is None else {"sink": sink})}
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": n, "Unit": _UNITS.get(n, "Count")} for n in values],
        }
        aws = {"Timestamp": self._clock.time_ns() // 10**6, "CloudWatchMetrics": [directive]}
        return compact({"_aws": aws, **dimensions, **values})


def _spread(values: list[int]) -> list[int]:
    """At most 100 of the sorted *values*: evenly spread, with the first and the last."""
    if len(values) <= _MOST_VALUES:
        return values
    step = (len(values) - 1) / (_MOST_VALUES - 1)
    return [values[round(n * step)] for n in range(_MOST_VALUES)]
