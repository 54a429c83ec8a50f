"""Running many seeds, in processes, and telling how it went."""

import argparse
import gc
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tests.asked import Ask
from tests.simulation.kept import keep
from tests.simulation.run import Report, simulate

CHUNK = 25


@dataclass
class Total:
    """What many seeds came to."""

    seeds: int = 0
    writes: int = 0
    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Report] = field(default_factory=list)
    fewest_writes: int = 10**9
    fewest_keys: int = 10**9
    asked: set[Ask] = field(default_factory=set)
    places: int = 0  # that sinks had to hold
    excused: int = 0  # … and did not, as dead letters told
    excused_seeds: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    used: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Of each bound on effort the largest share that was used, and the seed of that."""

    def __str__(self) -> str:
        return (
            f"{self.seeds:,} seeds, {self.writes:,} writes (at least {self.fewest_writes} on "
            f"{self.fewest_keys} keys), {self.excused:,} of {self.places:,} documents held back by "
            f"dead letters in {self.excused_seeds:,} seeds, {len(self.failures)} failed"
        )

    def plain(self) -> dict[str, Any]:
        """The figures as JSON."""
        faults: dict[str, dict[str, int]] = {}
        for (site, fault), count in sorted(self.fired.items()):
            faults.setdefault(site, {})[fault] = count
        return {
            "histories": self.seeds,
            "failed": [report.seed for report in self.failures],
            "writes": self.writes,
            "fewest_writes": self.fewest_writes,
            "places": self.places,
            "excused": self.excused,
            "excused_histories": self.excused_seeds,
            "kinds": dict(sorted(self.kinds.items())),
            "faults": faults,
            "effort": {bound: share for bound, (share, _) in sorted(self.used.items())},
        }

    def add(self, report: Report) -> None:
        self.seeds += 1
        self.kinds[report.kind] += 1
        self.writes += report.writes
        self.fired.update(report.fired)
        self.fewest_writes = min(self.fewest_writes, report.writes)
        self.fewest_keys = min(self.fewest_keys, report.keys)
        self.asked |= report.asked
        self.places += report.places
        self.excused += report.excused
        self.excused_seeds += report.excused > 0
        for bound, share in report.used.items():
            self.used[bound] = max((share, report.seed), self.used.get(bound, (0.0, 0)))
        if report.failure:
            self.failures.append(report)


def run_many(
    seeds: Sequence[int], jobs: int, progress: Callable[[Total], object] = lambda _total: None
) -> Total:
    """Run *seeds* in *jobs* processes."""
    total = Total()
    if jobs == 1:
        for seed in seeds:
            total.add(simulate(seed))
            progress(total)
        return total
    with ProcessPoolExecutor(jobs, initializer=_less_gc) as pool:
        for reports in pool.map(_run_chunk, _chunks(seeds)):
            for report in reports:
                total.add(report)
            progress(total)
    return total


def _less_gc() -> None:
    """Worlds are small and short-lived: looking for their cycles seldom is a fifth faster."""
    gc.freeze()
    gc.set_threshold(50_000)


def _run_chunk(seeds: Sequence[int]) -> list[Report]:
    return [simulate(seed) for seed in seeds]


def _chunks(seeds: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(seeds)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def table(fired: Counter[tuple[str, str]]) -> str:
    """How often each fault fired at each call site, as text."""
    lines = []
    for (site, fault), count in sorted(fired.items()):
        lines.append(f"{site:26} {fault:22} {count:9,}")
    return "\n".join(lines)


def efforts(total: Total) -> str:
    """How much of each bound on effort was used at most, and by which seed, as text."""
    return "\n".join(
        f"{bound:42} {share:6.1%} of what is allowed, by seed {seed}"
        for bound, (share, seed) in sorted(total.used.items())
    )


def fresh(count: int) -> range:
    """So many seeds that hardly anybody has run."""
    first = secrets.randbelow(10**9) + 10**6
    return range(first, first + count)


def again(seeds: range) -> str:
    """The command that runs *seeds* again."""
    return f"python -m tests.simulation --seeds {seeds.start}-{seeds.stop - 1}"


def tell(report: Report) -> str:
    """A failing seed, and how to see it again."""
    return (
        f"seed {report.seed}: {report.failure}\n"
        f"  again: python -m tests.simulation --seed {report.seed} --trace"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="1-1000", help="such as 1-5000")
    parser.add_argument("--fresh", type=int, help="run so many seeds that are new, instead")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="all cores, if not")
    parser.add_argument(
        "--keep", type=Path, help="add the figures to those in this file (docs/proof.md)"
    )
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="print the history of --seed")
    parser.add_argument(
        "--planted", action="store_true", help="find the seeds that catch planted bugs anew"
    )
    given = parser.parse_args(arguments)
    if given.planted:
        return find_planted()
    if given.seed is not None:
        report = simulate(given.seed, trace=given.trace)
        print(*(report.trace or []), sep="\n")
        print(f"seed {given.seed}: {report.failure or 'right'} ({report.fingerprint})")
        return int(report.failure is not None)
    first, _, last = given.seeds.partition("-")
    seeds = fresh(given.fresh) if given.fresh else range(int(first), int(last or first) + 1)
    print(
        f"{len(seeds):,} seeds in {given.jobs} processes; these again: {again(seeds)}", flush=True
    )
    began = time.perf_counter()
    total = run_many(seeds, given.jobs, progress(len(seeds)))
    seconds = time.perf_counter() - began
    if given.keep:
        which = {"seeds": [[seeds.start, seeds.stop - 1]], "jobs": given.jobs}
        keep(given.keep, {**which, "seconds": seconds, **total.plain()})
    print(table(total.fired))
    print(efforts(total))
    for report in total.failures:
        print(tell(report))
    print(f"{total}, {seconds:.0f} s")
    return int(bool(total.failures))


def find_planted() -> int:
    """Search for a seed that catches each planted bug; 1 where one is not caught."""
    from tests.simulation.planted import search

    missed = 0
    for name, seed in search():
        print(f"{name:36} {'not caught' if seed is None else seed}", flush=True)
        missed += seed is None
    return int(missed > 0)


def progress(of: int) -> Callable[[Total], object]:
    """Says every few seconds how many seeds *of* all are done, and at once which one failed."""
    began = time.perf_counter()
    told_at, failures = began, 0

    def tell_now(total: Total) -> None:
        nonlocal told_at, failures
        now = time.perf_counter()
        for report in total.failures[failures:]:
            print(tell(report), file=sys.stderr, flush=True)
        failures = len(total.failures)
        if now > told_at + 5:
            told_at = now
            rate = total.seeds / (now - began)
            text = (
                f"{total.seeds:,} of {of:,} seeds, {failures} failed, {rate:.1f} a second, "
                f"{(of - total.seeds) / rate / 60:.0f} min left"
            )
            print(text, file=sys.stderr, flush=True)

    return tell_now
