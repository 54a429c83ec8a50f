"""Stream records as Lambda hands them over."""

from itertools import count
from typing import Any

CORE = "stream-sync-test-core"
PRODUCTS = "stream-sync-test-products"

_numbers = count(1)

Image = dict[str, dict[str, Any]]


def stream_record(
    keys: Image,
    new: Image | None = None,
    *,
    old: Image | None = None,
    table: str = CORE,
    event_name: str | None = None,
    created_s: int = 1_800_000_000,
    number: int | None = None,
) -> dict[str, Any]:
    """A record of a change from *old* to *new*; the event name follows from them unless given."""
    number = next(_numbers) if number is None else number
    body: dict[str, Any] = {
        "ApproximateCreationDateTime": created_s,
        "Keys": keys,
        "SequenceNumber": f"{number:021d}",
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if new is not None:
        body["NewImage"] = {**keys, **new}
    if old is not None:
        body["OldImage"] = {**keys, **old}
    name = event_name or ("REMOVE" if new is None else "MODIFY" if old is not None else "INSERT")
    return {
        "eventID": f"event-{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": body,
        "eventSourceARN": f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/label",
    }


def core_keys(pk: str, sk: str) -> Image:
    return {"PK": {"S": pk}, "SK": {"S": sk}}
