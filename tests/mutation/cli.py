"""Measures files, and compares what survived with what is known to."""

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from local.paths import ROOT
from tests.mutation import __doc__ as about
from tests.mutation.measure import NotMeasured, measure
from tests.mutation.mutants import (
    EXPLAINED,
    KILLED,
    SIMULATED,
    SURVIVED,
    Mutant,
    explained,
    known,
    plain,
)

HELD: Final = (
    "sync/aws/transactions.py",
    "sync/deadletters/*.py",
    "sync/lanes/*.py",
    "sync/model/change.py",
    "sync/model/mirror.py",
    "sync/model/planner.py",
    "sync/recovery/*.py",
    "sync/runs/*.py",
    "sync/sinks/*.py",
    "sync/stream/dispatch.py",
    "sync/verify/*.py",
    "sync/writing/breaker.py",
    "sync/writing/comparing.py",
    "sync/writing/fanout.py",
    "sync/writing/versions.py",
)
"""The files whose every survivor has to be explained; * also crosses folders."""

SEEDS: Final = "1-40"  # of the simulation, for each mutant that the unit tests let live
ENDS: Final = (KILLED, SIMULATED, EXPLAINED, SURVIVED)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every survivor is explained. 1: some are not. 2: it could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description=about,
        epilog=main.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="without one: all that are held")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--keep", type=Path, help="write the counts of these files to this one (docs/proof.md)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--seeds", default=SEEDS, help=f"of the simulation, for what survives: {SEEDS}; empty: none"
    )
    given = parser.parse_args(arguments)
    files = given.files or held()
    if missing := [file for file in files if not (ROOT / file).is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    began = time.perf_counter()
    console = Console(stderr=True)
    reasons = known()
    with Progress(console=console) as bars:
        bar = bars.add_task("")

        def tell(what: str, done: int, of: int) -> None:
            bars.update(bar, description=what, completed=done, total=of)

        try:
            mutants = measure(
                files, seeds=given.seeds, jobs=given.jobs, reasons=reasons, progress=tell
            )
        except NotMeasured as why:
            console.print(f"not measured: {why}")
            return 2
    mutants = explained(mutants, reasons)
    if given.keep:
        keep(given.keep, mutants)
    seconds = round(time.perf_counter() - began)
    if given.json:
        print(json.dumps(report(mutants, seconds), indent=1))
    else:
        show(mutants, seconds, Console())
    here = {one.change for one in mutants if one.end == EXPLAINED}
    for change in sorted(reasons):
        if change[0] in files and change not in here:
            console.print(f"no survivor any more; take it out of survivors.json: {change}")
    return int(any(one.end == SURVIVED for one in mutants))


def held() -> list[str]:
    """The files that are held to it."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "sync").rglob("*.py"))
    return [file for file in files if any(fnmatch(file, held) for held in HELD)]


def counts(mutants: Iterable[Mutant], by: str) -> dict[str, dict[str, Any]]:
    """How mutants ended for each *by* ("file" or "kind"), with the share that was killed."""
    found: dict[str, Counter[str]] = {}
    for one in mutants:
        found.setdefault(getattr(one, by), Counter())[one.end] += 1
    return {
        name: {
            **{end: ends[end] for end in ENDS},
            "mutants": ends.total(),
            "score": round(100 * (ends[KILLED] + ends[SIMULATED]) / ends.total(), 1),
        }
        for name, ends in sorted(found.items())
    }


def keep(path: Path, mutants: Iterable[Mutant]) -> None:
    """Write the counts of each file by kind of change to *path*, beside those of other files."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for one in mutants:
        found.setdefault(one.file, {}).setdefault(one.kind, Counter())[one.end] += 1
    kept = json.loads(path.read_text()) if path.exists() else {}
    text = json.dumps(dict(sorted({**kept, **found}.items())), indent=1, sort_keys=True)
    path.write_text(text + "\n")


def report(mutants: Sequence[Mutant], seconds: float) -> dict[str, Any]:
    """All that was found, as JSON."""
    return {
        "seconds": seconds,
        "files": counts(mutants, "file"),
        "kinds": counts(mutants, "kind"),
        "total": counts(mutants, "total").get("all", {}),
        "survivors": [
            {**plain(one), "kind": one.kind, "end": one.end}
            for one in mutants
            if one.end in (EXPLAINED, SURVIVED)
        ],
    }


def show(mutants: Sequence[Mutant], seconds: float, console: Console) -> None:
    """Print tables of files and kinds, and the survivors without a reason."""
    for by, title in (("file", "by file"), ("kind", "by kind of change")):
        table = Table(title=title, title_justify="left")
        table.add_column(by, overflow="fold")
        for name in ("mutants", *ENDS, "score"):
            table.add_column(name, justify="right")
        rows = counts(mutants, by) | counts(mutants, "total")
        for name, row in rows.items():
            table.add_row(name, *(str(row[column]) for column in ("mutants", *ENDS, "score")))
        console.print(table)
    for one in mutants:
        if one.end == SURVIVED:
            console.print(f"{one.file} {one.function} ({one.kind})", style="bold", markup=False)
            for sign, lines in (("-", one.before), ("+", one.after)):
                for line in lines.splitlines():
                    console.print(f"  {sign} {line}", markup=False, highlight=False)
    console.print(f"{len(mutants):,} mutants in {seconds:,.0f} s")
