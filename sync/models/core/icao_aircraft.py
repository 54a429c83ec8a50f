"""Aircraft types of ICAO Doc 8643 (requirements S3.4)."""

from sync.model import Keyword, Model, Text, route
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense


@route(
    "core",
    PK=r"ICAO#AIRCRAFT",
    SK=r"TYPE#.+",
    into={OpenSearch: "icao_aircraft", Typesense: "icao_aircraft"},
)
class IcaoAircraft(Model):
    """A manufacturer's model and its designator, `TYPE#{designator}#{manufacturer}#{model}`."""

    type_designator: Keyword
    manufacturer: Text
    model: Text
    description: Keyword | None = None
    engine_type: Keyword | None = None
    engine_count: Keyword | None = None  # text, since Doc 8643 has letters too
    wake_turbulence_category: Keyword | None = None
