"""Registers of aircraft, the FAA's and those of other states, as items of the core table.

The registrations are invented, but follow the rules of real ones: every mark, address and code is
valid. A fixed seed makes them the same in every run.
"""

import random
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from local.data import Item
from local.data.airframes import Airframe, Kind, airframes, filled
from local.data.marks import (
    LAST_N_NUMBER,
    LETTERS,
    LONGEST_RESERVED,
    STATES,
    State,
    mode_s_address,
    n_number,
)

FAA: Final = "AIRCRAFT#REGISTRY#FAA"
FOREIGN: Final = "AIRCRAFT#REGISTRY#FOREIGN"

_SEED: Final = 47  # Part 47 of the FAA's regulations is about registration

_CITIES: Final = (  # city, state, ZIP code, FAA region, county
    ("WICHITA", "KS", "67209", "3", "173"),
    ("ANCHORAGE", "AK", "99502", "5", "020"),
    ("SEATTLE", "WA", "98108", "S", "033"),
    ("DENVER", "CO", "80216", "S", "031"),
    ("DALLAS", "TX", "75209", "2", "113"),
    ("CHICAGO", "IL", "60638", "C", "031"),
    ("BOSTON", "MA", "02128", "E", "025"),
    ("LOS ANGELES", "CA", "90045", "4", "037"),
    ("TETERBORO", "NJ", "07608", "1", "003"),
    ("ATLANTA", "GA", "30341", "7", "089"),
)
# fmt: off
_FAMILIES: Final = (
    "ABERNATHY", "BELLWETHER", "CALLOWAY", "DRUMMOND", "ELLSWORTH", "FAIRWEATHER", "GOLDENROD",
    "HAWTHORNE", "IRONSIDE", "JESSUP", "KINGFISHER", "LARKSPUR", "MERRIWEATHER", "NIGHTINGALE",
    "OAKENSHAW", "PENHALIGON", "QUARTERMAINE", "RAVENSCROFT", "SUMMERFIELD", "THISTLEWOOD",
    "UNDERHILL", "VANTERPOOL", "WHITCOMBE", "YARDLEY",
)
_GIVEN: Final = (
    "ADA", "BESSIE", "CHARLES", "DOROTHY", "EUGENE", "FRANCES", "GEORGE", "HARRIET", "JAMES",
)
_PLACES: Final = (
    "BLUE RIDGE", "COPPER CANYON", "EAGLE CREST", "GRANITE PEAK", "HIGH DESERT", "LAKESHORE",
    "NORTHERN LIGHTS", "PRAIRIE WIND", "RED MESA", "SILVER CREEK", "TIDEWATER", "WHITE PINE",
)
# fmt: on
_TRADES: Final = ("AVIATION", "AIR CHARTER", "FLYING SERVICE", "FLIGHT TRAINING", "AERO LEASING")
_OPERATORS: Final = ("Meridian Airways", "Polaris Air", "Kestrel Airlines", "Southern Cross Jet")
_ENGINE_CODES: Final = {"Piston": "1", "Turboprop/Turboshaft": "2", "Jet": "5", "Electric": "10"}


