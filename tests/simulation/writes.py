"""What the application writes: items of several kinds, over and over, some of them wrong."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from sync.aws.keys import AttributeMap
from tests.simulation import opensearch, plain, typesense
from tests.simulation.models import BUG, CORE, PARTS, core_keys, kind_of, part_keys

LARGE: Final = 205_000  # characters: a record that does not fit a message
HUGE: Final = 255_000  # … and an action that does not fit one
DELETES: Final = ("delete", "expire")
ENTITIES: Final = (
    ("SYSTEM", "REGISTRATION", "N1"),
    ("SYSTEM", "ICAO", "A#20 é"),
    ("ACME", "REGISTRATION", "N1"),
)
TYPES: Final = (("A20N", "AIRBUS", "A-320neo"), ("B38M", "BOEING", "737 MAX 8"))

Values = dict[str, dict[str, Any]]

SIZES: Final[tuple[dict[str, Any], ...]] = (
    {"M": {"width": {"N": "2"}, "unit": {"S": "é"}}},
    {"M": {"width": {"N": "0.1"}, "unit": {"NULL": True}}},
)
MANY: Final = [{"N": str(number)} for number in range(-4, 8)]
CRATED: Final[dict[str, tuple[dict[str, Any], ...]]] = {  # attributes of crates
    "size": SIZES,
    "others": ({"L": list(SIZES)}, {"L": []}),
    "id": ({"S": "not that of the document"},),
    "_exact": ({"S": "{}"},),
    "weight": (
        {"N": "-2.5"},
        {"N": "1E-130"},
        {"N": "9.9999999999999999999999999999999999999E+125"},
        {"N": "18446744073709551616"},
        {"N": "0"},
    ),
    "history": (
        {"L": MANY},
        {"L": [*MANY, {"N": "0.1"}]},
        {"L": [*MANY, {"N": "0.123456789012345678"}]},
        {"L": [*MANY, {"S": "none"}]},
    ),
    "grades": ({"NS": ["10", "-1.5", "9"]},),
    "photo": ({"B": "AAH/"},),
    "photos": ({"BS": ["AQ==", "AAH/"]},),
    "sealed": ({"BOOL": True}, {"BOOL": False}),
    "seal": ({"NULL": True},),
    "content": ({"M": {"a": {"L": [{"M": {}}, {"SS": ["b", "ä"]}]}, "é": {"N": "7"}}},),
}


@dataclass(frozen=True, slots=True)
class Write:
    """Something the application does *at* so many seconds from the beginning."""

    at: float
    kind: str  # put, update, delete, expire
    table: str
    keys: AttributeMap
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an item may stand, and what it then holds; *refused* are words that some sink of it
    does not take, or that its model fails at."""

    table: str
    keys: AttributeMap
    values: Callable[[Random, str], Values]
    refused: tuple[str, ...] = ()
    deleted: int = 25  # percent of its writes


def documents(random: Random) -> list[Spot]:
    """For the sinks with versions, and the one without."""
    words = opensearch.REFUSED_WORD, opensearch.REJECTED_WORD, plain.REFUSED_WORD, BUG
    found = [
        *(core_keys("ARTICLE", f"A#{n}") for n in range(random.randint(2, 3))),
        core_keys("ARTICLE", "A#" + random.choice(("3", "é" * 100))),  # the id of which is a hash
        *(core_keys("SHELF", f"S#{n} é/|") for n in range(random.randint(1, 2))),
    ]
    spots = [Spot(CORE, keys, _document, words) for keys in found]
    spots += [
        Spot(PARTS, part_keys(bytes([0, 255, n]), n * 1000), _document, words) for n in range(2)
    ]
    return [*spots, Spot(CORE, core_keys("OTHER", "nobody's"), _document, words)]


def registry(random: Random) -> list[Spot]:
    """For Typesense."""
    spots = [
        Spot(
            CORE,
            core_keys("AIRCRAFT#REGISTRY#FAA", f"DETAIL#N{n}"),
            _registration,
            (typesense.REFUSED_WORD,),
            35,
        )
        for n in range(random.randint(4, 5))
    ]
    spots += [
        Spot(
            CORE,
            core_keys("AIRCRAFT#REGISTRY#FOREIGN", f"DETAIL#G-{n} é/|"),
            _registration,
            (typesense.REFUSED_WORD,),
            35,
        )
        for n in range(2)
    ]
    return spots


def bulk_documents(random: Random) -> list[Spot]:
    """A bulk load of articles, all of which are wrong in the same way, or nearly so."""
    wrong = random.choice((_refused_document, _invalid_document))
    return [Spot(CORE, core_keys("ARTICLE", f"A#{n}"), wrong) for n in range(30)]


def bulk_registry(random: Random) -> list[Spot]:
    """… and of registrations, too many for one request to their queue."""
    wrong = random.choice((_refused_registration, _registration))
    keys = [core_keys("AIRCRAFT#REGISTRY#FAA", f"DETAIL#N{n}") for n in range(30)]
    return [Spot(CORE, one, wrong) for one in keys]


def crates(random: Random) -> list[Spot]:
    """For Typesense and the sink without versions, with attributes of every type."""
    words = typesense.REFUSED_WORD, typesense.FORBIDDEN_WORD, plain.REFUSED_WORD
    return [
        Spot(CORE, core_keys("CRATE", f"C#{n}"), _crate, words) for n in range(random.randint(6, 8))
    ]


def images(random: Random) -> list[Spot]:
    """For default images, and some for Typesense; an entity's come and go."""
    return list(_images(random, random.choice(((1, 2, 3), (2, 4), (1, 1, 4)))))


