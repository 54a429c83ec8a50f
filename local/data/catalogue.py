"""The catalogue of an invented aviation shop, as items of the product table."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Final

from local.data import Item

FILE: Final = Path(__file__).with_name("catalogue.json")


def products(updated_at: str) -> list[Item]:
    """Every product, with *updated_at* (ISO 8601, UTC), its exact price, and its tags as a set."""
    found: list[Item] = json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal)
    return [{**one, "tags": set(one["tags"]), "updated_at": updated_at} for one in found]
