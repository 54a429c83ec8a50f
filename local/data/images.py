"""Images of aircraft and of their types, as items of the core table; their URLs lead nowhere.

An image's sort key begins with the time of its upload, so the newest image sorts last.
"""

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from local.data import Item
from local.data.airframes import KINDS, Kind

SYSTEM: Final = "SYSTEM"  # the organisation whose images are searched
CLUB: Final = "AEROCLUB-HIGH-DESERT"  # an organisation whose images are its own

_SEED: Final = 1903
_SIZES: Final = ((1_600, 1_067), (2_048, 1_365), (3_840, 2_160), (1_024, 1_024))
_PHOTOGRAPHERS: Final = ("Ida Marsh", "Theo Lindqvist", "R. Okafor", "Mara Kestrel", "J. Pruitt")
_LICENSES: Final = ("CC BY 4.0", "CC BY-SA 4.0", "CC0 1.0", "all rights reserved")
_SCENES: Final = (
    "on short final at dusk",
    "taxiing to the hangar",
    "parked on a wet apron",
    "over a snowy ridge",
    "at the fuel pump",
    "lifting off in early fog",
    "with its cowling off",
)
_SINCE: Final = datetime(2023, 1, 1, tzinfo=UTC)
_DAYS: Final = 900


class Camera:
    """Makes images; each is later than the entity's images before it."""

    def __init__(self) -> None:
        self._dice = random.Random(_SEED)  # noqa: S311 - data, not secrets
        self._last: dict[str, datetime] = {}

    def image(self, org: str, entity_type: str, entity_id: str, what: str) -> Item:
        """The next image of an entity. The caption begins with *what*."""
        dice = self._dice
        partition = f"IMAGES#ORG#{org}#ENTITY#{entity_type}#ID#{entity_id}"
        before = self._last.get(partition, _SINCE + timedelta(dice.randrange(_DAYS)))
        taken = before + timedelta(seconds=dice.randint(1, 90_000))
        self._last[partition] = taken
        moment = f"{taken:%Y-%m-%dT%H:%M:%SZ}"
        width, height = dice.choice(_SIZES)
        return {
            "PK": partition,
            "SK": f"IMG#{moment}#{dice.getrandbits(32):08x}",
            "org_id": org,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "url": f"https://images.example.org/{org}/{entity_id}/{dice.getrandbits(48):012x}.jpg",
            "caption": f"{what} {dice.choice(_SCENES)}",
            "photographer": dice.choice(_PHOTOGRAPHERS),
            "license": dice.choice(_LICENSES),
            "width": width,
            "height": height,
            "uploaded_at": moment,
        }

    def album(self, registrations: Iterable[Mapping[str, Any]]) -> list[Item]:
        """Up to four images of each registration, and up to three of each type of aircraft.

        Every fifth registration's images belong to the club, all others to the service.
        """
        images = []
        for number, one in enumerate(registrations):
            org = CLUB if number % 5 == 0 else SYSTEM
            count = self._dice.randint(1, 4)
            images += [self.of_registration(org, one["registration"]) for _ in range(count)]
        for kind in KINDS:
            count = self._dice.randint(1, 3)
            images += [self.of_type(kind) for _ in range(count)]
        return images

    def of_type(self, kind: Kind) -> Item:
        """The service's next image of a type of aircraft."""
        what = f"A {kind.manufacturer.title()} {kind.model}"
        return self.image(SYSTEM, "ICAO", kind.type_designator, what)

    def of_registration(self, org: str, registration: str) -> Item:
        """The next image that *org* has of an aircraft."""
        return self.image(org, "REGISTRATION", registration, registration)
