"""Images of ICAO aircraft types (requirements S3.5)."""

from sync.model import route
from sync.models.core.entity_image import POINTERS, EntityImage
from sync.sinks.default_image import DefaultImage


@route(
    "core",
    PK=r"IMAGES#ORG#[^#]+#ENTITY#ICAO#ID#.+",
    SK=r"IMG#.*",
    into={DefaultImage: POINTERS},
)
class IcaoImage(EntityImage):
    """An image of an aircraft type, by any organisation; the newest has the last sort key."""
