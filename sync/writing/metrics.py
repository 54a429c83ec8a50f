"""How many documents fared how, for each sink: lines that CloudWatch makes metrics of.

One line a sink and invocation, in the embedded metric format (CloudWatch guide, "Embedded metric
format specification"): no request, and nothing to import. Namespace `stream-sync`, dimensions
`stage` and `sink`:

    written, stale      ops, as the sink answered
    parked              keys, each time they are parked; without a sink, for all sinks of a model
    refused             dead letters; without a sink, what no model could read
    latency_ms          from a change in the table to the sink's answer, for what was written; the
                        table tells whole seconds

and with the dimension `stage` alone:

    dead_letters        rows that the consumer wrote
    held                refusals that the brake parked instead (sync/recovery/brake.py)
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sync.runtime.clock import Clock
from sync.writing.op import Done, Outcome
from sync.writing.versions import SECOND

NAMESPACE: Final = "stream-sync"
_MOST_VALUES: Final = 100  # of one metric in a line
_UNITS: Final = {"latency_ms": "Milliseconds"}

Emit = Callable[[str], object]


def to_stdout(line: str) -> None:
    """Where Lambda takes log lines from."""
    sys.stdout.write(f"{line}\n")


class Metrics:
    """Gathers what an invocation does; `flush` writes it. One for each warm container."""

    def __init__(self, stage: str, clock: Clock, emit: Emit = to_stdout) -> None:
        self._stage = stage
        self._clock = clock
        self._emit = emit
        self._counts: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        self._latencies: defaultdict[str, list[int]] = defaultdict(list)

    def count(self, sink: str | None, name: str, by: int = 1) -> None:
        """*by* more of *name* for *sink*, or for the stage as a whole."""
        if by:
            self._counts[sink][name] += by

    def saw(self, sink: str, outcomes: Iterable[Outcome]) -> None:
        """Count how *outcomes* of *sink* fared."""
        now_ns = self._clock.time_ns()
        for op, result in outcomes:
            if isinstance(result, Done):
                self.count(sink, result.value)
            if result is Done.WRITTEN:
                changed_s = op.version // SECOND if op.since_s is None else op.since_s
                self._latencies[sink].append(max(0, int(now_ns - changed_s * SECOND) // 10**6))

    def flush(self) -> None:
        """Write what was gathered, and forget it."""
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
        told = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": n, "Unit": _UNITS.get(n, "Count")} for n in values],
        }
        aws = {"Timestamp": self._clock.time_ns() // 10**6, "CloudWatchMetrics": [told]}
        return json.dumps({"_aws": aws, **dimensions, **values}, separators=(",", ":"))


def _spread(values: list[int]) -> list[int]:
    """At most 100 of *values*, which are sorted: evenly spread, the first and last among them."""
    if len(values) <= _MOST_VALUES:
        return values
    step = (len(values) - 1) / (_MOST_VALUES - 1)
    return [values[round(n * step)] for n in range(_MOST_VALUES)]
