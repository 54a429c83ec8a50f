"""What goes wrong in an account: records that no model can read, their letters, failing sinks."""

from typing import Any, Final

from sync.errors import InvalidImage, Refused, Retry
from sync.recovery.letters import DeadLetter
from sync.runtime.moments import epoch
from sync.stream.record import version_of
from tests.doubles.account import Account
from tests.doubles.sinks import Failing
from tests.records import PRODUCTS, stream_record

SOUND: Final[Any] = {"name": {"S": "Kettle"}, "price": {"N": "5"}}  # attributes of a product


def poison(product_id: str = "p", text: str = "x", number: int = 1) -> Any:
    keys = {"productId": {"S": product_id}}
    new = {"name": {"S": text}, "price": {"S": "much"}}
    return stream_record(keys, new, table=PRODUCTS, number=number)


def letter(record: Any, at: str = "2026-11-21T08:00:00.000+00:00") -> dict[str, Any]:
    """What the topic carries of a quarantined record."""
    dead = DeadLetter(
        record,
        InvalidImage("not a valid Product: price"),
        table=PRODUCTS,
        keys=record["dynamodb"]["Keys"],
        sink="opensearch",
        version=version_of(record),
    )
    return {**dead.envelope(epoch(at)), "record": record}


def one_letter(account: Account, product_id: str = "p", number: int = 1) -> str:
    """The id of the row of a poison record."""
    account.consume(letter(poison(product_id, number=number)), message_id=f"m{number}")
    keys = {"productId": {"S": product_id}}
    (row,) = [row for row in account.rows() if row.get("keys") == keys]
    return str(row["id"])


def failing(account: Account, error: Refused | Retry) -> Failing:
    """The account's service from now on: its sink fails."""
    account.memory = sink = Failing(error)
    account.service = account.fresh()
    return sink
