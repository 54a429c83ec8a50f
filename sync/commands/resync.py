"""Bringing sinks in line by hand: some keys, or every item of a table."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sync.aws.clients import failures
from sync.aws.items import text_only, wire
from sync.aws.keys import AttributeMap, Source
from sync.commands.arguments import Arguments
from sync.commands.keys import checked, key_names
from sync.errors import ConfigError, Retry
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.recovery.resync import Unmatched
from sync.runtime.deadline import Deadline
from sync.writing.op import Done

if TYPE_CHECKING:
    from sync.service import Service

MOST_KEYS: Final = 20_000  # of one answer
_MOST_FAILURES: Final = 2_000  # of one answer, which Lambda limits to 6 MB
_AT_ONCE: Final = 100  # one BatchGetItem
_PORTION_S: Final = 30.0


def resync(given: Arguments, service: "Service", deadline: Deadline) -> dict[str, Any]:
    """`{"command": "resync", "table", "keys": [{"PK": {"S": …}, …}], "sink", "dry_run", "limit",
    "cursor"}`: read items, write what they say, and verify; without keys every item of *table*.

    A key whose item is gone has its document deleted; without keys such a document is not found,
    since only items are. *sink*: that one alone. Answers `{"counts": {"written", "unmatched",
    "parked", "failed"}, "failures": [{"keys", "error"}], "cursor"}`; *parked* is tried again by
    itself, *failed* became a dead letter, and "failures" has both. Raises ConfigError for a table
    or key that no model has, Retry where the table can't be scanned.
    """
    table, sink = given.needed("table"), given.text("sink")
    names = key_names(service, table)
    _check_sink(service, sink)
    limit = given.count("limit", default=MOST_KEYS, most=MOST_KEYS)
    counts: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []
    keys = [checked(service, table, key, names) for key in given.objects("keys", dict, "keys")]
    start = _start(given.text("cursor"))
    while True:
        most = min(_AT_ONCE, limit - sum(counts.values()))
        if keys:
            at = start or 0
            found = keys[at : at + most]
            start = at + most if at + most < len(keys) else None
        else:
            found, start = _page(service, table, names, start, most)
        _resync(service, table, found, given, deadline, counts, failed)
        full = sum(counts.values()) >= limit or len(failed) >= _MOST_FAILURES
        if start is None or full or deadline.remaining() < _PORTION_S:
            cursor = None if start is None else json.dumps(start, separators=(",", ":"))
            return {"counts": dict(counts), "failures": failed, "cursor": cursor}


def _resync(
    service: "Service",
    table: str,
    keys: Sequence[AttributeMap],
    given: Arguments,
    deadline: Deadline,
    counts: Counter[str],
    failed: list[dict[str, Any]],
) -> None:
    if given.flag("dry_run"):
        for key in keys:
            matched = service.registry.match(table, key)
            counts["would be written" if matched else "unmatched"] += 1
        return
    sink = given.text("sink")
    within = deadline.within(_PORTION_S)
    letters: list[DeadLetter] = []
    for settled in service.by_hand.run(
        [Parked(Source(table, key)) for key in keys], within, only=sink
    ):
        verdict = settled.verdict
        if isinstance(verdict, Done):
            counts["written"] += 1
        elif isinstance(verdict, Unmatched):
            counts["unmatched"] += 1
        else:
            counts["parked" if isinstance(verdict, Retry) else "failed"] += 1
            failed.append(
                {"keys": settled.key.source.keys, "error": f"{type(verdict).__name__}: {verdict}"}
            )
            if not isinstance(verdict, Retry):
                letters.append(settled.letter(verdict, sink))
    list(service.dead_letters.publish(letters))  # logs what can't be; the answer tells of all


def _page(
    service: "Service", table: str, names: Sequence[str], start: Any, limit: int
) -> tuple[list[AttributeMap], Any]:
    """Keys of at most *limit* items, and where the next page begins; None: that was the last."""
    request: dict[str, Any] = {
        "TableName": table,
        "Limit": limit,
        "ProjectionExpression": ", ".join(f"#{n}" for n in range(len(names))),
        "ExpressionAttributeNames": {f"#{n}": name for n, name in enumerate(names)},
    }
    if start is not None:
        request["ExclusiveStartKey"] = wire(start)
    with failures(f"scanning {table}"):
        answer = service.clients("dynamodb").scan(**request)
    last = answer.get("LastEvaluatedKey")
    return [text_only(item) for item in answer["Items"]], last and text_only(last)


def _check_sink(service: "Service", sink: str | None) -> None:
    sinks = sorted(one.name for one in service.registry.sinks)
    if sink is not None and sink not in sinks:
        raise ConfigError(f"no model feeds the sink {sink!r}; there are: {', '.join(sinks)}")


def _start(cursor: str | None) -> Any:
    if cursor is None:
        return None
    try:
        value = json.loads(cursor)
    except ValueError as error:
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}") from error
    return value
