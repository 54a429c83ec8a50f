"""Each entity's default image: a pointer to one of its images, kept valid (requirements S3.5).

    op → pointer as it stands → newest image → what the pointer should be → one transaction

An op says that something about an entity's images changed, not what: the sink looks. Two calls may
be at one entity at once, since a stream keeps order per item only. So the pointer is read before
the images, and written in a transaction which holds only if it still is as it was read, the image
it left is missing and the one it takes exists: a pointer never dangles, unless its image goes
later, and then that change's own op comes after. The readers' copy is written in that transaction
too, or in one that holds only if the pointer still is what is copied: so an older copy never
replaces a newer one, whichever call is late.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

from sync.aws.attributes import key_text
from sync.aws.clients import EFFECT_S, Clients, client, failures
from sync.aws.items import Items, wire
from sync.aws.keys import MOST_SORT_KEY_BYTES, AttributeMap, Source
from sync.aws.transactions import transact, until_undisturbed
from sync.errors import InvalidImage, RecordError, Refused, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.environment import TABLE, matching
from sync.writing.ids import document_id
from sync.writing.op import Done, Op, Outcome, Result

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

IMAGE: Final = "IMG#"  # how an image's sort key begins
POINTER: Final = "DEFAULT"  # the sort key of an entity's default row

_PARTITION: Final = re.compile(
    r"IMAGES#ORG#(?P<org_id>[^#]+)#ENTITY#(?P<entity_type>[^#]+)#ID#(?P<entity_id>.+)", re.DOTALL
)
Condition = Mapping[str, Any]  # the arguments that carry it
_ABSENT: Final[Condition] = {"ConditionExpression": "attribute_not_exists(PK)"}
_PRESENT: Final[Condition] = {"ConditionExpression": "attribute_exists(PK)"}
_CONTENDED: Final = Throttled("others are at the entity's images")


class Entity(NamedTuple):
    """What images are of. Parts stand in the keys as they are; only the last may hold a `#`."""

    org_id: str
    entity_type: str
    entity_id: str

    @property
    def partition(self) -> str:
        """The hash key of its images and its default row."""
        return f"IMAGES#ORG#{self.org_id}#ENTITY#{self.entity_type}#ID#{self.entity_id}"

    @property
    def lookup(self) -> AttributeMap:
        """The keys of the row that readers find its default image in."""
        return {
            "PK": {"S": f"DEFAULT_IMAGES#ORG#{self.org_id}#ENTITY#{self.entity_type}"},
            "SK": {"S": f"ID#{self.entity_id}"},
        }

    @property
    def op_id(self) -> str:
        """The same for all its images, so that a batch asks once for each entity."""
        return document_id({"PK": {"S": self.partition}}, ["PK"])

    def row(self, sort_key: str) -> AttributeMap:
        """The keys of an item among its images."""
        return {"PK": {"S": self.partition}, "SK": {"S": sort_key}}

    def body(self) -> bytes:
        """The body of an op about it."""
        return json.dumps(
            {**self._asdict(), "pk": self.partition}, separators=(",", ":"), ensure_ascii=False
        ).encode()

    @classmethod
    def of_image(cls, keys: AttributeMap, named: Mapping[str, Any] | None) -> Self:
        """The entity of the image row at *keys*, whose values, if it is there, are *named*.

        It follows from the keys, which is all that is known of a row that is gone. Raises
        RecordError for keys that name none, InvalidImage where the row itself names another.
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
                raise InvalidImage(f"{name} is not the one that the row's key names")
        return entity

    @classmethod
    def read(cls, body: bytes | None) -> Self:
        """From an op's body. Raises Refused."""
        try:
            value = json.loads(body or b"null")
            entity = cls.of_image({"PK": {"S": value["pk"]}}, value)
        except (ValueError, LookupError, TypeError, RecordError) as error:
            raise Refused(f"the body names no entity: {error}") from error
        try:
            longest = len(f"ID#{entity.entity_id}".encode())
        except UnicodeEncodeError as error:
            raise Refused(f"the body holds a lone surrogate: {error.reason}") from error
        if longest > MOST_SORT_KEY_BYTES:
            raise Refused(f"its lookup key would have {longest} bytes, over {MOST_SORT_KEY_BYTES}")
        return entity


@dataclass(frozen=True, slots=True)
class Wanted:
    """An op, read."""

    op: Op
    entity: Entity


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of an entity: first the rows, then the images."""

    pointer: AttributeMap | None  # its default row
    lookup: AttributeMap | None  # the copy for readers
    newest: str | None  # the sort key of its newest image
    valid: bool  # the pointer's image exists

    @property
    def target(self) -> str | None:
        """Where the pointer belongs.

        (1) No image is left: there is no pointer. (2) There is none yet, or (3) its image is
        missing: to the newest. (4) It is valid: it stays.
        """
        return pointed(self.pointer) if self.valid else self.newest

    @property
    def moves(self) -> bool:
        """Whether the default row has to change."""
        return not self.valid and not (self.pointer is None and self.newest is None)


class DefaultImage:
    """Default rows and their copies for readers, in the table that the images are in.

    It keeps no versions and needs none: what it writes follows from the table alone.
    """

    name: ClassVar[str] = "default_image"
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
        given_up: Retry | None = None  # no answer about one entity: none about the next
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
        """The newest image by key order, and whether that of *pointer* exists. Raises Retry."""
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
        """Make pointer and lookup row what they should be. False: another call was faster.

        Raises Retry.
        """
        copy = None if seen.target is None else _entry(entity, entity.lookup, seen.target)
        if not seen.moves and seen.lookup == copy:
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
        if seen.lookup != copy:
            actions.append(self._write(entity.lookup, copy, {}))
        return transact(self._clients, actions, f"setting a default image in {self._table}")

    def _check(self, keys: AttributeMap, condition: Condition) -> "TransactWriteItemTypeDef":
        check: Any = {"TableName": self._table, "Key": keys, **condition}
        return {"ConditionCheck": check}

    def _write(
        self, keys: AttributeMap, item: AttributeMap | None, condition: Condition
    ) -> "TransactWriteItemTypeDef":
        """*item*, or nothing."""
        if item is None:
            delete: Any = {"TableName": self._table, "Key": keys, **condition}
            return {"Delete": delete}
        put: Any = {"TableName": self._table, "Item": item, **condition}
        return {"Put": put}


def pointed(row: AttributeMap | None) -> str | None:
    """The sort key of the image that a default row points to; None where it points to none."""
    image = (row or {}).get("image", {}).get("S", "")
    return image if image.startswith(IMAGE) else None


def _entry(entity: Entity, keys: AttributeMap, image: str) -> AttributeMap:
    """A default row, or its copy: the same but for the keys."""
    names = {name: {"S": value} for name, value in entity._asdict().items()}
    return {**keys, **names, "image": {"S": image}}


def _as_read(pointer: AttributeMap | None) -> Condition:
    """That the default row still is as it was read."""
    if pointer is None:
        return _ABSENT
    if "image" not in pointer:
        return {"ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(image)"}
    return {
        "ConditionExpression": "image = :image",
        "ExpressionAttributeValues": {":image": wire(pointer)["image"]},
    }
