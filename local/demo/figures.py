"""The figures that the demo measures, and what it expects of them."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.errors import LocalError

MIN_ITEMS = 10_000


class Failed(LocalError):
    """An expectation of the demo was not met; the message names it."""


@dataclass(slots=True)
class Figures:
    """A figure is None until it is measured, and if it is of a sink that is left out."""

    table_items: int | None = None  # items that should have a document in OpenSearch
    documents: int | None = None  # in OpenSearch
    mismatches: int | None = None
    latency_ms: dict[str, float] | None = None  # p50 and p99, from a write until a search finds it
    records_per_s: float | None = None  # of the load, from its first write until every sink agrees
    dead_letters: int | None = None
    poison_sent: int | None = None
    dead_letters_replayed: int | None = None
    typesense: dict[str, int] | None = None  # documents, mismatches
    counters: dict[str, int] | None = None  # counters, drift
    default_images: dict[str, int] | None = None  # entities, invalid
    mirror: dict[str, int] | None = None  # documents, mismatches
    verify: dict[str, dict[str, int]] | None = None  # differences, by sink
    parked_left: int | None = None  # messages of parked keys, at the end
    recovered_after_outage: bool | None = None
    left_out: dict[str, str] = field(default_factory=dict)  # sinks without a server here, and why
    failure: str | None = None

    def broken(self) -> Iterator[str]:
        """Yield a text for each expectation that the figures don't meet."""
        if self.table_items is None or self.table_items < MIN_ITEMS:
            yield f"table_items is {self.table_items}, not at least {MIN_ITEMS:,}"
        if self.documents is None or self.documents != self.table_items:
            yield f"documents ({self.documents}) and table_items ({self.table_items}) differ"
        if self.mismatches != 0:
            yield f"mismatches is {self.mismatches}, not 0"
        if "typesense" not in self.left_out:
            yield from _derived("typesense", self.typesense, "documents", "mismatches")
        yield from _derived("counters", self.counters, "counters", "drift")
        yield from _derived("default_images", self.default_images, "entities", "invalid")
        if not self.verify or not self.verify["differences"]:
            yield "verify was not run"
        else:
            for sink, count in self.verify["differences"].items():
                if count:
                    yield f"verify found {count} differences in {sink}"
        yield from _derived("mirror", self.mirror, "documents", "mismatches")
        if not self.latency_ms:
            yield "latency_ms was not measured"
        if not self.records_per_s:
            yield "records_per_s was not measured"
        if not self.poison_sent or self.dead_letters != self.poison_sent:
            yield f"{self.poison_sent} poison records made {self.dead_letters} dead letters"
        if self.dead_letters_replayed != self.poison_sent:
            yield f"{self.dead_letters_replayed} of {self.poison_sent} dead letters were replayed"
        if self.parked_left != 0:
            yield f"parked_left is {self.parked_left}, not 0"
        if not self.recovered_after_outage:
            yield "the outage was not recovered from"

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.json() + "\n", encoding="utf-8")

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2)


def _derived(name: str, figures: dict[str, int] | None, some: str, none: str) -> Iterator[str]:
    """Check that *figures* has a positive value for *some*, and 0 for *none*."""
    if figures is None:
        yield f"{name} was not measured"
        return
    if not figures[some]:
        yield f"{name}.{some} is 0: nothing was compared"
    if figures[none]:
        yield f"{name}.{none} is {figures[none]}, not 0"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that a *share* of *values* do not exceed."""
    if not values:
        raise ValueError("no percentile of nothing")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
