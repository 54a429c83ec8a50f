"""The attribute codec against boto3, to values and to JSON.

To values: boto3's TypeDeserializer. To JSON: that, and json.dumps with the cheapest default for
what it leaves, which rounds numbers to floats; the codec's are exact. Items are parsed from JSON
as Lambda does it, and differ, so that no case profits from seeing the same one again.
"""

import json
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from benchmarks.ratio import compare, table
from sync.aws.attributes import decode, dumps

Image = dict[str, dict[str, Any]]

ITEMS = 50  # different ones in each call
_deserialize: Callable[[Any], Any] = TypeDeserializer().deserialize  # its stubs want exact shapes


def boto3_decode(image: Image) -> dict[str, Any]:
    return {name: _deserialize(av) for name, av in image.items()}


def decode_to_json(image: Image) -> bytes:
    return dumps(decode(image))


def boto3_to_json(image: Image) -> bytes:
    return json.dumps(boto3_decode(image), default=_default).encode()


def _default(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else list(value)


def product(chance: random.Random) -> dict[str, Any]:
    """25 attributes, with a map and lists inside."""
    number = chance.randrange(100_000)
    return {
        "productId": f"product-{number:06}",
        "title": f"Trail running shoe {number}, waterproof",
        "slug": f"trail-running-shoe-{number}",
        "description": "A light shoe with a grippy sole, made for wet paths, and the café after.",
        "brand": "Nordweg",
        "category": "Shoes",
        "sku": f"NW-{number}-42",
        "status": "active",
        "currency": "EUR",
        "price": _cents(chance, 300),
        "salePrice": _cents(chance, 200),
        "stock": chance.randrange(500),
        "rating": _cents(chance, 5),
        "reviews": chance.randrange(3000),
        "weightGrams": chance.randrange(200, 900),
        "active": True,
        "discontinued": False,
        "supplier": None,
        "createdAt": "2026-03-01T08:15:30Z",
        "updatedAt": "2026-11-02T17:45:12Z",
        "tags": ["running", "trail", "waterproof", "unisex"],
        "colours": {"black", "green", "sand"},
        "sizes": list(range(40, 46)),
        "dimensions": {
            "length": _cents(chance, 40),
            "width": _cents(chance, 20),
            "height": _cents(chance, 15),
            "unit": "cm",
        },
        "images": [
            {"url": f"https://cdn.example.com/{number}/{n}.jpg", "width": 1200, "height": 900}
            for n in range(2)
        ],
    }


def aircraft(chance: random.Random) -> dict[str, Any]:
    """An aircraft type: ten short attributes."""
    model = f"A-{chance.randrange(300, 400)}"
    return {
        "PK": "ICAO#AIRCRAFT",
        "SK": f"TYPE#A20N#AIRBUS#{model}",
        "designator": "A20N",
        "manufacturer": "AIRBUS",
        "model": model,
        "description": "LandPlane",
        "engineType": "Jet",
        "engineCount": chance.choice([1, 2, 4]),
        "wtc": chance.choice(["L", "M", "H"]),
        "updatedAt": "2026-11-02T17:45:12Z",
    }


def measurements(chance: random.Random) -> dict[str, Any]:
    """Numbers above all: 20 attributes, two lists, a set, and one that no float holds."""
    return {
        "sensor": f"sensor-{chance.randrange(1000)}",
        "at": 1_793_577_600 + chance.randrange(100_000),
        **{f"metric{n}": _cents(chance, 1000) - 500 for n in range(10)},
        **{f"count{n}": chance.randrange(100_000) for n in range(10)},
        "series": [_cents(chance, 100) for _ in range(30)],
        "histogram": [chance.randrange(1000) for _ in range(20)],
        "channels": {1, 2, 3, 5, 8},
        "total": Decimal("123456789012345678.25") + chance.randrange(1000),
    }


def _cents(chance: random.Random, limit: int) -> Decimal:
    return Decimal(chance.randrange(limit * 100)) / 100


def images(item: Callable[[random.Random], dict[str, Any]]) -> list[Image]:
    chance = random.Random(7)
    serialize: Callable[[Any], Any] = TypeSerializer().serialize
    avs = [serialize(item(chance))["M"] for _ in range(ITEMS)]
    parsed: list[Image] = json.loads(json.dumps(avs, default=list))
    return parsed


def over(read: Callable[[Image], object], items: list[Image]) -> Callable[[], object]:
    def run() -> None:
        for image in items:
            read(image)

    return run


def measure() -> dict[str, dict[str, dict[str, Any]]]:
    """The figures of `ratio.compare` for each kind of item, to values and to JSON."""
    figures = {}
    for item in (product, aircraft, measurements):
        items = images(item)
        figures[f"{item.__name__} to values"] = compare(
            {"TypeDeserializer": over(boto3_decode, items), "decode": over(decode, items)},
            {"decode": 2},
        )
        figures[f"{item.__name__} to JSON"] = compare(
            {
                "TypeDeserializer, json.dumps": over(boto3_to_json, items),
                "decode, dumps": over(decode_to_json, items),
            },
            {"decode, dumps": 3},
        )
    return figures


def report(figures: Mapping[str, Any]) -> str:
    return f"{table(figures)}\n({ITEMS} items in each call)"


if __name__ == "__main__":
    print(report(measure()))
