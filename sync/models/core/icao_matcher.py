"""Rows that the counters sink writes: numbers of FAA links to an ICAO type."""

from sync.model import Model, route


@route("core", PK=r"ICAO#MATCHER", SK=r"TYPE#.+", into={})
class IcaoMatcher(Model):
    """A derived counter, `TYPE#{type_designator}#{manufacturer}#{model}`; it goes to no sink."""
