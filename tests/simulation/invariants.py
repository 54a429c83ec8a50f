"""What has to hold once the world is at rest."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.simulation.models import KEYS, Place, expected, is_valid, parsed
from tests.simulation.table import Table, key_of

Difference = tuple[Place, str, tuple[str, str]]
"""The place, what is wrong with it, and whose it is: table and key, as text."""


class Violated(Exception):
    """A promise is broken."""


def differences(
    tables: Iterable[Table], sinks: Mapping[str, Mapping[tuple[str, str], bytes]]
) -> Iterator[Difference]:
    """Where a sink is not what the tables say."""
    wanted: dict[Place, Any] = {}
    owners: dict[Place, tuple[str, str]] = {}
    for table in tables:
        for event in table.stream.events:  # of items that are gone, too
            keys = event["dynamodb"]["Keys"]
            for place in expected(table.name, keys):
                owners[place] = table.name, repr(key_of(table.names, keys))
        for item in table:
            for place, document in expected(table.name, item).items():
                wanted[place] = document if is_valid(item) else ValueError
    for sink, held in sinks.items():
        for target, document_id in held:
            place = sink, target, document_id
            if place not in wanted:
                yield place, "an orphan", owners.get(place, ("?", "?"))
    for place, document in wanted.items():
        sink, target, document_id = place
        body = sinks[sink].get((target, document_id))
        if body is None:
            yield place, "is missing", owners[place]
        elif document is ValueError:
            yield place, "the item is not valid", owners[place]
        elif parsed(body) != document:
            yield place, f"holds {body[:200]!r}, the table says {document!r:.200}", owners[place]


def explained(found: Iterable[Difference], rows: Iterable[Mapping[str, Any]]) -> None:
    """Raises Violated for a difference that no open dead letter tells of."""
    told = set()
    for row in rows:
        if row["status"] == "open" and row["keys"]:
            key = repr(key_of(KEYS[row["table"]], row["keys"]))
            told.add((row["table"], key, row.get("sink")))
    for place, what, (table, key) in found:
        if (table, key, None) not in told and (table, key, place[0]) not in told:
            raise Violated(f"{place}: {what}; no dead letter tells of {table} {key}")


def nothing_differs(found: Iterable[Difference]) -> None:
    """Raises Violated for any difference at all."""
    for place, what, _ in found:
        raise Violated(f"{place}: {what}, after everything was replayed")


def whole(tables: Iterable[Table], rows: Iterable[Mapping[str, Any]]) -> None:
    """Raises Violated unless each record that no model takes has a row that holds all of it."""
    kept: dict[str, Any] = {}
    for row in rows:
        body = json.loads(row["body"]) if row["body"] else {}
        if "eventID" in body:
            kept[body["eventID"]] = body
    for table in tables:
        for event in table.stream.events:
            image = event["dynamodb"].get("NewImage")
            if image is None or not expected(table.name, image) or is_valid(image):
                continue
            if event["eventID"] not in kept:
                raise Violated(f"{event['eventID']} can't be read, and is nowhere kept")
            if kept[event["eventID"]] != event:
                raise Violated(f"{event['eventID']} is kept, but not whole")
