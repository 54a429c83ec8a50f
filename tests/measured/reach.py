"""Which functions the simulated histories reach, and why they don't reach the others.

    python -m tests.measured reach

Runs histories under coverage.py, and counts the statements of each function that none of them
reached. Each function with such statements has a reason in unreached.json: its own, or that of its
file or folder. A reason that explains nothing any more is an error too.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coverage import Coverage

ROOT: Final = Path(__file__).parents[2]  # whatever knows it imports the service too early
SEEDS: Final = "1-600"  # some two minutes on two cores
PACKAGES: Final = ("sync", "handler")
REASONS: Final = Path(__file__).with_name("unreached.json")
MODULE: Final = "(module)"  # the name of what stands in no function
CHUNK: Final = 10


@dataclass(frozen=True, slots=True)
class Function:
    """A function, or the rest of a module, and the lines of its statements that nobody reached."""

    file: str
    name: str
    lines: tuple[int, ...]
    statements: int

    @property
    def unreached(self) -> int:
        return len(self.lines)

    @property
    def place(self) -> str:
        return f"{self.file}::{self.name}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why no history reaches the *places*, and the *tests* that do.

    A place is a folder (`sync/cli/`), a file, or `file::function`. *seldom*: a history may reach
    them, but few do, so that it depends on the seeds whether any of theirs does.
    """

    places: tuple[str, ...]
    reason: str
    tests: tuple[str, ...]
    seldom: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """*unexplained*: functions without a reason; *stale*: places that are reached, or are gone."""

    functions: tuple[Function, ...]
    unexplained: tuple[Function, ...]
    stale: tuple[str, ...]
    reasons: Mapping[str, Reason]  # by the place of a function that has unreached statements


def known(path: Path = REASONS) -> list[Reason]:
    """The reasons that are kept."""
    return [
        Reason(tuple(one["places"]), one["reason"], tuple(one["tests"]), one.get("seldom", False))
        for one in json.loads(path.read_text())
    ]


def judged(functions: Iterable[Function], reasons: Iterable[Reason]) -> Verdict:
    """Compare what nobody reached with the *reasons* for it; the nearest one holds."""
    functions = tuple(functions)
    by_place = {place: reason for reason in reasons for place in reason.places}
    used: set[str] = set()
    there: set[str] = set()
    found: dict[str, Reason] = {}
    unexplained = []
    for function in functions:
        there.update(around(function))
        if not function.unreached:
            continue
        place = next((place for place in around(function) if place in by_place), None)
        if place is None:
            unexplained.append(function)
        else:
            used.add(place)
            found[function.place] = by_place[place]
    stale = [
        place
        for place, reason in by_place.items()
        if place not in (there if reason.seldom else used)
    ]
    return Verdict(functions, tuple(unexplained), tuple(stale), found)


def around(function: Function) -> Iterator[str]:
    """The places that *function* is in, from the smallest to the largest."""
    yield function.place
    yield function.file
    for folder in Path(function.file).parents[:-1]:
        yield f"{folder}/"


