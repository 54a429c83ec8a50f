"""Writing several DynamoDB items or none, while others write them too."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from sync.aws.clients import Clients, failures
from sync.errors import Misconfigured, Retry, Throttled, Unavailable
from sync.runtime.backoff import full_jitter
from sync.runtime.deadline import Deadline
from sync.writing.op import Done

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    Actions = Sequence[TransactWriteItemTypeDef]

MOST_ACTIONS: Final = 100  # in one transaction, no two of one item (API reference)
TRIES: Final = 12

_LOST: Final = frozenset({"None", "ConditionalCheckFailed", "TransactionConflict"})
_THROTTLED: Final = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})

T = TypeVar("T")
Result = Done | Retry


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


def until_settled(
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], Iterable[tuple[T, Result]]],
    deadline: Deadline,
) -> Iterator[tuple[T, Result]]:
    """Give *items* to *attempt*, and again those that it answers with Retry, with full jitter.

    Ends when none are left, when tries or time run out, or when the fault is Misconfigured, which
    no waiting mends; what is left then is yielded with its last error.
    """
    waiting = list(items)
    for retry in range(1, TRIES + 1):
        if not waiting:
            return
        if not deadline.remaining():
            yield from ((item, Unavailable("no time is left")) for item in waiting)
            return
        failed: list[tuple[T, Retry]] = []
        for item, result in attempt(waiting):
            if isinstance(result, Retry):
                failed.append((item, result))
            else:
                yield item, result
        waiting = [item for item, _ in failed]
        if waiting and (
            retry == TRIES
            or any(isinstance(error, Misconfigured) for _, error in failed)
            or not deadline.pause(full_jitter(retry, base_s=0.05, cap_s=1.0))
        ):
            yield from failed
            return
