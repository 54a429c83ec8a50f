"""Rows that the default image sink writes: pointers to default images, and copies for readers."""

from sync.model import Model, route


@route("core", PK=r"IMAGES#.+", SK=r"DEFAULT", into={})
class DefaultEntityImage(Model):
    """The pointer to an entity's default image. Derived by this service, so it goes to no sink."""


@route("core", PK=r"DEFAULT_IMAGES#ORG#.+#ENTITY#.+", SK=r"ID#.+", into={})
class DefaultImageLookup(Model):
    """A copy of the pointer, with which readers list an organisation's default images."""
