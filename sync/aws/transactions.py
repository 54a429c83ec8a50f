"""Writing several DynamoDB items or none, while others write them too."""

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

MOST_ACTIONS: Final = 100  # in one transaction, no two of one item (API reference)
TRIES: Final = 12

_LOST: Final = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict"})
_THROTTLED: Final = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})

T = TypeVar("T")
R = TypeVar("R")


def transact(clients: Clients, actions: "Actions", what: str) -> bool:
    """Carry out *actions*, all or none. False, and nothing is done, where another writer was there:
    a condition does not hold, or a transaction on the same items is under way.

    Raises Retry: Throttled, and nothing is done; Unavailable, and only reading the items tells
    whether it is done; Misconfigured.
    """
    from botocore.exceptions import ClientError

    with failures(what):
        try:
            clients("dynamodb").transact_write_items(
                TransactItems=actions,
                ClientRequestToken=str(uuid4()),  # the client's own second try is no second effect
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "TransactionInProgressException":  # the client's first try is under way
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
    """Give *items* to *attempt*, and again those whose transactions others were in the way of.

    Ends when none are left, when tries or time run out, or when the fault is Misconfigured, which
    no waiting mends; what is left then is yielded with its last error.
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
