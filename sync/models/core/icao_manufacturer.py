"""Aircraft manufacturers of ICAO Doc 8643 (requirements S3.4)."""

from sync.model import Model, Text, route
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense


@route(
    "core",
    PK=r"ICAO#MANUFACTURERS",
    SK=r"MFR#.+",
    into={OpenSearch: "icao_manufacturers", Typesense: "icao_manufacturers"},
)
class IcaoManufacturer(Model):
    """A manufacturer and the number of its types, `MFR#{name}`."""

    name: Text
    type_count: int
