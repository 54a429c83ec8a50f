"""Running many seeds, in processes, and telling how it went."""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from tests.asked import Ask
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

    def __str__(self) -> str:
        return (
            f"{self.seeds:,} seeds, {self.writes:,} writes (at least {self.fewest_writes} on "
            f"{self.fewest_keys} keys), {len(self.failures)} failed"
        )

    def add(self, report: Report) -> None:
        self.seeds += 1
        self.writes += report.writes
        self.fired.update(report.fired)
        self.fewest_writes = min(self.fewest_writes, report.writes)
        self.fewest_keys = min(self.fewest_keys, report.keys)
        self.asked |= report.asked
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


def tell(report: Report) -> str:
    """A failing seed, and how to see it again."""
    return (
        f"seed {report.seed}: {report.failure}\n"
        f"  again: python -m tests.simulation --seed {report.seed} --trace"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="1-1000", help="such as 1-5000")
    parser.add_argument("--jobs", type=int, default=2)
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
    began = time.perf_counter()
    total = run_many(range(int(first), int(last or first) + 1), given.jobs, progress())
    print(table(total.fired))
    for report in total.failures:
        print(tell(report))
    print(f"{total}, {time.perf_counter() - began:.0f} s")
    return int(bool(total.failures))


def find_planted() -> int:
    """Search for a seed that catches each planted bug; 1 where one is not caught."""
    from tests.simulation.planted import search

    missed = 0
    for name, seed in search():
        print(f"{name:36} {'not caught' if seed is None else seed}", flush=True)
        missed += seed is None
    return int(missed > 0)


def progress() -> Callable[[Total], object]:
    """Says how far it is, every few seconds, where somebody watches."""
    told = [time.perf_counter()]

    def tell_now(total: Total) -> None:
        if time.perf_counter() > told[0] + 5:
            told[0] = time.perf_counter()
            text = f"{total.seeds:,} seeds, {len(total.failures)} failed"
            print(text, file=sys.stderr, flush=True)

    return tell_now
