"""The catalogue of an aviation shop that does not exist, as items of the product table."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("catalogue.json")

Item = dict[str, Any]


def products(updated_at: str) -> list[Item]:
    """Every product, last changed at *updated_at* (ISO 8601, UTC); prices exact, tags as a set."""
    found: list[Item] = json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal)
    return [{**one, "tags": set(one["tags"]), "updated_at": updated_at} for one in found]