def reached(seeds: Sequence[int], jobs: int) -> list[Function]:
    """Run *seeds* in *jobs* processes, and count what they reach."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "reached")
        # New processes, since what is imported already would count as unreached.
        new = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, new, _watch, (data,)) as pool:
            list(pool.map(_simulate, chunks))
        return counted(data)


def counted(data: str) -> list[Function]:
    """What the data files beside *data*, which processes wrote, say of each function."""
    coverage = Coverage(data_file=data, config_file=False)
    coverage.combine([str(Path(data).parent)])
    report = f"{data}.json"
    coverage.json_report(outfile=report)
    files = json.loads(Path(report).read_text())["files"]
    return [
        Function(
            str((Path.cwd() / file).relative_to(ROOT)),
            name or MODULE,
            tuple(part["missing_lines"]),
            part["summary"]["num_statements"],
        )
        for file, found in sorted(files.items())
        for name, part in found["functions"].items()
    ]


_watching: Coverage | None = None


def _watch(data: str) -> None:
    """Begin to count in this process, before it imports anything of the service."""
    global _watching
    _watching = Coverage(
        data_file=data,
        data_suffix=True,
        config_file=False,
        source_pkgs=PACKAGES,
        concurrency=["greenlet"],
    )
    _watching.start()


def _simulate(seeds: Sequence[int]) -> None:
    from tests.simulation.run import simulate

    for seed in seeds:
        if failure := simulate(seed).failure:
            raise RuntimeError(f"seed {seed}: {failure}")
    if _watching is not None:
        _watching.save()


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all that no history reaches has a reason. 1: some has none, or a reason is stale."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.measured reach",
        description=__doc__,
        epilog=main.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", default=SEEDS, help=f"such as {SEEDS}, which it is without")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="all cores, if not")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--keep", type=Path, help="write the sums to this file, as JSON (docs/proof.md)"
    )
    given = parser.parse_args(arguments)
    first, _, last = given.seeds.partition("-")
    began = time.perf_counter()
    functions = reached(range(int(first), int(last or first) + 1), given.jobs)
    verdict = judged(functions, known())
    seconds = round(time.perf_counter() - began)
    if given.keep:
        found = report(verdict, given.seeds, seconds)
        sums = {name: found[name] for name in ("seeds", "unreached", "statements", "rooms")}
        given.keep.write_text(json.dumps(sums, indent=1) + "\n")
    if given.json:
        print(json.dumps(report(verdict, given.seeds, seconds), indent=1, ensure_ascii=False))
    else:
        print(text(verdict, seconds))
    return int(bool(verdict.unexplained or verdict.stale))


def report(verdict: Verdict, seeds: str, seconds: int) -> dict[str, Any]:
    """All that was found, as JSON."""
    return {
        "seeds": seeds,
        "seconds": seconds,
        **_sums(verdict.functions),
        "rooms": {
            room: _sums(one for one in verdict.functions if room_of(one.file) == room)
            for room in sorted({room_of(one.file) for one in verdict.functions})
        },
        "functions": [
            {
                "file": one.file,
                "function": one.name,
                "unreached": one.unreached,
                "lines": list(one.lines),
                "statements": one.statements,
                "reason": reason.reason if (reason := verdict.reasons.get(one.place)) else None,
                "seldom": reason.seldom if reason else False,
                "tests": list(reason.tests) if reason else [],
            }
            for one in verdict.functions
            if one.unreached
        ],
        "stale": list(verdict.stale),
    }


def text(verdict: Verdict, seconds: int) -> str:
    """What is unreached by room, what has no reason, and what reasons are stale."""
    lines = []
    for room in sorted({room_of(one.file) for one in verdict.functions}):
        sums = _sums(one for one in verdict.functions if room_of(one.file) == room)
        lines.append(f"{room:24} {sums['unreached']:6,} of {sums['statements']:6,} unreached")
    lines += (
        f"no reason: {one.place}, {one.unreached} of {one.statements} statements"
        for one in verdict.unexplained
    )
    lines += (f"nothing to explain: {place}" for place in verdict.stale)
    sums = _sums(verdict.functions)
    share = sums["unreached"] / max(1, sums["statements"])
    lines.append(
        f"{sums['unreached']:,} of {sums['statements']:,} statements unreached ({share:.1%}), "
        f"{len(verdict.unexplained)} functions without a reason, {len(verdict.stale)} stale "
        f"reasons, {seconds} s"
    )
    return "\n".join(lines)


def room_of(file: str) -> str:
    """The room of the service that *file* is in: its folder below sync/, or itself."""
    return "/".join(file.split("/")[:2])


def _sums(functions: Iterable[Function]) -> dict[str, int]:
    functions = list(functions)
    return {
        "unreached": sum(one.unreached for one in functions),
        "statements": sum(one.statements for one in functions),
    }
