"""Aircraft on the registers of other states (requirements S3.4)."""

from sync.model import Keyword, Model, Text, route
from sync.sinks.typesense import Typesense


@route(
    "core",
    PK=r"AIRCRAFT#REGISTRY#FOREIGN",
    SK=r"DETAIL#.+",
    into={Typesense: "registry"},
)
class ForeignRegistration(Model):
    """One aircraft, `DETAIL#{registration}`; in the same collection as those of the FAA."""

    registration: Keyword
    country: Keyword | None = None
    serial_number: Keyword | None = None
    manufacturer: Text | None = None
    model: Text | None = None
    type_designator: Keyword | None = None
    year_mfr: Keyword | None = None
    name: Text | None = None  # of the owner
    operator: Text | None = None
    mode_s_code_hex: Keyword | None = None
    status_code: Keyword | None = None
