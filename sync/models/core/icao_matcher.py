"""How many FAA links name a type, manufacturer and model: what the counters sink writes."""

from sync.model import Model, route


@route("stream-sync-{stage}-core", PK=r"ICAO#MATCHER", SK=r"TYPE#.+", into={})
class IcaoMatcher(Model):
    """A counter, `TYPE#{type_designator}#{manufacturer}#{model}`; derived, so no sink gets it."""
