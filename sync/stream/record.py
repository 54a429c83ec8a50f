"""Checks and parses stream records as Lambda delivers them."""

from dataclasses import dataclass
from typing import Any

from sync.aws.keys import AttributeMap, Source
from sync.errors import InvalidImage, RecordError
from sync.writing.versions import stream_version

EVENT_NAMES = frozenset({"INSERT", "MODIFY", "REMOVE"})
_MOST_DIGITS = 40


@dataclass(slots=True)  # frozen would triple the time that making one takes
class Record:
    """A valid stream record. Keys and images are in DynamoDB's JSON, not decoded."""

    event_name: str
    source: Source
    sequence_number: str
    created_s: int  # approximate, whole seconds
    size_bytes: int | None
    new_image: AttributeMap | None
    old_image: AttributeMap | None

    @property
    def version(self) -> int:
        """The version of the writes that the record asks for."""
        return stream_version(self.created_s, int(self.sequence_number))


def read_record(raw: Any) -> Record:
    """Check and parse *raw*. Raises RecordError, or InvalidImage, which is one."""
    if not isinstance(raw, dict) or not isinstance(body := raw.get("dynamodb"), dict):
        raise RecordError("the record has no 'dynamodb' object")
    name = raw.get("eventName")
    if not isinstance(name, str) or name not in EVENT_NAMES:
        shown = repr(name[:80]) if isinstance(name, str) else f"of type {type(name).__name__}"
        raise RecordError(f"unknown eventName {shown}")
    keys = body.get("Keys")
    if not isinstance(keys, dict) or not keys or not all(map(_is_attribute, keys.values())):
        raise RecordError("the record has no Keys, or they are malformed")
    number = sequence_number(raw)
    created = body.get("ApproximateCreationDateTime")
    if isinstance(created, bool) or not isinstance(created, int | float) or not 0 < created < 9e9:
        raise RecordError("the record has no ApproximateCreationDateTime in epoch seconds")
    new = body.get("NewImage")
    if name == "REMOVE":
        new = None
    elif not isinstance(new, dict):
        raise InvalidImage(f"{name} without a NewImage: the stream's view type must include it")
    elif any(new.get(attribute) != value for attribute, value in keys.items()):
        raise InvalidImage("the NewImage and the Keys belong to different items")
    old = body.get("OldImage")
    return Record(
        event_name=name,
        source=Source(table_of(raw), keys),
        sequence_number=number,
        created_s=int(created),
        size_bytes=body.get("SizeBytes"),
        new_image=new,
        old_image=old if isinstance(old, dict) else None,
    )


def _is_attribute(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def sequence_number(raw: Any) -> str:
    """The SequenceNumber, by which Lambda identifies a record: 21 to 40 digits (API reference,
    StreamRecord). Raises RecordError."""
    body = raw.get("dynamodb") if isinstance(raw, dict) else None
    number = body.get("SequenceNumber") if isinstance(body, dict) else None
    if not isinstance(number, str) or not (number.isascii() and number.isdigit()):
        raise RecordError("the record has no SequenceNumber")
    if len(number) > _MOST_DIGITS:
        raise RecordError("the record has no SequenceNumber")
    return number


def version_of(raw: Any) -> int:
    """The version of the record *raw*, which may be malformed; 0 if it can't be computed."""
    try:
        body = raw["dynamodb"]
        return stream_version(int(body["ApproximateCreationDateTime"]), int(body["SequenceNumber"]))
    except (LookupError, TypeError, ValueError, OverflowError):
        return 0


def table_of(raw: Any) -> str:
    """The NAME in eventSourceARN, `arn:aws:dynamodb:region:account:table/NAME/stream/LABEL`. Raises
    RecordError."""
    arn = raw.get("eventSourceARN") if isinstance(raw, dict) else None
    parts = arn.split("/", 2) if isinstance(arn, str) else []
    if len(parts) < 2 or not parts[0].endswith(":table"):
        raise RecordError("the record's eventSourceARN names no table")
    return parts[1]
