"""Images of entities, whatever these are; each has a default one (requirements S3.5)."""

from collections.abc import Iterator
from typing import Self

from sync.errors import InvalidImage
from sync.model import Change, Keyword, Model, Op, Text, Timestamp, route
from sync.sinks.default_image import DefaultImage, Entity

POINTERS = "default_images"


class EntityImage(Model):
    """What all images have. A model for each entity type says where they stand, and what
    besides the default image is made of them."""

    org_id: Keyword
    entity_type: Keyword
    entity_id: Keyword
    url: Keyword | None = None
    caption: Text | None = None
    photographer: Text | None = None
    license: Keyword | None = None
    width: int | None = None
    height: int | None = None
    uploaded_at: Timestamp | None = None

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        """The entity's default image may be another one now. Of which entity, the keys tell."""
        named = change.new.model_dump() if change.new else None
        entity = Entity.of_image(change.source.keys, named)
        yield change.put(DefaultImage, POINTERS, entity.body(), document_id=entity.op_id)


@route(
    "stream-sync-{stage}-core",
    PK=r"IMAGES#.*",
    SK=r"IMG#.*",
    into={},
    is_fallback=True,
)
class UnknownImage(EntityImage):
    """An image that no other model wants: a dead letter, so that it is seen."""

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        """Raises RecordError: here, not in the sink, so that each image's record is told of."""
        entity = Entity.of_image(change.source.keys, None)  # raises where there is none
        raise InvalidImage(f"no model is for images of the entity type {entity.entity_type[:80]!r}")
