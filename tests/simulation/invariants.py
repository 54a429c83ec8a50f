"""What has to hold once the world is at rest."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sync.aws.keys import AttributeMap
from tests.simulation.models import KEYS, Place, expected, is_valid
from tests.simulation.table import Streamed, key_of

Owner = tuple[str, str]
"""Table and key, as text, of an item that a place follows from."""

Difference = tuple[Place, str, frozenset[Owner]]
"""The place, what is wrong with it, and whose it is."""

NOBODY: Final[frozenset[Owner]] = frozenset()


class Violated(Exception):
    """A promise is broken."""


def owner(table: str, keys: AttributeMap) -> Owner:
    return table, repr(key_of(KEYS[table], keys))


def differences(
    tables: Iterable[Streamed], sinks: Mapping[str, Mapping[tuple[str, str], Any]]
) -> Iterator[Difference]:
    """Where a sink does not hold the documents that the tables say."""
    wanted: dict[Place, Any] = {}
    owners: dict[Place, frozenset[Owner]] = {}
    for table in tables:
        for event in table.stream.events:  # of items that are gone, too
            keys = event["dynamodb"]["Keys"]
            for place in expected(keys):
                owners[place] = frozenset([owner(table.name, keys)])
        for item in table:
            for place, document in expected(item).items():
                wanted[place] = document if is_valid(item) else ValueError
    for sink, held in sinks.items():
        for target, document_id in held:
            place = sink, target, document_id
            if place not in wanted:
                yield place, "an orphan", owners.get(place, NOBODY)
    for place, document in wanted.items():
        sink, target, document_id = place
        found = sinks[sink].get((target, document_id))
        if found is None:
            yield place, "is missing", owners[place]
        elif document is ValueError:
            yield place, "the item is not valid", owners[place]
        elif found != document:
            yield place, f"holds {found!r:.200}, the table says {document!r:.200}", owners[place]


def nothing_differs(found: Iterable[Difference]) -> None:
    """Raises Violated for any difference at all."""
    for place, what, _ in found:
        raise Violated(f"{place}: {what}, after everything was replayed")
