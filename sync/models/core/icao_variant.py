"""Spellings of ICAO aircraft types, for suggestions as one types; no sink's (requirements S3.4)."""

from sync.model import Model, route


@route("stream-sync-{stage}-core", PK=r"ICAO#VARIANTS", SK=r".+", into={})
class IcaoVariant(Model):
    """Known, so that it counts as matched; a collection of None in the source system."""
