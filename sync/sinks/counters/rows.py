"""What the rows of counters and contributions hold."""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple, Self
from urllib.parse import quote, unquote

from sync.aws.keys import AttributeMap, Source
from sync.errors import Misconfigured, Refused
from sync.writing.op import Op

FAMILIES: Final = {"icao_entity_matcher": "ICAO#MATCHER"}
"""Each target, with the partition of the core table that its counters stand in."""

TOMBSTONE_S: Final = 7 * 24 * 3600  # a stream record lives for one day
_MOST_KEY_BYTES: Final = 1024  # of a sort key (DynamoDB, service quotas)


class Counter(NamedTuple):
    """A counter's key in the core table."""

    partition: str
    sort_key: str

    def source(self, table: str) -> Source:
        return Source(table, {"PK": {"S": self.partition}, "SK": {"S": self.sort_key}})


class Counted(NamedTuple):
    """What a counter counts the links of."""

    type_designator: str
    manufacturer: str
    model: str

    @property
    def sort_key(self) -> str:
        """`TYPE#{type_designator}#{manufacturer}#{model}`, each part percent-encoded."""
        return "#".join(("TYPE", *(quote(part, safe="") for part in self)))

    @classmethod
    def at(cls, sort_key: str) -> Self:
        """What the counter at *sort_key* counts."""
        _, *parts = sort_key.split("#")
        return cls(*map(unquote, parts))

    def body(self) -> bytes:
        """The body of an op whose item contributes to it."""
        return json.dumps(self._asdict(), separators=(",", ":")).encode()

    @classmethod
    def read(cls, body: bytes) -> Self:
        """From an op's body. Raises Refused."""
        try:
            value = json.loads(body)
        except ValueError as error:
            raise Refused(f"the body is no JSON: {error}") from error
        if not isinstance(value, dict) or set(value) != set(cls._fields):
            raise Refused(f"the body must hold {', '.join(cls._fields)}, and nothing else")
        for name, part in value.items():
            if not isinstance(part, str) or not part:
                raise Refused(f"{name} must be a text, and not an empty one")
        found = cls(**value)
        try:
            bytes_ = len(found.sort_key)
        except UnicodeEncodeError as error:
            raise Refused(f"the body holds a lone surrogate: {error.reason}") from error
        if bytes_ > _MOST_KEY_BYTES:
            raise Refused(f"its counter's key would have {bytes_} bytes, over {_MOST_KEY_BYTES}")
        return found


@dataclass(frozen=True, slots=True)
class Contribution:
    """A row of the contributions table: what its item contributed to at *version*, if anything.

    Attributes: id, version, counter (a counter's sort key; none where the item contributes to
    nothing, and then expires_at, in epoch seconds), and source_table and source_keys (JSON) of the
    item, from which recount tells whose it is: an id may be a hash.
    """

    counter: str | None
    version: int

    @classmethod
    def of(cls, row: AttributeMap) -> Self:
        counter = row.get("counter")
        return cls(counter["S"] if counter else None, int(row["version"]["N"]))


def source_of(row: AttributeMap) -> Source:
    """The item that a contribution row stands for."""
    return Source(row["source_table"]["S"], json.loads(row["source_keys"]["S"]))


def row_id(op: Op) -> str:
    """The id of the contribution row of *op*."""
    return f"{op.target}#{op.id}"


def count_of(row: AttributeMap) -> int:
    """What a counter holds. Raises Misconfigured for a row that is none."""
    try:
        return int(row["count"]["N"])
    except (KeyError, ValueError) as error:
        keys = [row.get(name) for name in ("PK", "SK")]
        raise Misconfigured(f"not a counter, for it has no whole count: {keys}") from error
