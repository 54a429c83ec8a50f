"""A stream record as Lambda passes it to a function."""

import base64
import json
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

Event = Mapping[str, Any]
"""One element of `Records` in a DynamoDB event (page WD); binary values may be bytes."""


class Record:
    """One record, encoded once, so that a batch's payload is a mere join for every try.

    Bytes in the B and BS values of *event* become base64 text. A fraction of
    ApproximateCreationDateTime is cut off, since streams have whole seconds. Raises KeyError if
    *event* lacks `dynamodb.SequenceNumber`, `.Keys` or the creation time.
    """

    def __init__(self, event: Event) -> None:
        stream = event["dynamodb"]
        self.sequence_number: str = stream["SequenceNumber"]
        self.created_s = int(stream["ApproximateCreationDateTime"])
        self.payload = compact_json(
            {**event, "dynamodb": {**stream, "ApproximateCreationDateTime": self.created_s}}
        )
        self._keys = stream["Keys"]

    @classmethod
    def from_stream(cls, raw: Mapping[str, Any], stream_arn: str) -> "Record":
        """From a record in the answer of boto3's `get_records`."""
        stream = raw["dynamodb"]
        created: datetime = stream["ApproximateCreationDateTime"]
        event = {
            **raw,
            "dynamodb": {**stream, "ApproximateCreationDateTime": created.timestamp()},
            "eventSourceARN": stream_arn,
        }
        # GetRecords writes PascalCase here, a Lambda event camelCase (WD: a TTL removal).
        if identity := raw.get("userIdentity"):
            event["userIdentity"] = {
                "type": identity.get("Type"),
                "principalId": identity.get("PrincipalId"),
            }
        return cls(event)

    def event(self) -> dict[str, Any]:
        """A new copy of the event, so that a caller who changes it does not change the record."""
        copy: dict[str, Any] = json.loads(self.payload)
        return copy

    @cached_property
    def item(self) -> bytes:
        """The key attributes of its item in a canonical form."""
        return compact_json(self._keys, sort_keys=True)

    def lane(self, factor: int) -> int:
        """The number of the lane, of *factor* lanes, that its item belongs to; never changes."""
        return zlib.crc32(self.item) % factor

    def __repr__(self) -> str:
        return f"Record({self.sequence_number})"


def compact_json(value: object, *, sort_keys: bool = False) -> bytes:
    """*value* as JSON without white space; bytes become base64 text."""

    def encode(*, ascii_only: bool) -> bytes:
        return json.dumps(
            value,
            separators=(",", ":"),
            default=_base64,
            ensure_ascii=ascii_only,
            sort_keys=sort_keys,
        ).encode()

    try:
        return encode(ascii_only=False)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8, only an escape
        return encode(ascii_only=True)


def _base64(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"a stream record cannot hold {type(value).__name__}")
