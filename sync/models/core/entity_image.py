"""Images of entities of any type; each entity has a default image (requirements S3.5)."""

from collections.abc import Iterator
from typing import Self

from sync.errors import InvalidImage
from sync.model import Change, Keyword, Model, Op, Text, Timestamp, route
from sync.sinks.default_image import DefaultImage, Entity

POINTERS = "default_images"


class EntityImage(Model):
    """The fields of all images. A subclass for each entity type has the route.

    It may yield further ops: this plan only brings the entity's default image up to date.
    """

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
        """One op: the default image of the entity, which the keys name, may have changed."""
        named = change.new.model_dump() if change.new else None
        entity = Entity.of_image(change.source.keys, named)
        yield change.put(DefaultImage, POINTERS, entity.body(), document_id=entity.op_id)


@route(
    "core",
    PK=r"IMAGES#.*",
    SK=r"IMG#.*",
    into={},
    is_fallback=True,
)
class UnknownImage(EntityImage):
    """An image that no other model matches. It becomes a dead letter, so that it is noticed."""

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        """Raises RecordError for each image; the sink would see one op for all of an entity."""
        entity = Entity.of_image(change.source.keys, None)  # raises if the keys name none
        raise InvalidImage(f"no model is for images of the entity type {entity.entity_type[:80]!r}")
