"""The dead-letter table: one row for each dead letter, until a month after it is resolved."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sync.aws import Clients, failures
from sync.clock import Clock
from sync.deadletters.bodies import Payload
from sync.deadline import Deadline
from sync.errors import ConfigError
from sync.moments import iso
from sync.ops import AttributeMap

OPEN, REPLAYED, DISCARDED = STATUSES = ("open", "replayed", "discarded")
KEPT_S: Final = 30 * 24 * 3600  # after a row is resolved
INDEX: Final = "by-status"
_AT_ONCE: Final = 100  # keys of one BatchGetItem
_PAGE: Final = 100  # the least rows that a query looks at, since filters drop some of them
_JSON: Final = frozenset({"keys", "payload"})  # attributes that are kept as JSON text


@dataclass(frozen=True, slots=True)
class Row:
    """A dead letter, as it stands in the table. Moments are ISO 8601, UTC, to the millisecond.

    The attributes have the same names. The index `by-status` lacks body, payload and trace.
    """

    id: str  # the same for a letter however often it comes
    kind: str  # sync/deadletters/rows.py lists them
    first_at: str
    last_at: str
    status: str = OPEN
    seen: int = 1  # how often the letter came
    table: str | None = None
    keys: AttributeMap | None = None  # None: it is about no item, or about one that can't be told
    sink: str | None = None  # None: every sink that its model feeds
    model: str | None = None
    target: str | None = None
    document_id: str | None = None
    error_class: str = ""
    error: str = ""
    trace: str | None = None
    after: int = 0  # a resync of its key has to have a version above this one
    body: str | None = None  # what could not be written, as JSON; None: see payload
    payload: Payload | None = None
    replays: int = 0  # how many failed
    replayed_at: str | None = None  # the last that failed
    reason: str | None = None  # how it was resolved
    resolved_at: str | None = None
    expires_at: int | None = None  # epoch seconds; then DynamoDB removes it (TTL)

    def summary(self) -> dict[str, Any]:
        """What lists show: all but body, payload and trace."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("body", "payload", "trace"):
            del shown[name]
        return {name: value for name, value in shown.items() if value is not None}


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

    def record(self, row: Row, message_id: str) -> bool:
        """Add *row*, or count it once more; a resolved row that fails again is open again.

        False where nothing was to be done: SQS delivered message *message_id* before, or the
        letter is older than the resolution of its row, which brought its sink in line since.
        """
        values = {**_item(row), "last_message": {"S": message_id}}
        for name in ("id", "first_at", "seen", "replays"):
            del values[name]
        gone = [
            field.name
            for field in fields(row)
            if getattr(row, field.name) is None and field.name != "replayed_at"
        ]
        sets = [f"#{name} = :{name}" for name in values]
        return self._update(
            row.id,
            f"SET {', '.join(sets)}, #first_at = if_not_exists(#first_at, :first_at) "
            f"REMOVE {', '.join(f'#{name}' for name in gone)} ADD #seen :one",
            "attribute_not_exists(id) OR (#last_message <> :last_message AND "
            "(attribute_not_exists(#resolved_at) OR #resolved_at < :last_at))",
            {**values, "first_at": {"S": row.first_at}, "one": {"N": "1"}},
            ["seen", *gone],
        )

    def known(self, ids: Sequence[str], message_id: str) -> set[str]:
        """Those of *ids*, which do not repeat, whose rows have message *message_id* already.

        May miss some: `record` knows them as well, but has to be sent all that a row holds.
        """
        found = set()
        for at in range(0, len(ids), _AT_ONCE):
            keys = [{"id": {"S": id_}} for id_ in ids[at : at + _AT_ONCE]]
            with failures(f"reading from {self._name}"):
                answer = self._clients("dynamodb").batch_get_item(
                    RequestItems={
                        self._name: {
                            "Keys": keys,
                            "ConsistentRead": True,
                            "ProjectionExpression": "id, last_message",
                        }
                    }
                )
            for item in answer["Responses"].get(self._name, []):
                if item.get("last_message") == {"S": message_id}:
                    found.add(item["id"]["S"])
        return found

    def get(self, id_: str) -> Row | None:
        """The whole row; None where there is none."""
        with failures(f"reading from {self._name}"):
            answer = self._clients("dynamodb").get_item(
                TableName=self._name, Key={"id": {"S": id_}}, ConsistentRead=True
            )
        return _row(answer["Item"]) if "Item" in answer else None

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
            found += map(_row, answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if len(found) > limit or (start and len(found) == limit):
                return found[:limit], _cursor(found[limit - 1])
            if not start:
                return found, None
            if not deadline.remaining():
                return found, f"{start['first_at']['S']}/{start['id']['S']}"

    def resolve(self, row: Row, status: str, reason: str) -> bool:
        """Mark *row* as replayed or discarded, for *reason*.

        False where it is not open any more, or where its letter came again since *row* was read:
        then it stays as it is.
        """
        now_s = self._clock.time_ns() / 1e9
        return self._update(
            row.id,
            "SET #status = :status, #reason = :reason, #resolved_at = :now, "
            "#expires_at = :expires_at",
            "#status = :open AND #last_at = :last_at",
            {
                "status": {"S": status},
                "reason": {"S": reason},
                "now": {"S": iso(now_s)},
                "expires_at": {"N": str(int(now_s) + KEPT_S)},
                "open": {"S": OPEN},
                "last_at": {"S": row.last_at},
            },
            ["resolved_at"],
        )

    def failed(self, row: Row, error: Exception) -> bool:
        """Note that a replay of *row* failed with *error*. False where it is not open any more."""
        return self._update(
            row.id,
            "SET #error_class = :error_class, #error = :error, #replayed_at = :now "
            "ADD #replays :one",
            "#status = :open",
            {
                "error_class": {"S": type(error).__name__},
                "error": {"S": str(error)[:2000]},
                "now": {"S": iso(self._clock.time_ns() / 1e9)},
                "one": {"N": "1"},
                "open": {"S": OPEN},
            },
            ["replayed_at", "replays", "status"],
        )

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


def _item(row: Row) -> dict[str, Any]:
    return dict(_attributes(row))


def _attributes(row: Row) -> Iterator[tuple[str, dict[str, str]]]:
    for field in fields(row):
        value = getattr(row, field.name)
        if value is None:
            continue
        if isinstance(value, Payload):
            value = value.plain()
        if field.name in _JSON:
            yield field.name, {"S": json.dumps(value, separators=(",", ":"), sort_keys=True)}
        else:
            yield field.name, {"N": str(value)} if isinstance(value, int) else {"S": value}


def _row(item: Mapping[str, Mapping[str, str]]) -> Row:
    values: dict[str, Any] = {}
    for field in fields(Row):
        if (attribute := item.get(field.name)) is None:
            continue
        ((tag, text),) = attribute.items()
        if field.name in _JSON:
            values[field.name] = json.loads(text)
        else:
            values[field.name] = int(text) if tag == "N" else text
    if "payload" in values:
        values["payload"] = Payload.read(values["payload"])
    return Row(**values)


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
