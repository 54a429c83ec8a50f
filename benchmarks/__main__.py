"""`make bench`: every benchmark, one after another. What counts is the ratios within one run.

A benchmark is a module with `measure()`, which returns figures as JSON has them, and
`report(figures)`, which puts them into lines for people. Exits with 1 where a promised ratio is
missed.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final

NAMES: Final = ("codec", "registry", "pipeline", "bulk", "backfill", "large")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"all unless named: {', '.join(NAMES)}"
    )
    parser.add_argument("--json", action="store_true", help="figures for programs")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    found = {}
    for name in options.names or NAMES:
        benchmark = import_module(f"benchmarks.{name}")
        found[name] = benchmark.measure()
        if not options.json:
            about = (benchmark.__doc__ or name).splitlines()[0]
            print(f"{name}: {about}\n\n{benchmark.report(found[name])}\n", flush=True)
    if options.json:
        print(json.dumps(found, indent=2))
    return 1 if any(_missed(found)) else 0


def _missed(figures: Any) -> Iterator[bool]:
    """True for each promise in *figures* that was not kept."""
    if isinstance(figures, dict):
        if figures.get("kept") is False:
            yield True
        for inner in figures.values():
            yield from _missed(inner)


if __name__ == "__main__":
    sys.exit(main())
