"""Default images, as pointers and as readers find them: what the default image sink writes."""

from sync.model import Model, route


@route("stream-sync-{stage}-core", PK=r"IMAGES#.+", SK=r"DEFAULT", into={})
class DefaultEntityImage(Model):
    """Which of an entity's images is the default one; derived, so no sink gets it."""


@route("stream-sync-{stage}-core", PK=r"DEFAULT_IMAGES#ORG#.+#ENTITY#.+", SK=r"ID#.+", into={})
class DefaultImageLookup(Model):
    """Its copy, by which readers list an organisation's default images."""
