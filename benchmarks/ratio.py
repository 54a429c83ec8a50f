"""Callables timed in turns within one run, so that the machine's other work touches all alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

Cases = Mapping[str, Callable[[], object]]


def compare(
    cases: Cases,
    at_least: Mapping[str, float] | None = None,
    *,
    rounds: int = 15,
    round_s: float = 0.02,
) -> dict[str, dict[str, Any]]:
    """For each case the median CPU `us` of a call, and as `ratio` how many times faster than the
    first case that is; `at_least` and `kept` where *at_least* promises a ratio.

    Each case runs for about *round_s* seconds in each of *rounds* turns.
    """
    calls = {name: _calls_in(run, round_s) for name, run in cases.items()}
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            samples[name].append(_seconds(run, calls[name]) / calls[name])
    medians = {name: median(seconds) for name, seconds in samples.items()}
    base = next(iter(medians.values()))
    figures: dict[str, dict[str, Any]] = {
        name: {"us": seconds * 1e6, "ratio": base / seconds} for name, seconds in medians.items()
    }
    for name, ratio in (at_least or {}).items():
        figures[name] |= {"at_least": ratio, "kept": figures[name]["ratio"] >= ratio}
    return figures


def table(groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """What `compare` returned for each group, a line for each case."""
    width = 2 + max(len(name) for group in groups.values() for name in group)
    lines = []
    for group, figures in groups.items():
        lines.append(f"{group:{width}}{'µs':>10}{'ratio':>8}")
        for name, figure in figures.items():
            line = f"  {name:{width - 2}}{figure['us']:10.1f}{figure['ratio']:8.2f}"
            if "kept" in figure:
                line += f"  {'at least' if figure['kept'] else 'MISSED'} {figure['at_least']:g}"
            lines.append(line)
    return "\n".join(lines)


def _calls_in(run: Callable[[], object], seconds: float) -> int:
    """How many calls of *run* take about *seconds*; warms it up on the way."""
    calls = 1
    while (taken := _seconds(run, calls)) < seconds / 4:
        calls *= 4
    return max(1, round(calls * seconds / taken))


def _seconds(run: Callable[[], object], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        run()
    return time.process_time() - began
