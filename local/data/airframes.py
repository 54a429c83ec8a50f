"""Aircraft as their makers number them, each of a type that ICAO Doc 8643 lists."""

import random
from collections.abc import Iterator
from typing import Final, NamedTuple


class Kind(NamedTuple):
    """A type of aircraft by its three names, and how its maker numbers airframes.

    In *serials* each `#` stands for a digit. *share* weighs how often the type is drawn.
    """

    type_designator: str
    manufacturer: str
    model: str
    serials: str
    share: int

    @property
    def names(self) -> dict[str, str]:
        """The three names that the counters go by."""
        return {
            "type_designator": self.type_designator,
            "manufacturer": self.manufacturer,
            "model": self.model,
        }


class Airframe(NamedTuple):
    """One aircraft; its code and serial number together identify it."""

    kind: Kind
    mfr_mdl_code: str
    serial_number: str


KINDS: Final = (
    Kind("C172", "CESSNA", "172 Skyhawk", "172#####", 30),
    Kind("C152", "CESSNA", "152", "152#####", 10),
    Kind("C182", "CESSNA", "182 Skylane", "182#####", 14),
    Kind("C208", "CESSNA", "208 Grand Caravan", "208B####", 6),
    Kind("C56X", "CESSNA", "560XL Citation Excel", "560-5###", 3),
    Kind("C525", "CESSNA", "525 CitationJet", "525-0###", 3),
    Kind("P28A", "PIPER", "Cherokee Archer", "28-7####", 16),
    Kind("P28A", "PIPER", "Archer 3", "2843###", 8),
    Kind("PA18", "PIPER", "PA-18 Super Cub", "18-####", 7),
    Kind("PA44", "PIPER", "PA-44 Seminole", "4496###", 4),
    Kind("J3", "PIPER", "J-3 Cub", "#####", 6),
    Kind("SR22", "CIRRUS", "SR-22", "####", 9),
    Kind("SR20", "CIRRUS", "SR-20", "2###", 5),
    Kind("BE36", "BEECH", "A36 Bonanza 36", "E-####", 7),
    Kind("BE20", "BEECH", "200 Super King Air", "BB-####", 4),
    Kind("B350", "BEECH", "Super King Air 350", "FL-###", 3),
    Kind("M20P", "MOONEY", "M-20", "24-####", 5),
    Kind("DA40", "DIAMOND", "DA-40 Diamond Star", "40.####", 5),
    Kind("DA42", "DIAMOND", "DA-42 Twin Star", "42.###", 2),
    Kind("RV7", "VAN'S", "RV-7", "7####", 5),
    Kind("DR40", "ROBIN", "DR-400 Chevalier", "####", 3),
    Kind("PC12", "PILATUS", "PC-12", "1###", 4),
    Kind("TBM9", "DAHER", "TBM-940", "1###", 2),
    Kind("DC3", "DOUGLAS", "DC-3", "4###", 1),
    Kind("SPIT", "SUPERMARINE", "Spitfire", "CBAF.####", 1),
    Kind("R44", "ROBINSON", "R-44 Raven", "####", 6),
    Kind("R22", "ROBINSON", "R-22 Beta", "####", 4),
    Kind("B407", "BELL", "407", "53###", 3),
    Kind("EC35", "AIRBUS HELICOPTERS", "H-135", "2###", 2),
    Kind("B738", "BOEING", "737-800", "3####", 9),
    Kind("B744", "BOEING", "747-400", "2####", 2),
    Kind("B748", "BOEING", "747-8", "3####", 1),
    Kind("B77W", "BOEING", "777-300ER", "4####", 4),
    Kind("A320", "AIRBUS", "A-320", "####", 8),
    Kind("A20N", "AIRBUS", "A-320neo", "1####", 5),
    Kind("A359", "AIRBUS", "A-350-900 XWB", "###", 3),
    Kind("BCS3", "AIRBUS", "A-220-300", "55###", 3),
    Kind("E75L", "EMBRAER", "175 (long wing)", "170-00###", 5),
    Kind("CRJ9", "CANADAIR", "Regional Jet CRJ-900", "15###", 3),
    Kind("DH8D", "DE HAVILLAND CANADA", "Dash 8 (400)", "4###", 2),
    Kind("AT76", "ATR", "ATR-72-600", "1###", 2),
    Kind("GLF6", "GULFSTREAM AEROSPACE", "Gulfstream G650", "6###", 2),
    Kind("FA7X", "DASSAULT", "Falcon 7X", "###", 1),
)


def _codes() -> Iterator[tuple[str, Kind]]:
    """A code for each kind: three digits for the maker, two for the model, two for the series.

    The FAA numbers aircraft in the same way (ACFTREF.txt of its registry).
    """
    makers = sorted({kind.manufacturer for kind in KINDS})
    for number, kind in enumerate(KINDS):
        yield f"{makers.index(kind.manufacturer) * 29 + 52:03}{number + 11:02}01", kind


BY_CODE: Final = dict(_codes())


def airframes(count: int, dice: random.Random) -> list[Airframe]:
    """*count* different airframes, drawn by the shares of their types."""
    codes = list(BY_CODE)
    shares = [kind.share for kind in BY_CODE.values()]
    made: dict[tuple[str, str], Airframe] = {}
    while len(made) < count:
        (code,) = dice.choices(codes, shares)
        serial = filled(BY_CODE[code].serials, dice)
        made.setdefault((code, serial), Airframe(BY_CODE[code], code, serial))
    return list(made.values())


def filled(template: str, dice: random.Random) -> str:
    """*template* with a digit for each `#` and a letter for each `@`."""
    drawn = {"#": "0123456789", "@": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return "".join(dice.choice(drawn[one]) if one in drawn else one for one in template)
