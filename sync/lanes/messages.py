"""The messages of lanes: JSON with a list of actions."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from sync.aws.batches import batches
from sync.aws.keys import Source, keys_in
from sync.errors import RecordError
from sync.recovery.parking import moment
from sync.runtime.jsontext import strict
from sync.writing.op import Op

SCHEMA: Final = 1  # messages outlive deploys: readers check it first
MAX_BYTES: Final = 250_000  # of a message; SQS allowed 256 KB before it allowed 1 MiB

_HEAD: Final = f'{{"schema":{SCHEMA},"actions":['
_TAIL: Final = "]}"


@dataclass(frozen=True, slots=True)
class Action:
    """An op as a message contains it: upsert or delete one document.

    An upsert without *document* was too large for a message; the worker reads the item instead.
    """

    action: str  # upsert or delete
    collection: str  # the op's target
    id: str
    document: bytes | None
    version: int
    source: Source
    since_s: float | None = None  # epoch seconds; when its key was first parked, if it was

    @classmethod
    def of(cls, op: Op) -> Self:
        """The action of *op*, with the whole document."""
        action = "delete" if op.body is None else "upsert"
        return cls(action, op.target, op.id, op.body, op.version, op.source, op.since_s)

    @property
    def reads_item(self) -> bool:
        """Whether the document is missing, because it was too large."""
        return self.action == "upsert" and self.document is None

    def op(self, sink: str) -> Op:
        """The op of the action, for the sink called *sink*."""
        return Op(
            sink,
            self.source,
            self.collection,
            self.id,
            self.document,
            self.version,
            self.since_s,
        )

    def text(self) -> str:
        """The action as JSON. Raises UnicodeDecodeError if the document is not UTF-8.

        It is ASCII, so its length is its size in bytes, and it contains none of the characters that
        SQS refuses.
        """
        value: dict[str, Any] = {
            "action": self.action,
            "collection": self.collection,
            "id": self.id,
            "version": self.version,
            "source": {"table": self.source.table, "keys": self.source.keys},
        }
        if self.document is not None:  # a string: byte for byte, and malformed JSON harms no other
            value["document"] = self.document.decode()
        if self.since_s is not None:
            value["since"] = self.since_s
        return strict(value)

    def fitting_text(self) -> str:
        """`text`, but without the document if that is too large for a message."""
        text = self.text()
        if len(text) <= MAX_BYTES - len(_HEAD) - len(_TAIL):
            return text
        return replace(self, document=None).text()

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Parse an action. Raises LookupError, TypeError, ValueError or OverflowError."""
        action, document, since_s = value["action"], value.get("document"), value.get("since")
        if action not in ("upsert", "delete") or (action == "delete" and document is not None):
            raise ValueError(f"neither an upsert nor a delete: {action!r}")
        source = value["source"]
        keys = keys_in(source["keys"])
        if keys is None or not isinstance(document, str | None):
            raise TypeError("the keys are malformed, or the document is not a string")
        return cls(
            action=action,
            collection=_text(value["collection"]),
            id=_text(value["id"]),
            document=None if document is None else document.encode(),
            version=int(value["version"]),
            source=Source(_text(source["table"]), keys),
            since_s=None if since_s is None else moment(since_s),  # older releases omit it
        )


def pack(texts: Iterable[tuple[Op, str]]) -> Iterator[tuple[str, list[Op]]]:
    """Pack ops and the JSON of their actions into messages, in order; yields each with its ops."""
    for part in batches(
        texts,
        most=MAX_BYTES,  # never reached: only the size limits a message
        most_bytes=MAX_BYTES - len(_HEAD) - len(_TAIL) + 1,
        size=lambda each: len(each[1]) + 1,  # and a comma, which the last one lacks
    ):
        yield _HEAD + ",".join(text for _, text in part) + _TAIL, [op for op, _ in part]


def read(body: str) -> Sequence[Action]:
    """Parse a message. Raises RecordError if *body* is malformed or of a newer schema."""
    try:
        value = json.loads(body)
        if value["schema"] > SCHEMA:
            raise RecordError(f"a message of schema {value['schema']!r:.20}; this is {SCHEMA}")
        return [Action.read(action) for action in value["actions"]]
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise RecordError(f"not a message of actions: {error!r:.200}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return value
