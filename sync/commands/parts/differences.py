"""What `verify` says of each difference, after it has repaired it or not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from sync.aws.keys import Source
from sync.commands.parts.paging import PORTION_S
from sync.commands.parts.resynced import resynced
from sync.deadletters.row import OPEN
from sync.errors import Retry
from sync.recovery.letters import row_id
from sync.recovery.resync import Verdict
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.verify import findings
from sync.writing.op import Done

if TYPE_CHECKING:
    from sync.service import Service

NO_KEY = "its id names no key of a model: a person has to decide whether to delete it"


class Difference(TypedDict):
    """A document that its sink lacks (missing), that no item asks for (extra), or whose *fields*
    have other values than its item's (different)."""

    sink: str
    target: str
    id: str
    table: str | None  # null, as are the keys: no item can ask for a document of this id
    keys: Any
    kind: str
    fields: list[str]
    letter: str | None  # the open dead letter of the key, which explains the difference
    repaired: bool  # the sink, or its queue, has taken what the item says
    error: str | None  # why it was not repaired


def rows_of(
    service: "Service",
    differences: Sequence[findings.Difference],
    deadline: Deadline,
    *,
    repair: bool,
) -> list[Difference]:
    """A row for each of *differences*, which are logged; *repair* resyncs them. Raises Retry."""
    letters = _letters(service, differences, deadline)
    verdicts = _repaired(service, differences, deadline) if repair else {}
    rows = []
    for each in differences:
        sink, target, id_ = each.address
        verdict = verdicts.get((sink, each.source)) if each.source else None
        row: Difference = {
            "sink": sink,
            "target": target,
            "id": id_,
            "table": each.source.table if each.source else None,
            "keys": each.source.keys if each.source else None,
            "kind": each.differs.kind,
            "fields": list(each.differs.fields),
            "letter": letters.get((sink, each.source)) if each.source else None,
            "repaired": isinstance(verdict, Done),
            "error": NO_KEY if each.source is None else _error(verdict),
        }
        logger.warning("a document differs from its item", extra=dict(row))
        rows.append(row)
    return rows


def _letters(
    service: "Service", differences: Sequence[findings.Difference], deadline: Deadline
) -> dict[tuple[str, Source], str]:
    """The ids of open dead letters, by sink and key."""
    ids: dict[str, tuple[str, Source]] = {}
    for each in differences:
        if each.source is not None:
            place = each.address[0], each.source
            for sink in (None, each.address[0]):
                ids[row_id(each.source.table, each.source.keys, sink)] = place
    if not ids:
        return {}
    known = service.dead_letter_table.known(list(ids), deadline)
    return {ids[id_]: id_ for id_, row in known.items() if row.status == OPEN}


def _repaired(
    service: "Service", differences: Sequence[findings.Difference], deadline: Deadline
) -> dict[tuple[str, Source], Verdict]:
    """The verdict of a resync of each key, by sink and key."""
    keys: dict[str, dict[Source, None]] = {}
    for each in differences:
        if each.source is not None:
            keys.setdefault(each.address[0], {})[each.source] = None
    return {
        (sink, source): verdict
        for sink, of_sink in keys.items()
        for source, verdict in resynced(service, list(of_sink), sink, deadline.within(PORTION_S))
    }


def _error(verdict: Verdict | None) -> str | None:
    if verdict is None or isinstance(verdict, Done):
        return None
    parked = "parked, and tried again by itself: " if isinstance(verdict, Retry) else ""
    return f"{parked}{type(verdict).__name__}: {verdict}"
