"""Compares counters with the links they count, and default images with the existing images.

What should be there is computed from the items, by requirements S3.5 and S3.6.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

Items = Iterable[tuple[str, Mapping[str, Any]]]
"""Items of all tables, each with the short name of its table."""

_NAMES: Final = ("type_designator", "manufacturer", "model")
_ENTITY: Final = re.compile(
    r"IMAGES#ORG#(?P<org_id>[^#]+)#ENTITY#(?P<entity_type>ICAO|REGISTRATION)#ID#(?P<entity_id>.+)",
    re.DOTALL,
)


@dataclass(slots=True)
class CounterReport:
    """The number of counters, and for each wrong one, how it differs from the links."""

    counters: int = 0
    drift: list[str] = field(default_factory=list)


def check_counters(items: Items) -> CounterReport:
    """Count the links among *items*, and compare the counters among them with that."""
    links: Counter[tuple[str, ...]] = Counter()
    rows: list[Mapping[str, Any]] = []
    for table, item in items:
        if table != "core":
            continue
        if item["PK"] == "FAA#LINKS" and re.fullmatch("MFR_MDL_CODE#.+#SN#.+", item["SK"], re.S):
            if all(isinstance(item.get(name), str) and item[name] for name in _NAMES):
                links[tuple(item[name] for name in _NAMES)] += 1
        elif item["PK"] == "ICAO#MATCHER":
            rows.append(item)
    report = CounterReport(len(rows))
    for row in rows:
        names = _read_counter(row)
        if names is None:
            report.drift.append(f"{row['SK']}: not a counter of its key")
            continue
        counted = links.pop(names, 0)
        held = row.get("count")
        if not isinstance(held, Decimal) or held != counted or not counted:
            report.drift.append(f"{' / '.join(names)}: {counted} links, and {held!s} counted")
    report.drift += [
        f"{' / '.join(names)}: {n} links, and no counter" for names, n in links.items()
    ]
    return report


def _read_counter(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of the type that *row* counts links of; None if its key has other names."""
    names = [row.get(name) for name in _NAMES]
    if not all(isinstance(name, str) for name in names):
        return None
    texts = tuple(map(str, names))
    key = "#".join(["TYPE", *(quote(text, safe="") for text in texts)])
    return texts if row["SK"] == key else None


@dataclass(slots=True)
class ImageReport:
    """The number of entities with images, and a fault for each wrong default image."""

    entities: int = 0
    invalid: list[str] = field(default_factory=list)


def check_default_images(items: Items) -> ImageReport:
    """Compare the default images among *items* with the images among them.

    An entity with images has a default row and a copy of it for readers. Both name the same image,
    which may be any that exists. An entity without images has neither.
    """
    core = {(item["PK"], item["SK"]): item for table, item in items if table == "core"}
    images: dict[str, set[str]] = {}
    found: dict[tuple[str, str], Mapping[str, Any]] = {}  # default rows and copies, by key
    for (partition, sort_key), item in core.items():
        if sort_key.startswith("IMG#") and _ENTITY.fullmatch(partition):
            images.setdefault(partition, set()).add(sort_key)
        elif partition.startswith("DEFAULT_IMAGES#") or (
            sort_key == "DEFAULT" and partition.startswith("IMAGES#")
        ):
            found[partition, sort_key] = item
    report = ImageReport(len(images))
    for partition, there in images.items():
        report.invalid += _faults(partition, there, found)
    report.invalid += [f"{key[0]} {key[1]}: of an entity without images" for key in found]
    return report


def _faults(
    partition: str, images: set[str], found: dict[tuple[str, str], Mapping[str, Any]]
) -> Iterator[str]:
    """Remove an entity's default row and its copy from *found*, and yield what is wrong there."""
    match = _ENTITY.fullmatch(partition)
    names = match.groupdict() if match else {}
    copy_partition = f"DEFAULT_IMAGES#ORG#{names['org_id']}#ENTITY#{names['entity_type']}"
    row = found.pop((partition, "DEFAULT"), None)
    copy = found.pop((copy_partition, f"ID#{names['entity_id']}"), None)
    for what, one in (("default row", row), ("copy for readers", copy)):
        if one is None:
            yield f"{partition}: no {what}"
        elif one.get("image") not in images:
            yield f"{partition}: its {what} points to {one.get('image')!s}, which is not there"
        elif any(one.get(name) != value for name, value in names.items()):
            yield f"{partition}: its {what} names another entity"
    if row and copy and row.get("image") != copy.get("image"):
        yield f"{partition}: default row and copy point to different images"
