"""From a stream record to a change: one item's old and new state, decoded when first looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sync.attributes import decode
from sync.errors import InvalidImage, RecordError
from sync.ops import AttributeMap, Op, Source
from sync.sinks.base import Sink, skips_equal
from sync.versions import stream_version

if TYPE_CHECKING:
    from sync.model import Model

M = TypeVar("M", bound="Model")

_MOST_DIGITS = 40
EVENT_NAMES = frozenset({"INSERT", "MODIFY", "REMOVE"})

Planned = tuple[type[Sink], Op]


@dataclass(frozen=True, slots=True)
class Record:
    """A stream record, taken apart as far as its keys; images stay as they came."""

    event_name: str
    source: Source
    sequence_number: str
    created_s: int  # approximate, whole seconds
    size_bytes: int | None
    new_image: AttributeMap | None
    old_image: AttributeMap | None
    raw: Mapping[str, Any]

    @property
    def version(self) -> int:
        return stream_version(self.created_s, int(self.sequence_number))


def read_record(raw: Any) -> Record:
    """Check what every record must have. Raises RecordError that says what is wrong with it."""
    if not isinstance(raw, dict) or not isinstance(body := raw.get("dynamodb"), dict):
        raise RecordError("the record has no 'dynamodb' object")
    name = raw.get("eventName")
    if not isinstance(name, str) or name not in EVENT_NAMES:
        shown = repr(name[:80]) if isinstance(name, str) else f"of type {type(name).__name__}"
        raise RecordError(f"unknown eventName {shown}")
    keys = body.get("Keys")
    if not isinstance(keys, dict) or not keys or not all(map(_is_attribute, keys.values())):
        raise RecordError("the record has no Keys, or malformed ones")
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
        raise InvalidImage("the NewImage is of another item than the Keys")
    old = body.get("OldImage")
    return Record(
        event_name=name,
        source=Source(table_of(raw), keys),
        sequence_number=number,
        created_s=int(created),
        size_bytes=body.get("SizeBytes"),
        new_image=new,
        old_image=old if isinstance(old, dict) else None,
        raw=raw,
    )


def _is_attribute(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def sequence_number(raw: Any) -> str:
    """The number Lambda knows a record by: 21 to 40 digits (API reference, StreamRecord)."""
    body = raw.get("dynamodb") if isinstance(raw, dict) else None
    number = body.get("SequenceNumber") if isinstance(body, dict) else None
    if not isinstance(number, str) or not (number.isascii() and number.isdigit()):
        raise RecordError("the record has no SequenceNumber")
    if len(number) > _MOST_DIGITS:
        raise RecordError("the record has no SequenceNumber")
    return number


def version_of(raw: Any) -> int:
    """The version of the writes that a record asks for, which may be malformed; 0 where it can't be
    told."""
    try:
        body = raw["dynamodb"]
        return stream_version(int(body["ApproximateCreationDateTime"]), int(body["SequenceNumber"]))
    except (LookupError, TypeError, ValueError, OverflowError):
        return 0


def table_of(raw: Any) -> str:
    """The table's name, out of `arn:aws:dynamodb:region:account:table/NAME/stream/LABEL`."""
    arn = raw.get("eventSourceARN") if isinstance(raw, dict) else None
    parts = arn.split("/", 2) if isinstance(arn, str) else []
    if len(parts) < 2 or not parts[0].endswith(":table"):
        raise RecordError("the record's eventSourceARN names no table")
    return parts[1]


class Change(Generic[M]):
    """What became of one item, as its model sees it.

    *old* and *new* are decoded and validated when first looked at, so a plan that needs no old
    image never pays for one, and an old image the model no longer fits does no harm.

    *equal* counts the documents that need no writing.
    """

    def __init__(
        self,
        model: type[M],
        source: Source,
        document_id: str,
        version: int,
        *,
        new_image: AttributeMap | None,
        old_image: AttributeMap | None = None,
    ) -> None:
        self.model = model
        self.source = source
        self.id = document_id
        self.version = version
        self._new_image = new_image
        self._old_image = old_image
        self.equal = 0

    @cached_property
    def new(self) -> M | None:
        """The item now; None: it is gone. Raises InvalidImage."""
        return None if self._new_image is None else self.model.read(decode(self._new_image))

    @cached_property
    def old(self) -> M | None:
        """The item before, where the stream carries it. Raises InvalidImage."""
        return None if self._old_image is None else self.model.read(decode(self._old_image))

    @property
    def unchanged(self) -> bool:
        """Whether the document is what it was: nothing that the model takes of the item differs."""
        old, new = self._old_image, self._new_image
        if old is None or new is None:
            return False
        if self.model.is_open():
            return old == new
        return all(old.get(name) == new.get(name) for name in self.model.model_fields)

    def document(self, sink: type[Sink], target: str) -> Iterator[Planned]:
        """`target` holds the item's document, or nothing once the item is gone.

        No op where that is what it held before, and the sink wants no such ones.
        """
        if self.new is None:
            yield self.delete(sink, target)
        elif self.unchanged and skips_equal(sink):
            self.equal += 1
        else:
            yield self.put(sink, target, self.new.document())

    def put(
        self, sink: type[Sink], target: str, body: bytes, *, document_id: str | None = None
    ) -> Planned:
        """`target` holds *body* under the id made of the keys, or under *document_id*."""
        return sink, Op(self.source, target, document_id or self.id, body, self.version)

    def delete(self, sink: type[Sink], target: str, *, document_id: str | None = None) -> Planned:
        """`target` holds nothing under that id."""
        return sink, Op(self.source, target, document_id or self.id, None, self.version)
