"""Each entity's default image: its default row names one of its images (requirements S3.5).

    op → read the default row → find the newest image → decide → write in one transaction

An op says only which entity's images changed, so the sink reads their present state. A stream keeps
order per item only, so two calls may work on one entity at the same time. The default row is
therefore read before the images, and written in a transaction with three conditions: the row is
unchanged since it was read, the image it named is gone, and the image it names now exists. So a
written default row is valid. If its image is deleted later, that deletion has an op of its own.

The lookup row, a copy that readers query, is written in the same transaction, or in one that
requires an unchanged default row. So a late call never replaces a newer copy by an older one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

from sync.aws.attributes import key_text
from sync.aws.clients import EFFECT_S, Clients, client, failures
from sync.aws.items import Items
from sync.aws.keys import MOST_SORT_KEY_BYTES, AttributeMap, Source
from sync.aws.transactions import transact, until_undisturbed
from sync.aws.wire import wire
from sync.errors import InvalidImage, RecordError, Refused, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.environment import TABLE, matching
from sync.writing.ids import document_id
from sync.writing.op import Done, Op, Outcome, Result

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

IMAGE: Final = "IMG#"  # prefix of an image's sort key
POINTER: Final = "DEFAULT"  # sort key of an entity's default row

_PARTITION: Final = re.compile(
    r"IMAGES#ORG#(?P<org_id>[^#]+)#ENTITY#(?P<entity_type>[^#]+)#ID#(?P<entity_id>.+)", re.DOTALL
)
Condition = Mapping[str, Any]  # arguments of a transaction's action
_ABSENT: Final[Condition] = {"ConditionExpression": "attribute_not_exists(PK)"}
_PRESENT: Final[Condition] = {"ConditionExpression": "attribute_exists(PK)"}
_CONTENDED: Final = Throttled("other calls changed the entity's images at the same time")


class Entity(NamedTuple):
    """What images show, such as an aircraft type.

    Its parts appear unencoded in keys; only *entity_id* may contain a `#`.
    """

    org_id: str
    entity_type: str
    entity_id: str

    @property
    def partition(self) -> str:
        """The partition key of its images and its default row."""
        return f"IMAGES#ORG#{self.org_id}#ENTITY#{self.entity_type}#ID#{self.entity_id}"

    @property
    def lookup(self) -> AttributeMap:
        """The key of its lookup row."""
        return {
            "PK": {"S": f"DEFAULT_IMAGES#ORG#{self.org_id}#ENTITY#{self.entity_type}"},
            "SK": {"S": f"ID#{self.entity_id}"},
        }

    @property
    def op_id(self) -> str:
        """The id of its ops: one for all its images, so a batch keeps one op for each entity."""
        return document_id({"PK": {"S": self.partition}}, ["PK"])

    def row(self, sort_key: str) -> AttributeMap:
        """The key of the item with *sort_key* in its partition."""
        return {"PK": {"S": self.partition}, "SK": {"S": sort_key}}

    def body(self) -> bytes:
        """The body of an op about it, JSON."""
        return json.dumps(
            {**self._asdict(), "pk": self.partition}, separators=(",", ":"), ensure_ascii=False
        ).encode()

    @classmethod
    def of_image(cls, keys: AttributeMap, named: Mapping[str, Any] | None) -> Self:
        """The entity of the image row with *keys*.

        *named*: the row's attributes, decoded; None if the row is gone. The entity follows from
        the keys, since a deleted row leaves nothing else. Raises RecordError for keys that name no
        entity, InvalidImage if *named* contradicts them.
        """
        try:
            partition = key_text(keys["PK"])
        except KeyError:
            raise RecordError("the key attribute 'PK' is missing") from None
        found = _PARTITION.fullmatch(partition)
        if found is None:
            raise RecordError(f"{partition[:200]!r} does not name an org, entity type and id")
        entity = cls(**found.groupdict())
        for name, value in entity._asdict().items():
            if named is not None and named.get(name) not in (None, value):
                raise InvalidImage(f"{name} differs from the one in the row's key")
        return entity

    @classmethod
    def read(cls, body: bytes | None) -> Self:
        """The entity of an op's body. Raises Refused."""
        try:
            value = json.loads(body or b"null")
            entity = cls.of_image({"PK": {"S": value["pk"]}}, value)
        except (ValueError, LookupError, TypeError, RecordError) as error:
            raise Refused(f"the body names no entity: {error}") from error
        longest = len(f"ID#{entity.entity_id}".encode())
        if longest > MOST_SORT_KEY_BYTES:
            raise Refused(f"its lookup key would have {longest} bytes, over {MOST_SORT_KEY_BYTES}")
        return entity


