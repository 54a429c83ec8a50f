"""DynamoDB's conditional writes, and its transactions: all of their actions, or none.

A transaction takes effect at one moment, and keeps its items busy for some time after: whoever
writes one of them meanwhile conflicts (developer guide, transaction-apis).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.aws import Aws, client_error
from tests.simulation.expressions import Names, condition, update
from tests.simulation.requests import check_expressions, check_item, check_key, refused
from tests.simulation.table import Item, Key, Table, as_text, key_of

SITE: Final = "dynamodb.transact_write_items"
MOST: Final = 100
REMEMBERED_S: Final = 600.0  # how long a token stands for its request
BUSY_S: Final = 0.25
SECOND_TRIES: Final = 0.03  # share of calls that boto3 makes twice, having missed an answer


class ConditionFails(Exception):
    """The item is not as a write asks it to be."""


class Transactions:
    """What `transact_write_items` does."""

    def __init__(self, aws: Aws, table: Callable[[str], Table]) -> None:
        self._aws = aws
        self._world = aws.calls.world
        self._table = table
        self._tokens: dict[str, tuple[float, list[Any]]] = {}

    def write(self, given: Mapping[str, Any], *, partial: bool) -> dict[str, Any]:
        """Carry out the request *given*; *partial*: some of its items are throttled.

        Raises ClientError, with CancellationReasons where an action can't be done.
        """
        token, actions = given.get("ClientRequestToken"), given["TransactItems"]
        calls = self._aws.calls
        if token and not calls.trouble.over and self._world.random.random() < SECOND_TRIES:
            calls.fired[SITE, "tried twice"] += 1
            with suppress(ClientError):  # of which nobody hears
                self._once(token, actions, partial=partial)
            if self._world.random.random() < 0.5:
                raise client_error("TransactionInProgressException", "the first one is under way")
        self._once(token, actions, partial=partial)
        return {}

    def _once(self, token: str | None, actions: list[Any], *, partial: bool) -> None:
        now = self._world.now
        if token:
            if len(token) > 36:
                raise client_error("ValidationException", "the token is too long")
            at, known = self._tokens.get(token, (float("-inf"), []))
            if now < at + REMEMBERED_S:
                if known != actions:
                    raise client_error("IdempotentParameterMismatchException", token)
                return
        self._carry_out(actions, partial=partial)
        if token:
            self._tokens[token] = now, actions

    def _carry_out(self, actions: list[Any], *, partial: bool) -> None:
        if not 1 <= len(actions) <= MOST:
            raise client_error("ValidationException", f"{len(actions)} actions")
        changes: dict[tuple[str, Key], tuple[Table, Item | None]] = {}
        reasons = []
        for action in actions:
            ((kind, request),) = action.items()
            table = self._table(request["TableName"])
            check(kind, request, table)
            key = key_of(table.names, as_text(request["Item" if kind == "Put" else "Key"]))
            place = table.name, key
            if place in changes:
                raise client_error(
                    "ValidationException",
                    "Transaction request cannot include multiple operations on one item",
                )
            reason, new = "None", table.items.get(key)
            try:
                new = written(kind, request, new)
            except ConditionFails:
                reason = "ConditionalCheckFailed"
            reasons.append("TransactionConflict" if table.busy_s(key) else reason)
            changes[place] = table, new
        if partial:
            fails = self._aws.some(reasons, partial=True)
            reasons = [
                "ThrottlingError" if one == "None" and throttled else one
                for one, throttled in zip(reasons, fails, strict=True)
            ]
        for ((_, key), (table, _)), reason in zip(changes.items(), reasons, strict=True):
            if reason != "TransactionConflict":  # others conflict with what is then cancelled, too
                table.occupy(key, BUSY_S * self._world.random.random())
        if set(reasons) != {"None"}:
            if "TransactionConflict" in reasons:
                self._aws.calls.fired[SITE, "conflict"] += 1
            raise cancelled(reasons)
        self._world.note("transaction", *(f"{key}" for _, key in sorted(changes, key=str)))
        for (_, key), (table, new) in sorted(changes.items(), key=lambda each: str(each[0])):
            table.set(key, new)


def check(kind: str, request: Mapping[str, Any], table: Table) -> None:
    """Raise ClientError for a write that AWS refuses whatever the item is."""
    if kind == "Put":
        check_item(request["Item"], table.types)
    else:
        check_key(request["Key"], table.types)
    check_expressions(request)


def written(kind: str, request: Mapping[str, Any], old: Item | None) -> Item | None:
    """What a write leaves of the item *old*. Raises ConditionFails, and ClientError for what AWS
    refuses."""
    names = Names(dict(request))
    if "ConditionExpression" in request:
        if not condition(request["ConditionExpression"])(old or {}, names):
            raise ConditionFails
    elif kind == "ConditionCheck":
        raise refused("a check has a condition")
    new: Item | None
    if kind == "Put":
        new = as_text(request["Item"])
    elif kind == "Update":
        new = update(request["UpdateExpression"])(old or as_text(request["Key"]), names)
    else:
        new = old if kind == "ConditionCheck" else None
    key = as_text(request.get("Key", {}))
    if new is not None and any(new[name] != value for name, value in key.items()):
        raise refused("an update may not change the key")
    if new is not None and sum(len(str(part)) for part in new.items()) > 400_000:
        raise client_error("ValidationException", "Item size has exceeded the maximum")
    return new


def cancelled(reasons: list[str]) -> ClientError:
    """TransactionCanceledException with *reasons*, in the order of the actions."""
    error = client_error(
        "TransactionCanceledException",
        f"Transaction cancelled, reasons [{', '.join(reasons)}]",
    )
    error.response["CancellationReasons"] = [
        {"Code": reason, "Message": reason} for reason in reasons
    ]
    return error
