"""Dead letters: list, show, replay, discard.

All of them raise Retry where the dead-letter table does not answer.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sync.commands.arguments import Arguments
from sync.deadletters.replay import AT_ONCE
from sync.deadletters.row import DISCARDED, OPEN, STATUSES, Row
from sync.deadletters.table import DeadLetterTable, Filter
from sync.errors import ConfigError, Retry
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service

MOST_LISTED: Final = 2_000  # rows of one answer, which Lambda limits to 6 MB
MOST_REPLAYED: Final = 1_000
_PORTION_S: Final = 30.0  # for the resync of one portion; less time left: the next page does it
_GROUP: Final = ("kind", "sink", "model", "error_class")


def show_list(given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "dlq list", "status", "sink", "model", "error", "table", "kind", "limit",
    "cursor"}`: rows of a status (open unless said otherwise), oldest first, and their groups.

    Every filter is optional; error is the error's class. Answers `{"groups": [{"kind", "sink",
    "model", "error_class", "count", "oldest", "newest"}], "rows": [{"id", "kind", "status",
    "first_at", "last_at", "seen", "table", "keys", "sink", "model", "error_class", "error",
    "replays", …}], "cursor"}`, groups of this page's rows, at most 2,000 of them.
    """
    status = given.text("status") or OPEN
    if status not in STATUSES:
        raise ConfigError(f"dlq list: 'status' must be one of {', '.join(STATUSES)}")
    rows, cursor = service.dead_letter_table.page(
        _filter(given, status),
        limit=given.count("limit", default=MOST_LISTED, most=MOST_LISTED),
        cursor=given.text("cursor"),
        deadline=deadline,
    )
    return {
        "groups": groups(row.summary() for row in rows),
        "rows": [row.summary() for row in rows],
        "cursor": cursor,
    }


