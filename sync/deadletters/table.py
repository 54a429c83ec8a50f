"""The dead-letter table: one row for each key and sink, until a month after it is resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sync.aws.clients import Clients, failures
from sync.aws.items import Items
from sync.aws.keys import AttributeMap, Source
from sync.deadletters.row import OPEN, Row, from_item, merged, to_item
from sync.errors import ConfigError, Retry, Throttled
from sync.recovery.state import state_of
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.runtime.moments import iso

KEPT_S: Final = 30 * 24 * 3600  # after a row is resolved
INDEX: Final = "by-status"
_PAGE: Final = 100  # the least rows that a query looks at, since filters drop some of them
_TRIES: Final = 5  # of a write that others were faster than
_WHOLE: Final = frozenset({"body", "payload", "trace"})  # what is not read for merging
_READ: Final = tuple(field.name for field in fields(Row) if field.name not in _WHOLE)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows: every value that is not None has to be the row's own."""

    status: str = OPEN
    sink: str | None = None
    model: str | None = None
    error: str | None = None  # the error's class
    table: str | None = None
    kind: str | None = None

    def equal(self) -> dict[str, str]:
        """Attributes with the values they must have, less the status."""
        wanted = {
            "sink": self.sink,
            "model": self.model,
            "error_class": self.error,
            "table": self.table,
            "kind": self.kind,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class DeadLetterTable:
    """The rows. Every method raises Retry when DynamoDB does not answer, or refuses."""

    def __init__(self, name: str, clients: Clients, clock: Clock) -> None:
        self._name = name
        self._clients = clients
        self._clock = clock
        self._items = Items(clients, _READ)

    def known(self, ids: Sequence[str], deadline: Deadline) -> dict[str, Row]:
        """Those rows of *ids* that there are, without body, payload and trace."""
        sources = {self._source(id_): id_ for id_ in ids}
        found = self._items.read(list(sources), deadline)
        rows = {}
        for source, item in found.items():
            if isinstance(item, Retry):
                raise item
            if item is not None:
                rows[sources[source]] = from_item(item)
        return rows

    def record(self, letter: Row, known: Row | None, deadline: Deadline) -> bool:
        """Merge *letter* into its row, which was *known* last. False: it changes nothing there."""
        for _ in range(_TRIES):
            row = merged(known, letter)
            if row is None:
                return False
            if self._replace(row, known):
                return True
            known = self.known([letter.id], deadline).get(letter.id)
        raise Throttled(f"others are at the row {letter.id} of {self._name}")

    def get(self, id_: str) -> Row | None:
        """The whole row; None where there is none."""
        with failures(f"reading from {self._name}"):
            answer = self._clients("dynamodb").get_item(
                TableName=self._name, Key={"id": {"S": id_}}, ConsistentRead=True
            )
        return from_item(answer["Item"]) if "Item" in answer else None

    def page(
        self, which: Filter, *, limit: int, cursor: str | None, deadline: Deadline
    ) -> tuple[list[Row], str | None]:
        """At most *limit* rows, oldest first, without body, payload and trace.

        Returns them with a cursor for the next page; None: that was the last one. A page may be
        short, even empty, where *deadline* came first.
        """
        found: list[Row] = []
        start = _start(which.status, cursor)
        while True:
            answer = self._query(which, max(_PAGE, limit - len(found)), start)
            found += map(from_item, answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if len(found) > limit or (start and len(found) == limit):
                return found[:limit], _cursor(found[limit - 1])
            if not start:
                return found, None
            if not deadline.remaining():
                return found, f"{start['first_at']['S']}/{start['id']['S']}"

    def resolve(
        self,
        row: Row,
        status: str,
        reason: str,
        *,
        wrote: int = 0,
        item: AttributeMap | None = None,
    ) -> bool:
        """Mark *row* as replayed or discarded, for *reason*; *wrote* is the version of what a
        replay wrote, *item* what it had read.

        False where it is not open any more, or where a letter came since *row* was read: then it
        stays as it is.
        """
        now_s = self._clock.time_ns() / 1e9
        return self._update(
            row.id,
            "SET #status = :status, #reason = :reason, #resolved_at = :now, #wrote = :wrote, "
            "#state = :state, #expires_at = :expires_at",
            "#status = :open AND #seen = :seen",
            {
                "status": {"S": status},
                "reason": {"S": reason},
                "now": {"S": iso(now_s)},
                "wrote": {"N": str(wrote)},
                "state": {"S": state_of(item)},
                "expires_at": {"N": str(int(now_s) + KEPT_S)},
                "open": {"S": OPEN},
                "seen": {"N": str(row.seen)},
            },
            ["resolved_at"],
        )

    def failed(self, row: Row, error: Exception, *, state: str | None) -> bool:
        """Note that a replay of *row* failed with *error*, for an item of *state* where trying it
        again is for nothing while it is so. False where the row is not open any more."""
        return self._update(
            row.id,
            "SET #error_class = :error_class, #error = :error, #replayed_at = :now"
            f"{', #state = :state' if state else ''} ADD #replays :one",
            "#status = :open",
            {
                "error_class": {"S": type(error).__name__},
                "error": {"S": str(error)[:2000]},
                "now": {"S": iso(self._clock.time_ns() / 1e9)},
                "one": {"N": "1"},
                "open": {"S": OPEN},
                **({"state": {"S": state}} if state else {}),
            },
            ["replayed_at", "replays", "status"],
        )

    def erase(self, row: Row) -> None:
        """Remove body, payload and trace of *row*."""
        self._update(
            row.id,
            "SET #erased_at = :now REMOVE #body, #payload, #trace",
            "attribute_exists(id)",
            {"now": {"S": iso(self._clock.time_ns() / 1e9)}},
            ["erased_at", "body", "payload", "trace"],
        )

    def add(self, row: Row) -> None:
        """Write *row*, which is new."""
        with failures(f"writing to {self._name}"):
            self._clients("dynamodb").put_item(TableName=self._name, Item=to_item(row))

    def remove(self, id_: str) -> None:
        """Delete a row; one that is gone is no error."""
        with failures(f"writing to {self._name}"):
            self._clients("dynamodb").delete_item(TableName=self._name, Key={"id": {"S": id_}})

    def _replace(self, row: Row, known: Row | None) -> bool:
        """Write *row* where *known* stood. False where that is not there any more."""
        if known is not None and row.letter == known.letter:  # the older letter only counts
            return self._update(
                row.id,
                "SET #seen = :more, #last_at = :last_at, #after = :after",
                "#seen = :seen AND #status = :status",
                {
                    "more": {"N": str(row.seen)},
                    "last_at": {"S": row.last_at},
                    "after": {"N": str(row.after)},
                    "seen": {"N": str(known.seen)},
                    "status": {"S": known.status},
                },
                [],
            )
        request: dict[str, Any] = {"TableName": self._name, "Item": to_item(row)}
        if known is None:
            request["ConditionExpression"] = "attribute_not_exists(id)"
        else:
            request |= {
                "ConditionExpression": "#seen = :seen AND #status = :status",
                "ExpressionAttributeNames": {"#seen": "seen", "#status": "status"},
                "ExpressionAttributeValues": {
                    ":seen": {"N": str(known.seen)},
                    ":status": {"S": known.status},
                },
            }
        with failures(f"writing to {self._name}"):
            client = self._clients("dynamodb")
            try:
                client.put_item(**request)
            except client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _query(self, which: Filter, limit: int, start: Any) -> Any:
        equal = {"status": which.status, **which.equal()}
        request: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": INDEX,
            "KeyConditionExpression": "#status = :status",
            "ExpressionAttributeNames": {f"#{name}": name for name in equal},
            "ExpressionAttributeValues": {f":{name}": {"S": v} for name, v in equal.items()},
            "Limit": limit,
        }
        if conditions := [f"#{name} = :{name}" for name in equal if name != "status"]:
            request["FilterExpression"] = " AND ".join(conditions)
        if start:
            request["ExclusiveStartKey"] = start
        with failures(f"reading from {self._name}"):
            return self._clients("dynamodb").query(**request)

    def _update(
        self,
        id_: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
        names: Sequence[str],
    ) -> bool:
        """False where the condition does not hold. Names and values are those of *update*."""
        text = f"{update} {condition}"
        with failures(f"writing to {self._name}"):
            client = self._clients("dynamodb")
            try:
                client.update_item(
                    TableName=self._name,
                    Key={"id": {"S": id_}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={
                        f"#{name}": name for name in {*values, *names} if f"#{name}" in text
                    },
                    ExpressionAttributeValues={f":{name}": v for name, v in values.items()},
                )
            except client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _source(self, id_: str) -> Source:
        return Source(self._name, {"id": {"S": id_}})


def _cursor(row: Row) -> str:
    return f"{row.first_at}/{row.id}"


def _start(status: str, cursor: str | None) -> Any:
    """The key that *cursor* stands for. Raises ConfigError for what is no cursor."""
    if cursor is None:
        return None
    first_at, slash, id_ = cursor.partition("/")
    if not (first_at and slash and id_):
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}")
    return {"status": {"S": status}, "first_at": {"S": first_at}, "id": {"S": id_}}
