"""Spellings of ICAO aircraft types, for suggestions while typing (requirements S3.4)."""

from sync.model import Model, route


@route("core", PK=r"ICAO#VARIANTS", SK=r".+", into={})
class IcaoVariant(Model):
    """Goes to no sink; it has a model so that its records count as matched."""
