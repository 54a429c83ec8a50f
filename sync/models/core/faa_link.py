"""Links from FAA airframes to ICAO types, which are counted (requirements S3.6)."""

from collections.abc import Iterator
from dataclasses import dataclass

from sync.model import Change, Keyword, Model, Op, route
from sync.sinks.counters import Counted, Counters


@dataclass(frozen=True)
class IcaoType(Counted, target="icao_entity_matcher", partition="ICAO#MATCHER", prefix="TYPE"):
    """The counter of the links to one ICAO type, manufacturer and model."""

    type_designator: str
    manufacturer: str
    model: str


@route(
    "core",
    PK=r"FAA#LINKS",
    SK=r"MFR_MDL_CODE#.+#SN#.+",
    into={Counters: IcaoType.target},
)
class FaaLink(Model):
    """The ICAO names of an FAA manufacturer-and-model code and serial number.

    `MFR_MDL_CODE#{code}#SN#{serial number}`. A link is counted if it has all three names.
    """

    type_designator: Keyword | None = None
    manufacturer: Keyword | None = None
    model: Keyword | None = None

    @classmethod
    def plan(cls, change: Change["FaaLink"]) -> Iterator[Op]:
        """One op: what the link contributes to, or that it no longer contributes."""
        link = change.new
        if link and link.type_designator and link.manufacturer and link.model:
            counted = IcaoType(link.type_designator, link.manufacturer, link.model)
            yield change.put(Counters, IcaoType.target, counted.body())
        else:
            yield change.delete(Counters, IcaoType.target)
