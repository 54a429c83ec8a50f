"""The dead-letter table: a row for each key and sink, deleted a month after it is resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sync.aws.clients import Clients, failures
from sync.aws.items import Items
from sync.aws.keys import AttributeMap, Source
from sync.deadletters.row import OPEN, Row, from_item, merged, to_item
from sync.errors import ConfigError, Retry, Throttled
from sync.recovery.letters import LONGEST_ERROR
from sync.recovery.state import state_of
from sync.runtime.clock import Clock, now_s
from sync.runtime.deadline import Deadline
from sync.runtime.moments import iso

KEPT_S: Final = 30 * 24 * 3600  # until a resolved row is deleted
INDEX: Final = "by-status"
_PAGE: Final = 100  # rows a query reads at least, since filters drop some of them
_TRIES: Final = 5  # of a conditional write that fails because the row changed
_WHOLE: Final = frozenset({"body", "payload", "trace"})  # not needed for merging
_READ: Final = tuple(field.name for field in fields(Row) if field.name not in _WHOLE)


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects rows whose fields equal all values that are not None."""

    status: str = OPEN
    sink: str | None = None
    model: str | None = None
    error: str | None = None  # the name of the error's class
    table: str | None = None
    kind: str | None = None

    def equal(self) -> dict[str, str]:
        """The required values by attribute name, without the status."""
        wanted = {
            "sink": self.sink,
            "model": self.model,
            "error_class": self.error,
            "table": self.table,
            "kind": self.kind,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class DeadLetterTable:
    """The rows of the table *name*. Every method raises Retry if a request to DynamoDB fails."""

    def __init__(self, name: str, clients: Clients, clock: Clock) -> None:
        self._name = name
        self._clients = clients
        self._clock = clock
        self._items = Items(clients, _READ)

    def known(self, ids: Sequence[str], deadline: Deadline) -> dict[str, Row]:
        """The rows that exist of *ids*, by id, without body, payload and trace."""
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
        """Merge *letter* into its row, last read as *known*. False if the row does not change."""
        for _ in range(_TRIES):
            row = merged(known, letter)
            if row is None:
                return False
            if self._replace(row, known):
                return True
            known = self.known([letter.id], deadline).get(letter.id)
        raise Throttled(f"the row {letter.id} of {self._name} changed at each of {_TRIES} tries")

    def get(self, id_: str) -> Row | None:
        """The whole row; None if there is none."""
        with failures(f"reading from {self._name}"):
            answer = self._clients("dynamodb").get_item(
                TableName=self._name, Key={"id": {"S": id_}}, ConsistentRead=True
            )
        return from_item(answer["Item"]) if "Item" in answer else None

    def page(
        self, which: Filter, *, limit: int, cursor: str | None, deadline: Deadline
    ) -> tuple[list[Row], str | None]:
        """At most *limit* rows, the oldest first, without body, payload and trace.

        Returns them with the cursor of the next page; None: this was the last page. A page may be
        short, even empty, if *deadline* passes. Raises ConfigError if *cursor* is malformed.
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
        """Set the *status* of an open *row* to replayed or discarded, and its *reason*.

        *wrote*: the version of the replay. *item*: the item that the replay read. False, and no
        change, if the row is no longer open, or if a letter was merged since *row* was read.
        """
        at_s = now_s(self._clock)
        return self._update(
            row.id,
            "SET #status = :status, #reason = :reason, #resolved_at = :now, #wrote = :wrote, "
            "#state = :state, #expires_at = :expires_at",
            "#status = :open AND #seen = :seen",
            {
                "status": {"S": status},
                "reason": {"S": reason},
                "now": {"S": iso(at_s)},
                "wrote": {"N": str(wrote)},
                "state": {"S": state_of(item)},
                "expires_at": {"N": str(int(at_s) + KEPT_S)},
                "open": {"S": OPEN},
                "seen": {"N": str(row.seen)},
            },
            ["resolved_at"],
        )

    def failed(self, row: Row, error: Exception, *, state: str | None) -> bool:
        """Store that a replay of *row* failed with *error*. False if the row is no longer open.

        *state*: the item's state, if a replay would fail again until the item changes; else None.
        """
        return self._update(
            row.id,
            "SET #error_class = :error_class, #error = :error, #replayed_at = :now"
            f"{', #state = :state' if state else ''} ADD #replays :one",
            "#status = :open",
            {
                "error_class": {"S": type(error).__name__},
                "error": {"S": str(error)[:LONGEST_ERROR]},
                "now": {"S": iso(now_s(self._clock))},
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
            {"now": {"S": iso(now_s(self._clock))}},
            ["erased_at", "body", "payload", "trace"],
        )

    def add(self, row: Row) -> None:
        """Write the new *row*."""
        with failures(f"writing to {self._name}"):
            self._clients("dynamodb").put_item(TableName=self._name, Item=to_item(row))

    def remove(self, id_: str) -> None:
        """Delete the row *id_*; idempotent."""
        with failures(f"writing to {self._name}"):
            self._clients("dynamodb").delete_item(TableName=self._name, Key={"id": {"S": id_}})

    def _replace(self, row: Row, known: Row | None) -> bool:
        """Replace *known* with *row*. False if the row in the table is no longer *known*."""
        if known is not None and row.letter == known.letter:  # the row keeps its letter, and body
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
        """Update a row. False if *condition* does not hold.

        *values*: of `:name` in both expressions. *names*: attributes without a value there.
        """
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
    """The ExclusiveStartKey of *cursor*. Raises ConfigError if *cursor* is malformed."""
    if cursor is None:
        return None
    first_at, slash, id_ = cursor.partition("/")
    if not (first_at and slash and id_):
        raise ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}")
    return {"status": {"S": status}, "first_at": {"S": first_at}, "id": {"S": id_}}