@dataclass(frozen=True, slots=True)
class Wanted:
    """An op, and the entity that it is about."""

    op: Op
    entity: Entity


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of an entity: first its two rows, then its images."""

    pointer: AttributeMap | None  # the default row
    lookup: AttributeMap | None  # the lookup row
    newest: str | None  # the sort key of its newest image
    valid: bool  # the image that the default row names exists

    @property
    def target(self) -> str | None:
        """The sort key of the image that the default row should name; None: no default row.

        The cases of requirements S3.5: (1) no image is left: none; (2) no default row yet, or
        (3) its image is gone: the newest image; (4) its image exists: that image.
        """
        return pointed(self.pointer) if self.valid else self.newest

    @property
    def moves(self) -> bool:
        """Whether the default row has to change."""
        return not self.valid and not (self.pointer is None and self.newest is None)


class DefaultImage:
    """Writes default rows and lookup rows, in the images' own table.

    It keeps no versions and needs none: what it writes follows only from what the table holds.
    """

    name: ClassVar[str] = "default_image"
    compared_by: ClassVar[str] = "resync --sink default_image, which reconciles every entity"
    effect_s = EFFECT_S

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients = clients
        self._table = table
        self._items = Items(clients)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(client, matching(env, "IMAGES_TABLE", TABLE, "a table's name"))

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        wanted = []
        for op in ops:
            try:
                wanted.append(Wanted(op, Entity.read(op.body)))
            except Refused as refused:
                yield Outcome(op, refused)
        settled = until_undisturbed(wanted, lambda left: self._try(left, deadline), deadline)
        yield from (Outcome(each.op, result) for each, result in settled)

    def _try(self, wanted: Sequence[Wanted], deadline: Deadline) -> Iterator[tuple[Wanted, Result]]:
        rows = self._items.read(
            [
                Source(self._table, keys)
                for each in wanted
                for keys in (each.entity.row(POINTER), each.entity.lookup)
            ],
            deadline,
        )
        given_up: Retry | None = None  # a failure for one entity would repeat for the next
        for each in wanted:
            pointer = rows[Source(self._table, each.entity.row(POINTER))]
            lookup = rows[Source(self._table, each.entity.lookup)]
            if isinstance(pointer, Retry):
                yield each, pointer
            elif isinstance(lookup, Retry):
                yield each, lookup
            elif given_up or not deadline.remaining():
                yield each, given_up or Unavailable("no time is left")
            else:
                try:
                    done = self._repair(each.entity, self._look(each.entity, pointer, lookup))
                    yield each, Done.WRITTEN if done else _CONTENDED
                except Retry as error:
                    given_up = error
                    yield each, error

    def _look(
        self, entity: Entity, pointer: AttributeMap | None, lookup: AttributeMap | None
    ) -> Seen:
        """Find the newest image, and whether the image of *pointer* exists. Raises Retry."""
        with failures(f"looking for images in {self._table}"):
            answer = self._clients("dynamodb").query(
                TableName=self._table,
                KeyConditionExpression="PK = :partition AND begins_with(SK, :image)",
                ExpressionAttributeValues={
                    ":partition": {"S": entity.partition},
                    ":image": {"S": IMAGE},
                },
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
                ProjectionExpression="SK",
            )
            newest = answer["Items"][0]["SK"]["S"] if answer["Items"] else None
            image = pointed(pointer)
            valid = image is not None and image == newest
            if image is not None and newest is not None and image < newest:
                valid = "Item" in self._clients("dynamodb").get_item(
                    TableName=self._table,
                    Key=entity.row(image),
                    ConsistentRead=True,
                    ProjectionExpression="SK",
                )
        return Seen(pointer, lookup, newest, valid)

    def _repair(self, entity: Entity, seen: Seen) -> bool:
        """Correct the default row and the lookup row.

        Returns False if another call changed them meanwhile; then nothing is written. Raises Retry.
        """
        lookup = None if seen.target is None else _entry(entity, entity.lookup, seen.target)
        if not seen.moves and seen.lookup == lookup:
            return True
        pointer = entity.row(POINTER)
        actions: list[TransactWriteItemTypeDef] = []
        if seen.moves:
            row = None if seen.target is None else _entry(entity, pointer, seen.target)
            actions.append(self._write(pointer, row, _as_read(seen.pointer)))
            if left := pointed(seen.pointer):
                actions.append(self._check(entity.row(left), _ABSENT))
            if seen.target is not None:
                actions.append(self._check(entity.row(seen.target), _PRESENT))
        else:
            actions.append(self._check(pointer, _as_read(seen.pointer)))
        if seen.lookup != lookup:
            actions.append(self._write(entity.lookup, lookup, {}))
        return transact(self._clients, actions, f"setting a default image in {self._table}")

    def _check(self, keys: AttributeMap, condition: Condition) -> "TransactWriteItemTypeDef":
        check: Any = {"TableName": self._table, "Key": keys, **condition}
        return {"ConditionCheck": check}

    def _write(
        self, keys: AttributeMap, item: AttributeMap | None, condition: Condition
    ) -> "TransactWriteItemTypeDef":
        """Put *item*; without one, delete what *keys* name."""
        if item is None:
            delete: Any = {"TableName": self._table, "Key": keys, **condition}
            return {"Delete": delete}
        put: Any = {"TableName": self._table, "Item": item, **condition}
        return {"Put": put}


def pointed(row: AttributeMap | None) -> str | None:
    """The sort key of the image that a default row names; None if it names none."""
    image = (row or {}).get("image", {}).get("S", "")
    return image if image.startswith(IMAGE) else None


def _entry(entity: Entity, keys: AttributeMap, image: str) -> AttributeMap:
    """A default row or lookup row: they differ only in *keys*."""
    names = {name: {"S": value} for name, value in entity._asdict().items()}
    return {**keys, **names, "image": {"S": image}}


def _as_read(pointer: AttributeMap | None) -> Condition:
    """The condition that the default row is unchanged since it was read."""
    if pointer is None:
        return _ABSENT
    if "image" not in pointer:
        return {"ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(image)"}
    return {
        "ConditionExpression": "image = :image",
        "ExpressionAttributeValues": {":image": wire(pointer)["image"]},
    }
