"""What has to hold once the world is at rest."""

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final

from sync.aws.keys import AttributeMap
from tests.simulation import opensearch, plain, typesense
from tests.simulation.models import BUG, KEYS, Place, expected, is_valid
from tests.simulation.table import Streamed, key_of

Owner = tuple[str, str]
"""Table and key, as text, of an item that a place follows from."""

Difference = tuple[Place, str, frozenset[Owner]]
"""The place, what is wrong with it, and whose it is."""

NOBODY: Final[frozenset[Owner]] = frozenset()
SKEW_S: Final = 6  # by how much two creation times of the stream may be off
REFUSED: Final = {
    "opensearch": (opensearch.REFUSED_WORD, opensearch.REJECTED_WORD),
    "plain": (plain.REFUSED_WORD,),
    "typesense": (typesense.REFUSED_WORD,),
}


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


def explained(
    found: Iterable[Difference],
    rows: Iterable[Mapping[str, Any]],
    items: Mapping[Owner, AttributeMap],
    lost: Set[Owner],
) -> None:
    """Raises Violated for a difference that nobody is told of.

    An open dead letter tells of it if its item, as it is now, is one that the sink or the model
    refuses: an old letter of an item that was corrected since excuses nothing. For what Lambda
    could tell its destination nothing of, an alarm rings; *lost* are the items of that.
    """
    told = set()
    for row in rows:
        if row["status"] == "open" and row["keys"]:
            told.add((*owner(row["table"], row["keys"]), row.get("sink")))
    for place, what, owners in found:
        if owners & lost:
            continue
        if not any(
            one in items
            and refusable(items[one], place[0])
            and ((*one, None) in told or (*one, place[0]) in told)
            for one in owners
        ):
            raise Violated(f"{place}: {what}; no dead letter tells of {sorted(owners)}")


def refusable(item: AttributeMap, sink: str) -> bool:
    """Whether *item* can't be written to *sink* before somebody mends something."""
    text = json.dumps(item)
    return not is_valid(item) or BUG in text or any(word in text for word in REFUSED.get(sink, ()))


def letters_are_few(rows: Iterable[Mapping[str, Any]]) -> None:
    """Raises Violated where a key and sink have more than one dead letter."""
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        if row["keys"]:
            place = (*owner(row["table"], row["keys"]), row.get("sink"))
            if place in seen:
                raise Violated(f"two dead letters of {place}")
            seen.add(place)


def nothing_differs(found: Iterable[Difference]) -> None:
    """Raises Violated for any difference at all."""
    for place, what, _ in found:
        raise Violated(f"{place}: {what}, after everything was replayed")


def whole(tables: Iterable[Streamed], rows: Iterable[Mapping[str, Any]], lost: Set[Owner]) -> None:
    """Raises Violated unless each item that no model takes has a row that holds all of it: its
    latest record as it came, or the item as a worker read it.

    Of two records of one moment, whose versions say the opposite of their order, either will do.
    """
    kept: dict[Owner, list[Any]] = {}
    for row in rows:
        if row["keys"] and row["body"]:
            body = json.loads(row["body"])
            kept.setdefault(owner(row["table"], row["keys"]), []).append(body)
    for table in tables:
        last: dict[Owner, list[Any]] = {}
        for event in table.stream.events:
            last.setdefault(owner(table.name, event["dynamodb"]["Keys"]), []).append(event)
        for one, events in last.items():
            image = events[-1]["dynamodb"].get("NewImage")
            if image is None or is_valid(image) or one in lost:
                continue
            version = _second(events[-1])
            fine = [event for event in events if _second(event) >= version - SKEW_S]
            if not any(body in fine or body.get("item") == image for body in kept.get(one, [])):
                raise Violated(f"{events[-1]['eventID']} can't be read, and is nowhere kept whole")


def _second(event: Mapping[str, Any]) -> int:
    return int(event["dynamodb"]["ApproximateCreationDateTime"])