def faa(count: int, types: Iterable[Mapping[str, Any]]) -> list[Item]:
    """*count* registrations; *types* are the ICAO aircraft types, which know the engines."""
    dice = random.Random(_SEED)  # noqa: S311 - data, not secrets
    known = {(t["type_designator"], t["manufacturer"], t["model"]): t for t in types}
    places = iter(dice.sample(range(LAST_N_NUMBER + 1), LAST_N_NUMBER // 100))
    free = (place for place in places if len(n_number(place)) > LONGEST_RESERVED)
    return [
        _faa_item(next(free), airframe, known[airframe.kind[:3]], dice)
        for airframe in airframes(count, dice)
    ]


def _faa_item(place: int, airframe: Airframe, icao: Mapping[str, Any], dice: random.Random) -> Item:
    registration, address = n_number(place), mode_s_address(place)
    name, registrant = _owner(dice)
    city, state, zip_code, region, county = dice.choice(_CITIES)
    made = dice.randint(1958, 2024)
    issued = date(max(made, 2016), 1, 1) + timedelta(dice.randrange(700))
    acted = issued + timedelta(dice.randrange(400))
    engine = _ENGINE_CODES[icao["engine_type"]]
    rotor = icao["description"] == "Helicopter"
    item: Item = {
        "PK": FAA,
        "SK": f"DETAIL#{registration}",
        "registration": registration,
        "n_number": registration[1:],
        "serial_number": airframe.serial_number,
        "mfr_mdl_code": airframe.mfr_mdl_code,
        "eng_mfr_mdl": f"{dice.choice((17, 41, 52))}{dice.randint(1, 199):03}",
        "year_mfr": str(made),
        "type_registrant": registrant,
        "name": name,
        "street": f"{dice.randint(100, 9_999)} {dice.choice(_PLACES)} RD",
        "city": city,
        "state": state,
        "zip_code": zip_code,
        "region": region,
        "county": county,
        "country": "US",
        "last_action_date": f"{acted:%Y%m%d}",
        "cert_issue_date": f"{issued:%Y%m%d}",
        "certification": "1N",
        "type_aircraft": "6" if rotor else "4" if icao["engine_count"] == "1" else "5",
        "type_engine": "3" if rotor and engine == "2" else engine,
        "status_code": "V",
        "mode_s_code": f"{address:08o}",
        "mode_s_code_hex": f"{address:06X}",
        "air_worth_date": f"{date(made, 1, 1) + timedelta(dice.randrange(300)):%Y%m%d}",
        "expiration_date": f"{issued + timedelta(7 * 365):%Y%m%d}",
        "unique_id": f"{place + 10_000:08}",
    }
    if dice.random() < 0.2:
        item["street2"] = f"HANGAR {dice.randint(1, 60)}"
    if registrant == "4":
        item["other_names"] = [_owner(dice)[0] for _ in range(dice.randint(1, 3))]
    if airframe.kind.manufacturer == "VAN'S":
        item |= {"certification": "42", "kit_mfr": "VANS AIRCRAFT INC", "kit_model": "RV-7"}
    return item


def foreign(count: int) -> list[Item]:
    """*count* registrations of other states; no two have the same mark."""
    dice = random.Random(_SEED + 1)  # noqa: S311 - data, not secrets
    marks: dict[str, State] = {}
    while len(marks) < count:
        state = dice.choice(STATES)
        marks.setdefault(filled(state.marks, dice), state)
    addresses = {state: dice.sample(range(state.first, state.last + 1), count) for state in STATES}
    made = airframes(count, dice)
    return [
        _foreign_item(mark, state, addresses[state].pop(), airframe, dice)
        for (mark, state), airframe in zip(marks.items(), made, strict=True)
    ]


def _foreign_item(
    mark: str, state: State, address: int, airframe: Airframe, dice: random.Random
) -> Item:
    item: Item = {
        "PK": FOREIGN,
        "SK": f"DETAIL#{mark}",
        "registration": mark,
        "country": state.country,
        "serial_number": airframe.serial_number,
        **airframe.kind.names,
        "year_mfr": str(dice.randint(1958, 2024)),
        "name": _owner(dice)[0].title(),
        "mode_s_code_hex": f"{address:06X}",
        "status_code": "V",
    }
    if is_airliner(airframe.kind):
        item["operator"] = dice.choice(_OPERATORS)
    return item


def is_airliner(kind: Kind) -> bool:
    return kind.manufacturer in ("AIRBUS", "BOEING", "EMBRAER", "CANADAIR", "ATR")


def sold(item: Mapping[str, Any], dice: random.Random) -> Item:
    """The registration *item* with another owner, the most frequent change of a register."""
    name, registrant = _owner(dice)
    if item["PK"] == FOREIGN:
        return {**item, "name": name.title()}
    return {**item, "name": name, "type_registrant": registrant}


def _owner(dice: random.Random) -> tuple[str, str]:
    """A name, and the FAA's code for that kind of registrant."""
    kind = dice.choices(("1", "3", "4", "7"), (5, 2, 1, 3))[0]
    if kind in "14":
        middle = dice.choice(LETTERS)
        return f"{dice.choice(_FAMILIES)} {dice.choice(_GIVEN)} {middle}", kind
    ending = "INC" if kind == "3" else "LLC"
    return f"{dice.choice(_PLACES)} {dice.choice(_TRADES)} {ending}", kind
