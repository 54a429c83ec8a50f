"""DynamoDB transactions, and retrying those that lost against other writers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from sync.aws.clients import Clients, failures
from sync.errors import Misconfigured, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.retry import full_jitter, until_settled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    Actions = Sequence[TransactWriteItemTypeDef]

MOST_ACTIONS: Final = 100  # in one transaction, each on another item (API reference)
TRIES: Final = 12

_LOST: Final = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict"})
_THROTTLED: Final = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})

T = TypeVar("T")
R = TypeVar("R")


def transact(clients: Clients, actions: "Actions", what: str) -> bool:
    """Execute *actions*, all or none; *what* names them in errors. True if they were executed.

    False if nothing was written because of another writer: a condition failed, or another
    transaction holds one of the items. Raises Retry: Throttled if nothing was written; Unavailable
    if the outcome is unknown until the items are read; Misconfigured.
    """
    from botocore.exceptions import ClientError

    with failures(what):
        try:
            clients("dynamodb").transact_write_items(
                TransactItems=actions,
                ClientRequestToken=str(uuid4()),  # makes boto3's own retry idempotent
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "TransactionInProgressException":  # boto3's first try is still executing
                raise Unavailable(f"{what}: {error}") from error
            if code == "TransactionCanceledException":
                reasons = {r.get("Code", "None") for r in error.response["CancellationReasons"]}
                if reasons & _THROTTLED:
                    raise Throttled(f"{what}: {error}") from error
                if reasons <= _LOST:
                    return False
            raise
    return True


def until_undisturbed(
    items: Iterable[T],
    attempt: Callable[[Sequence[T]], Iterable[tuple[T, R]]],
    deadline: Deadline,
) -> Iterator[tuple[T, R | Retry]]:
    """Call *attempt* with *items*, then again with those whose result is a Retry.

    Yields each item with its result. Items still failing are yielded with their last error after
    TRIES, at *deadline*, or once an error is Misconfigured, which no retry corrects.
    """

    def in_time(left: Sequence[T]) -> Iterable[tuple[T, R | Retry]]:
        if deadline.remaining():
            yield from attempt(left)
        else:
            yield from ((item, Unavailable("no time is left")) for item in left)

    def pause(retry: int, failed: Sequence[tuple[T, Retry]]) -> bool:
        return (
            retry < TRIES
            and not any(isinstance(error, Misconfigured) for _, error in failed)
            and deadline.pause(full_jitter(retry, base_s=0.05, cap_s=1.0))
        )

    return until_settled(items, in_time, pause)
