"""Images of registered aircraft (requirements S3.4, S3.5)."""

from collections.abc import Iterator
from typing import Self

from sync.aws.attributes import key_text
from sync.model import Change, Op, route
from sync.models.core.entity_image import POINTERS, EntityImage
from sync.sinks.default_image import DefaultImage
from sync.sinks.typesense import Typesense

_SEARCHED = "IMAGES#ORG#SYSTEM#"  # images of other organisations are not searched


@route(
    "core",
    PK=r"IMAGES#ORG#[^#]+#ENTITY#REGISTRATION#ID#.+",
    SK=r"IMG#.*",
    into={DefaultImage: POINTERS, Typesense: "aircraft_images"},
)
class RegistrationImage(EntityImage):
    """An image of one aircraft, by any organisation; those of SYSTEM can be searched."""

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        """The default image of the aircraft, and the document of an image of SYSTEM."""
        yield from super().plan(change)
        if key_text(change.source.keys["PK"]).startswith(_SEARCHED):
            yield from change.document(Typesense, "aircraft_images")
