"""Links from airframes of the FAA's register to ICAO types, as items of the core table."""

import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

from local.data import Item
from local.data.airframes import BY_CODE, KINDS

PARTITION: Final = "FAA#LINKS"
NAMES: Final = ("type_designator", "manufacturer", "model")

_UNMATCHED: Final = 0.1  # share of the links that lack one of the names
_SEED: Final = 3


def links(registrations: Iterable[Mapping[str, Any]]) -> list[Item]:
    """One link for each of the FAA's *registrations*.

    About one link in ten lacks a name: the attribute is missing, or null.
    """
    dice = random.Random(_SEED)  # noqa: S311 - data, not secrets
    return [_link(registration, dice) for registration in registrations]


def _link(registration: Mapping[str, Any], dice: random.Random) -> Item:
    code, serial = registration["mfr_mdl_code"], registration["serial_number"]
    item: Item = {
        "PK": PARTITION,
        "SK": f"MFR_MDL_CODE#{code}#SN#{serial}",
        "mfr_mdl_code": code,
        "serial_number": serial,
        **BY_CODE[code].names,
    }
    if dice.random() < _UNMATCHED:
        lacking = dice.choice(NAMES)
        if dice.random() < 0.5:
            del item[lacking]
        else:
            item[lacking] = None
    return item


def moved(link: Mapping[str, Any], dice: random.Random) -> Item:
    """*link* with the names of another type, drawn at random."""
    others = [kind for kind in KINDS if kind.names.items() - link.items()]
    return {**link, **dice.choice(others).names}