def groups(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Summaries of rows by kind, sink, model and error class, the largest group first."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        name = tuple(row.get(part) for part in _GROUP)
        group = found.setdefault(
            name,
            {
                **dict(zip(_GROUP, name, strict=True)),
                "count": 0,
                "oldest": row["first_at"],
                "newest": row["last_at"],
            },
        )
        group["count"] += 1
        group["oldest"] = min(group["oldest"], row["first_at"])
        group["newest"] = max(group["newest"], row["last_at"])
    return sorted(found.values(), key=lambda group: (-group["count"], group["oldest"]))


def show(given: Arguments, service: "Service", _deadline: Deadline) -> dict[str, Any]:
    """`{"command": "dlq show", "id"}`: one row with trace and body, wherever the body is kept.

    Answers `{"row": {…, "trace"}, "meanwhile", "body"}`; the body of a record or item is the stream
    record or item itself, that of an unknown message its text. "meanwhile" says what readers of
    the sink find until then. Raises ConfigError where there is no such row; where S3 does not give
    the body, it is null and "body_error" says why.
    """
    row = _get(service.dead_letter_table, given.needed("id"))
    answer: dict[str, Any] = {"row": {**row.summary(), "trace": row.trace}}
    answer["meanwhile"] = _meanwhile(row)
    if row.payload is not None:
        answer["row"]["payload"] = row.payload.plain()
    try:
        text = row.body if row.payload is None else service.bodies.fetch(row.payload)
    except Retry as error:
        return {**answer, "body": None, "body_error": str(error)}
    return {**answer, "body": _parsed(text)}


def replay(given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "dlq replay", "ids" | "sink", "model", "error", "table", "kind" | "all": true,
    "dry_run", "limit", "cursor"}`: bring the sinks of open rows in line with the table.

    What the table says now is written, never what the row holds. Answers `{"results": [{"id",
    "result", "why"}], "counts": {result: n}, "cursor"}`; result is "replayed", "failed" (it stays
    open, with the new error), "no keys" (it can only be discarded), "not open", "not found", or
    "would be replayed" in a dry run. At most 1,000 rows a page, fewer where time runs out.
    """
    chosen = given.has("ids"), any(_filter(given, OPEN).equal()), given.flag("all")
    if sum(chosen) != 1:
        raise ConfigError(
            "dlq replay needs 'ids', or some of sink, model, error, table and kind, or 'all': true"
        )
    limit = given.count("limit", default=MOST_REPLAYED, most=MOST_REPLAYED)
    results: list[dict[str, str]] = []
    cursor = given.text("cursor")
    if given.has("ids"):
        left = _from(given.texts("ids"), cursor)
        cursor = None
        while left:
            if len(results) >= limit or (results and deadline.remaining() < _PORTION_S):
                cursor = left[0]
                break
            most = min(AT_ONCE, limit - len(results))
            rows = list(_open_rows(service.dead_letter_table, left[:most], results))
            results += _replay(rows, given, service, deadline)
            left = left[most:]
    else:
        while True:
            rows, cursor = service.dead_letter_table.page(
                _filter(given, OPEN),
                limit=min(AT_ONCE, limit - len(results)),
                cursor=cursor,
                deadline=deadline,
            )
            results += _replay(rows, given, service, deadline)
            if cursor is None or len(results) >= limit or deadline.remaining() < _PORTION_S:
                break
    counts = Counter(result["result"] for result in results)
    return {"results": results, "counts": dict(counts), "cursor": cursor}


def discard(given: Arguments, service: "Service", _deadline: Deadline) -> dict[str, Any]:
    """`{"command": "dlq discard", "ids", "reason"}`: resolve rows without writing anything.

    Answers `{"results": [{"id", "result", "why"}], "counts": {result: n}}`; result is
    "discarded", "not open" or "not found".
    """
    table = service.dead_letter_table
    ids, reason = given.texts("ids"), given.needed("reason")
    if not ids:
        raise ConfigError("dlq discard needs 'ids'")
    results: list[dict[str, str]] = []
    for row in _open_rows(table, ids, results):
        done = table.resolve(row, DISCARDED, reason)
        results.append(
            {"id": row.id, "result": "discarded", "why": reason}
            if done
            else {"id": row.id, "result": "not open", "why": "it came again meanwhile"}
        )
    return {"results": results, "counts": dict(Counter(one["result"] for one in results))}


def _replay(
    rows: Sequence[Row], given: Arguments, service: "Service", deadline: Deadline
) -> list[dict[str, str]]:
    if given.flag("dry_run"):
        return [
            {"id": row.id, "result": "would be replayed", "why": row.error}
            if row.keys
            else {"id": row.id, "result": "no keys", "why": row.error}
            for row in rows
        ]
    within = deadline.within(_PORTION_S)
    return [replayed.plain() for replayed in service.replay.run(rows, within)]


def _from(ids: Sequence[str], cursor: str | None) -> Sequence[str]:
    return ids[ids.index(cursor) :] if cursor in ids else ids


def _open_rows(
    table: DeadLetterTable, ids: Sequence[str], results: list[dict[str, str]]
) -> Iterator[Row]:
    """The open rows of *ids*; of the others *results* is told."""
    for id_ in ids:
        row = table.get(id_)
        if row is None:
            results.append({"id": id_, "result": "not found", "why": "there is no such row"})
        elif row.status != OPEN:
            why = f"{row.status} at {row.resolved_at}: {row.reason}"
            results.append({"id": id_, "result": "not open", "why": why})
        else:
            yield row


def _get(table: DeadLetterTable, id_: str) -> Row:
    row = table.get(id_)
    if row is None:
        raise ConfigError(f"there is no dead letter {id_!r}")
    return row


def _filter(given: Arguments, status: str) -> Filter:
    return Filter(
        status=status,
        sink=given.text("sink"),
        model=given.text("model"),
        error=given.text("error"),
        table=given.text("table"),
        kind=given.text("kind"),
    )


def _meanwhile(row: Row) -> str | None:
    """What readers find while *row* is open; None where it is not, or is about no item."""
    if row.status != OPEN or row.keys is None:
        return None
    holds = f"{row.sink} still holds" if row.sink else "its sinks still hold"
    return f"{holds} what was written last for this item: an older document, or none"


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
