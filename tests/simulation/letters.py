"""What has to hold of dead letters once the world is at rest.

A letter excuses a difference only if it tells of the item as it is now: of its latest record, or of
what a worker read or was sent of it. One about what the item was before excuses nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any, Final

from sync.aws.keys import AttributeMap
from tests.simulation import opensearch, plain, typesense
from tests.simulation.invariants import Difference, Owner, Violated, owner
from tests.simulation.models import BUG, expected, expected_before, is_valid, kind_of, parsed
from tests.simulation.table import Streamed
from tests.simulation.writes import HUGE

Row = Mapping[str, Any]

SKEW_S: Final = 6  # by how much two creation times of the stream may be off
LIFETIME_S: Final = 14 * 86_400 - 3600  # what is parked for longer becomes a letter …
EXPIRED: Final = "parked for 14 days"  # … whose error begins so
HUGE_TEXT: Final = "x" * HUGE
REFUSED: Final = {
    "opensearch": (opensearch.REFUSED_WORD, opensearch.REJECTED_WORD),
    "plain": (plain.REFUSED_WORD,),
    "typesense": (typesense.REFUSED_WORD,),
}


class History:
    """What the application wrote: the records of each item in their order, and what it is now.

    *limited*: Typesense takes no large document.
    """

    def __init__(self, tables: Iterable[Streamed], *, limited: bool = False) -> None:
        self._limited = limited
        self.records: dict[Owner, list[Mapping[str, Any]]] = {}
        self.items: dict[Owner, AttributeMap] = {}
        for table in tables:
            for event in table.stream.events:
                one = owner(table.name, event["dynamodb"]["Keys"])
                self.records.setdefault(one, []).append(event)
            for item in table:
                self.items[owner(table.name, {name: item[name] for name in table.names})] = item

    def refused(self, one: Owner, sink: str | None) -> bool:
        """Whether *one* is, as it is now, an item that *sink* refuses, or any sink if it is None,
        or its model."""
        return one in self.items and self._refusable(self.items[one], sink)

    def was_refused(self, one: Owner, sink: str | None) -> bool:
        """… or ever was."""
        images = [event["dynamodb"].get("NewImage") for event in self.records.get(one, ())]
        return any(image is not None and self._refusable(image, sink) for image in images)

    def _refusable(self, item: AttributeMap, sink: str | None) -> bool:
        if self._limited and sink in (None, "typesense") and is_huge(item):
            return True
        return refusable(item, sink)


def explained(
    found: Iterable[Difference], rows: Iterable[Row], history: History, lost: Set[Owner]
) -> Iterator[Difference]:
    """The differences of which an open letter tells. Raises Violated for one that nobody is told
    of.

    For what Lambda could tell its destination nothing of, an alarm rings; *lost* are the items of
    that.
    """
    opened: dict[Owner, list[Row]] = {}
    for row in rows:
        if row["status"] == "open" and row["keys"]:
            opened.setdefault(owner(row["table"], row["keys"]), []).append(row)
    for place, what, owners in found:
        if owners & lost:
            continue
        told = [
            _tells_of_now(row, history, one, place)
            for one in owners
            if history.refused(one, place[0])
            for row in opened.get(one, ())
            if row.get("sink") in (None, place[0])
        ]
        if not any(told):
            why = "only a letter about an older record tells" if told else "no dead letter tells"
            raise Violated(f"{place}: {what}; {why} of {sorted(owners)}")
        yield place, what, owners


def _tells_of_now(row: Row, history: History, one: Owner, place: tuple[str, str, str]) -> bool:
    """Whether *row* is about the latest record of *one*, or about the item as it is."""
    records, item = history.records[one], history.items[one]
    body = json.loads(row["body"]) if row["body"] else {}  # a person may have erased it
    # Creation times are approximate, and clocks of resyncs differ. Where versions say the opposite
    # of the order, a row keeps what has the higher version, as a sink does.
    is_later = int(row["version"]) >= _version(records[-1])
    if "item" in body:
        return bool(body["item"] == item) or is_later
    if "document" in body:  # what Typesense's worker was sent
        document = body["document"]
        return document is not None and parsed(document) == expected(item).get(place)
    return body == records[-1] or is_later


def hold_older(
    told: Iterable[Difference],
    sinks: Mapping[str, Mapping[tuple[str, str], Any]],
    history: History,
    *,
    deployed: bool,
) -> None:
    """Raises Violated where a document of which a letter is open is none that its item ever was:
    until it is mended, a sink holds an older document, or none. If another release was *deployed*
    meanwhile, either of the two may have written it."""
    releases = (expected, expected_before) if deployed else (expected,)
    for place, _, owners in told:
        sink, target, document_id = place
        found = sinks.get(sink, {}).get((target, document_id))
        if found is None:
            continue
        images = [e["dynamodb"].get("NewImage") for one in owners for e in history.records[one]]
        if not any(
            made(image).get(place) == found for image in images if image for made in releases
        ):
            raise Violated(f"{place} never was what it holds: {found!r:.200}")


def _version(event: Mapping[str, Any]) -> int:
    body = event["dynamodb"]
    return int(body["ApproximateCreationDateTime"]) * 10**9 + int(body["SequenceNumber"]) % 10**9


def refusable(item: AttributeMap, sink: str | None) -> bool:
    """Whether *item* can't be written to *sink* before somebody mends something; None: to one of
    the sinks that it goes to."""
    kind = kind_of(item)
    if kind is None:
        return False
    text = json.dumps(item)
    words = [word for name in (kind.sinks if sink is None else (sink,)) for word in _words(name)]
    return not is_valid(item) or BUG in text or any(word in text for word in words)


def is_huge(item: AttributeMap) -> bool:
    """Whether *item* is a document for Typesense that is larger than what some proxies let pass."""
    return HUGE_TEXT in json.dumps(item)


def _words(sink: str) -> tuple[str, ...]:
    return REFUSED.get(sink, ())


def are_few(rows: Iterable[Row]) -> None:
    """Raises Violated where a key and sink have more than one dead letter."""
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        if row["keys"]:
            place = (*owner(row["table"], row["keys"]), row.get("sink"))
            if place in seen:
                raise Violated(f"two dead letters of {place}")
            seen.add(place)


def are_true(rows: Iterable[Row], history: History) -> None:
    """Raises Violated for an open letter of an item that is gone, or that nobody refuses as it is:
    such letters close by themselves."""
    for row in rows:
        if row["status"] != "open" or not row["keys"]:
            continue
        one = owner(row["table"], row["keys"])
        if not history.refused(one, row.get("sink")):
            raise Violated(f"an open letter of what is written: {_shown(row)}")


def have_reasons(
    rows: Iterable[Row], history: History, may_expire: Callable[[Owner], bool]
) -> None:
    """Raises Violated for a refusal of what no sink and no model ever refused, and for a letter of
    a key that was not parked for 14 days, as *may_expire* tells."""
    for row in rows:
        if row["kind"] != "quarantined" or not row["keys"]:
            continue
        one = owner(row["table"], row["keys"])
        if row["error"].startswith(EXPIRED):
            if not may_expire(one):
                raise Violated(f"a letter before its time: {_shown(row)}")
        elif int(row.get("replays", 0)) and may_expire(one):
            continue  # its error is that of the replay
        elif not history.was_refused(one, row.get("sink")):
            raise Violated(f"a letter of what nobody refused: {_shown(row)}")


def whole(tables: Iterable[Streamed], rows: Iterable[Row], lost: Set[Owner]) -> None:
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


def _shown(row: Row) -> str:
    names = ("table", "keys", "sink", "kind", "error_class", "error", "replays")
    return ", ".join(f"{name} {row.get(name)}" for name in names)