def few_images(random: Random) -> list[Spot]:
    """Just so, and most writes are of two entities that have one image or two: pointers move."""
    each = random.choice((1, 2))
    spots = list(_images(random, (each, each, 6 - 2 * each)))
    return [*spots, *spots[: 2 * each] * 4]


def other_images(random: Random) -> list[Spot]:
    """For default images alone."""
    return list(_images(random, (2, 4), among=ENTITIES[1:]))


def _images(
    random: Random, counts: tuple[int, ...], among: Sequence[tuple[str, str, str]] = ENTITIES
) -> Iterator[Spot]:
    """So many of one entity each."""
    for (org, kind, entity), count in zip(random.sample(among, len(counts)), counts, strict=True):
        hash_ = f"IMAGES#ORG#{org}#ENTITY#{kind}#ID#{entity}"
        values = _image_of(org, kind, entity)
        for n in range(count):
            keys = core_keys(hash_, f"IMG#{n:03}")
            yield Spot(CORE, keys, values, (typesense.REFUSED_WORD,), 45)


def links(random: Random) -> list[Spot]:
    """For counters, of which there are two."""
    return [
        Spot(CORE, core_keys("FAA#LINKS", f"MFR_MDL_CODE#{n % 2}#SN#{n}"), _link, (), 40)
        for n in range(random.randint(6, 8))
    ]


CASTS: Final[dict[str, Callable[[Random], list[Spot]]]] = {
    "documents": documents,
    "registry": registry,
    "crates": crates,
    "bulk documents": bulk_documents,
    "bulk registry": bulk_registry,
    "images": images,
    "few images": few_images,
    "other images": other_images,
    "links": links,
}


def action(random: Random, spot: Spot, *, there: bool) -> str:
    """What is done at *spot*; a delete of what is absent would change nothing."""
    deletes = spot.deleted
    kinds = ("put", "update", *DELETES)
    chosen = random.choices(kinds, (75 - deletes, 25, deletes * 0.7, deletes * 0.3))[0]
    return "put" if chosen in DELETES and not there else chosen


def values_of(
    random: Random, spot: Spot, text: str, *, poisoned: float, huge: float, bugs: bool
) -> Values:
    """What is written at *spot*: *text* is new to it, or comes again."""
    values = spot.values(random, text)
    kind = kind_of(spot.keys)
    if kind is None:
        return values
    if random.random() < poisoned:
        words = [word for word in spot.refused if bugs or word != BUG]
        which = random.randrange(len(words) + 2)
        if which < len(words):
            name = "name" if "name" in values else kind.proof
            values[name] = {"S": f"{text} {words[which]}"}
        elif "org_id" in values and random.random() < 0.4:
            values["org_id"] = {"S": "ANOTHER"}
        elif random.random() < 0.6:
            values[kind.proof] = {"L": [{"S": "x" * LARGE}]}
        else:
            values[kind.proof] = {"N": "5"}
    elif kind.sinks == ("typesense",) and random.random() < huge:
        values["name" if "name" in values else "caption"] = {"S": f"{text} {'x' * HUGE}"}
    return values


def _document(random: Random, text: str) -> Values:
    values: Values = {"title": {"S": text}, "unknown": {"B": "AAEC"}}
    if random.random() < 0.5:
        values["rank"] = {"N": random.choice(("1", "-0.5", "12345678901234567890.12345", "1E+3"))}
    if random.random() < 0.2:
        values["labels"] = {"SS": ["b", "a"]}
    if random.random() < 0.2:
        values["details"] = {"M": {"x": {"N": "1"}, "y": {"L": [{"NULL": True}, {"S": "é"}]}}}
    return values


def _refused_document(random: Random, text: str) -> Values:
    word = opensearch.REFUSED_WORD if random.random() < 0.9 else "taken"
    return {"title": {"S": f"{text} {word}"}}


def _invalid_document(random: Random, text: str) -> Values:
    wrong = {"N": f"{random.randrange(10**6)}"}
    return {"title": wrong if random.random() < 0.9 else {"S": text}}


def _refused_registration(random: Random, text: str) -> Values:
    word = typesense.REFUSED_WORD if random.random() < 0.9 else "taken"
    return {**_registration(random, text), "name": {"S": f"{text} {word}"}}


def _crate(random: Random, text: str) -> Values:
    values: Values = {"title": {"S": text}}
    for name, drawn in CRATED.items():
        if random.random() < 0.25:
            values[name] = random.choice(drawn)
    return values


def _registration(random: Random, text: str) -> Values:
    values: Values = {"registration": {"S": text}, "n_number": {"S": text}, "name": {"S": text}}
    if random.random() < 0.3:
        values["unknown"] = {"S": f"{random.random()}"}  # nothing that a document shows
    if random.random() < 0.3:
        values["other_names"] = {"L": [{"S": "é"}, {"S": text}]}
    if random.random() < 0.3:
        values["city"] = {"S": random.choice(("Wichita", "Everett"))}
    return values


def _image_of(org: str, kind: str, entity: str) -> Callable[[Random, str], Values]:
    def values(random: Random, text: str) -> Values:
        held: Values = {
            "org_id": {"S": org},
            "entity_type": {"S": kind},
            "entity_id": {"S": entity},
            "url": {"S": f"https://images.example/{text}"},
        }
        if random.random() < 0.5:
            held["caption"] = random.choice(({"S": text}, {"NULL": True}))
        if random.random() < 0.3:
            held["width"] = {"N": random.choice(("640", "12345678901234567890123"))}
        return held

    return values


def _link(random: Random, text: str) -> Values:
    names = "type_designator", "manufacturer", "model"
    values: Values = {
        name: {"S": part} for name, part in zip(names, random.choice(TYPES), strict=True)
    }
    values["note"] = {"S": text}
    if random.random() < 0.1:
        values[random.choice(names)] = {"S": ""}
    return values
