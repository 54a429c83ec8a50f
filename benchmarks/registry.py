"""What finding a record's model costs with 10, 100 and 1,000 models in one table.

A thousand may cost twice what ten do, whatever tells the models apart.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.ratio import compare, table
from sync.model.model import Model, Route
from sync.model.registry import Registry
from sync.sinks.memory import Memory

RECORDS: Final = 1_000  # in each call, so that every model has its turn
SIZES: Final = (10, 100, 1_000)
TABLE: Final = "bench"

Keys = tuple[str, str]
Layout = tuple[Callable[[int], Keys], Callable[[int], Keys]]
"""The patterns of model number n, and keys of one of its items."""

LAYOUTS: Final[Mapping[str, Layout]] = {
    "a hash key each": (
        lambda n: (f"KIND{n:04}", "ID#.+"),
        lambda n: (f"KIND{n:04}", "ID#1"),
    ),
    "one hash key, a range prefix each": (
        lambda n: ("ALL", f"KIND{n:04}#.+"),
        lambda n: ("ALL", f"KIND{n:04}#1"),
    ),
    "a hash prefix each, then a regex": (
        lambda n: (f"KIND{n:04}#[0-9A-F]+", r"V\d+"),
        lambda n: (f"KIND{n:04}#0A1B", "V12"),
    ),
    "a hash prefix each, one range key": (
        lambda n: (f"KIND{n:04}#.+", "META"),
        lambda n: (f"KIND{n:04}#7", "META"),
    ),
    "no model wants the record": (
        lambda n: (f"KIND{n:04}#.+", "META"),
        lambda n: (f"KIND{n:04}", "META"),
    ),
}


def measure() -> dict[str, dict[str, dict[str, Any]]]:
    """The figures of `ratio.compare` for each layout, by number of models."""
    return {
        name: compare(
            {f"{size:,} models": matching(size, *layout) for size in SIZES},
            {f"{SIZES[-1]:,} models": 0.5},
        )
        for name, layout in LAYOUTS.items()
    }


def report(figures: Mapping[str, Any]) -> str:
    return f"{table(figures)}\n({RECORDS:,} records in each call)"


def matching(
    size: int, patterns: Callable[[int], Keys], keys: Callable[[int], Keys]
) -> Callable[[], object]:
    """Finds the models of records that are spread over *size* models."""
    models = []
    for n in range(size):
        made: type[Model] = type(f"Model{n}", (Model,), {"__module__": __name__})
        made.route = Route(TABLE, dict(zip(("PK", "SK"), patterns(n), strict=True)), {Memory: "d"})
        models.append(made)
    match = Registry(models, {TABLE: TABLE}).match
    found = [keys(n * 7_919 % size) for n in range(RECORDS)]  # a prime: no two in a row are near
    records = [{"PK": {"S": pk}, "SK": {"S": sk}} for pk, sk in found]

    def run() -> None:
        for record in records:
            match(TABLE, record)

    return run


if __name__ == "__main__":
    print(report(measure()))
