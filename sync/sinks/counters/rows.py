"""The rows of counters and contributions."""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from sync.aws.keys import AttributeMap, Source
from sync.errors import Misconfigured
from sync.sinks.counters.families import family
from sync.writing.op import Op

TOMBSTONE_S: Final = 7 * 24 * 3600  # a stream keeps its records for one day


class CounterKey(NamedTuple):
    """Which counter: its family's target, and its sort key."""

    target: str
    sort_key: str

    def source(self, table: str) -> Source:
        """Its item in *table*. Raises Misconfigured if there is no such family."""
        partition = family(self.target).partition
        return Source(table, {"PK": {"S": partition}, "SK": {"S": self.sort_key}})

    @property
    def parts(self) -> dict[str, str]:
        """What it counts: the values by field name."""
        return family(self.target).at(self.sort_key).parts


@dataclass(frozen=True, slots=True)
class Contribution:
    """A row of the contributions table: the counter that an item contributes to, at *version*.

    Attributes: id; version; counter, a counter's sort key, absent if the item contributes to none;
    expires_at in epoch seconds, only without counter; source_table and source_keys (JSON), which
    tell recount the item, since an id may be a hash.
    """

    counter: str | None
    version: int

    @classmethod
    def of(cls, row: AttributeMap) -> Self:
        counter = row.get("counter")
        return cls(counter["S"] if counter else None, int(row["version"]["N"]))


def source_of(row: AttributeMap) -> Source:
    """The item that a contribution row belongs to."""
    return Source(row["source_table"]["S"], json.loads(row["source_keys"]["S"]))


def row_id(op: Op) -> str:
    """The id of the contribution row of *op*'s item."""
    return f"{op.target}#{op.id}"


def count_of(row: AttributeMap) -> int:
    """The value of a counter. Raises Misconfigured for a row that is not a counter."""
    try:
        return int(row["count"]["N"])
    except (KeyError, ValueError) as error:
        keys = [row.get(name) for name in ("PK", "SK")]
        raise Misconfigured(f"not a counter, since it has no whole count: {keys}") from error
