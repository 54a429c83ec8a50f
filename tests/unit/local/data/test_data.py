"""The data of the demo is made up, but valid and consistent, and the same each time."""

import random
import re
from typing import Any

import pytest

from local.data import links, marks, registry
from local.data.aircraft import aircraft_types, rows
from local.data.airframes import KINDS
from local.data.images import CLUB, SYSTEM, Camera
from sync.model.model import Model
from sync.models.core.faa_link import FaaLink
from sync.models.core.faa_registry import FaaRegistration
from sync.models.core.foreign_registry import ForeignRegistration
from sync.models.core.registration_image import RegistrationImage

N_NUMBER = re.compile(r"N[1-9](\d{0,4}|\d{0,3}[A-HJ-NP-Z]|\d{0,2}[A-HJ-NP-Z]{2})")

TYPES = aircraft_types(rows())
FAA = registry.faa(1_400, TYPES)
FOREIGN = registry.foreign(500)


@pytest.mark.parametrize(
    ("mark", "address"),
    [
        ("N1", 0xA00001),
        ("N1A", 0xA00002),
        ("N12345", 0xA061D9),
        ("N628TS", 0xA835AF),
        ("N757AF", 0xAA3410),
        ("N99999", 0xADF7C7),
    ],
)
def test_n_numbers_have_the_addresses_of_real_aircraft(mark: str, address: int) -> None:
    """The FAA gives addresses in the order of marks; these pairs are public."""
    place = address - marks.mode_s_address(0)
    assert marks.n_number(place) == mark


def test_every_n_number_is_valid_and_its_own() -> None:
    """No I or O, five characters at most, letters last; a thousand of each end and some between."""
    last = marks.LAST_N_NUMBER
    places = [*range(1_000), *range(0, last, 97), *range(last - 1_000, last + 1)]
    made = [marks.n_number(place) for place in places]
    assert all(N_NUMBER.fullmatch(mark) for mark in made)
    assert len(set(made)) == len(set(places))
    for place in (-1, last + 1):
        with pytest.raises(ValueError, match="no N-number"):
            marks.n_number(place)


def test_mode_s_codes_agree_with_each_other_and_with_the_mark() -> None:
    """Octal and hexadecimal are one address, and the mark is what is registered there."""
    for item in FAA:
        address = int(item["mode_s_code_hex"], 16)
        assert int(item["mode_s_code"], 8) == address
        place = address - marks.mode_s_address(0)
        assert item["registration"] == marks.n_number(place) == f"N{item['n_number']}"
        assert not re.fullmatch(r"N\d{1,2}", item["registration"])  # the FAA's own


def test_foreign_aircraft_stand_in_the_block_of_their_state() -> None:
    """Each address once, in the block that ICAO gave the state."""
    blocks = {state.country: range(state.first, state.last + 1) for state in marks.STATES}
    addresses = [int(item["mode_s_code_hex"], 16) for item in FOREIGN]
    for item, address in zip(FOREIGN, addresses, strict=True):
        assert address in blocks[item["country"]]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize(
    ("model", "items"),
    [
        (FaaRegistration, FAA),
        (ForeignRegistration, FOREIGN),
        (FaaLink, links.links(FAA)),
        (RegistrationImage, Camera().album(FAA[:50])),
    ],
)
def test_items_satisfy_their_models_and_have_keys_of_their_own(
    model: type[Model], items: list[dict[str, Any]]
) -> None:
    """No attribute that the model lacks, none of a wrong type, no key twice."""
    assert len({(item["PK"], item["SK"]) for item in items}) == len(items)
    for item in items:
        model.read(item)
        declared = {*model.model_fields, "PK", "SK"}
        if model is FaaLink:
            declared |= {"mfr_mdl_code", "serial_number"}  # told once more beside the key
        assert set(item) <= declared


def test_links_name_types_that_icao_lists_where_they_name_any() -> None:
    """About one of ten lacks a name; a link that moves has all three."""
    known = {tuple(t[name] for name in links.NAMES) for t in TYPES}
    assert {kind[:3] for kind in KINDS} <= known
    made = links.links(FAA)
    whole = [link for link in made if all(link.get(name) for name in links.NAMES)]
    assert 0.05 < 1 - len(whole) / len(made) < 0.15
    assert {tuple(link[name] for name in links.NAMES) for link in whole} <= known
    dice = random.Random(1)
    for link in made:
        moved = links.moved(link, dice)
        assert tuple(moved[name] for name in links.NAMES) in known
        assert any(moved[name] != link.get(name) for name in links.NAMES)
        assert (moved["PK"], moved["SK"]) == (link["PK"], link["SK"])


def test_images_of_an_entity_come_in_order_and_of_two_organisations() -> None:
    """The newest sorts last, as the default image's rule has it."""
    camera = Camera()
    album = camera.album(FAA[:50])
    last: dict[str, str] = {}
    for image in album:
        assert image["SK"] > last.get(image["PK"], "")
        last[image["PK"]] = image["SK"]
    assert {image["org_id"] for image in album} == {SYSTEM, CLUB}
    assert {image["entity_type"] for image in album} == {"ICAO", "REGISTRATION"}
    again = camera.of_registration(CLUB, FAA[0]["registration"])
    assert again["SK"] > last[again["PK"]]


def test_the_same_is_made_every_time() -> None:
    """So that a failure can be looked at again."""
    assert registry.faa(1_400, TYPES) == FAA
    assert registry.foreign(500) == FOREIGN
    assert links.links(FAA) == links.links(FAA)
    assert Camera().album(FAA) == Camera().album(FAA)


def test_an_aircraft_that_is_sold_keeps_all_but_its_owner() -> None:
    """A register's commonest change."""
    dice = random.Random(1)
    for item in (*FAA[:20], *FOREIGN[:20]):
        sold = registry.sold(item, dice)
        changed = {name for name in item if item[name] != sold[name]}
        assert changed <= {"name", "type_registrant"}
