"""Mirrored tables in a real OpenSearch: what is written, and what is refused with which advice."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from local.checker import Documents, Mirrored, MirrorExpectation, check_items, item_values
from local.servers.opensearch import OpenSearchServer
from sync.aws.keys import Source
from sync.errors import Refused
from sync.model import mappings, mirror
from sync.model.mirror import Mirror, among, mirrors
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.sinks.opensearch import OpenSearch, mapping
from sync.writing.op import Done, Op
from tests.contract.sinks import Subject, ask, patient
from tests.properties.mirrored import METADATA, as_read

pytestmark = pytest.mark.parametrize("subject", ["opensearch"], indirect=True)

Image = Mapping[str, Any]


class Mirroring:
    """A mirrored table of one key attribute, made as `mappings apply` makes it."""

    def __init__(self, subject: Subject, url: str, key: str = "id") -> None:
        self.table = f"Mirror.Of_{subject.target}"
        self.key = key
        self.models = mirrors({"role": [key]}, {"role": self.table}, OpenSearch, [])
        self.registry = Registry(self.models, {"role": self.table})
        self.planner = Planner(self.registry)
        self.sink = subject.sink
        self.url = url
        self.items: dict[str, Image] = {}  # those that were written

    @property
    def alias(self) -> str:
        return self.table.lower()

    def apply(self) -> Any:
        env = {"OPENSEARCH_ENDPOINT": self.url, "OPENSEARCH_AUTH": "none"}
        made = mappings.apply(self.registry.sinks, env, mirrors=among(self.registry.models))
        return [one["result"] for one in made]

    def op(self, image: Image, version: int = 1) -> Op:
        source = Source(self.table, {self.key: image[self.key]})
        pattern = self.planner.match(source)
        assert pattern is not None
        (op,) = self.planner.plan(pattern, source, version, new_image=image).ops
        return op

    def write(self, *images: Image, version: int = 1) -> list[str]:
        """Write *images* in one batch; gives the errors of those that were refused."""
        ops = {(op := self.op(image, version)).id: (op, image) for image in images}
        refused = []
        for op, result in self.sink.write([op for op, _ in ops.values()], patient()):
            if result is Done.WRITTEN:
                self.items[op.id] = ops[op.id][1]
            else:
                assert isinstance(result, Refused)
                refused.append(str(result))
        return refused

    def values(self, name: str, *avs: Image) -> list[str]:
        """Write one item after another whose attribute *name* has these values."""
        return [
            fault
            for n, av in enumerate(avs)
            for fault in self.write({self.key: {"S": f"{name}{n}"}, name: av})
        ]

    def differences(self) -> list[str]:
        """How the index differs from the items that were written, by the independent checker."""
        expectation = MirrorExpectation({"role": Mirrored(self.table, (self.key,))})
        items = [
            ("role", item_values({name: as_read(av) for name, av in image.items()}))
            for image in self.items.values()
        ]
        report = check_items(items, Documents(self.url), expectation)
        assert report.documents == len(items)
        assert report.items == len(items)
        found = [*map(str, report.missing), *map(str, report.extra)]
        return [*found, *(why for _, why in report.different)]

    def found(self, query: Any) -> list[str]:
        """The ids of the documents that *query* finds."""
        ask(f"{self.url}/{self.alias}/_refresh")
        hits = ask(f"{self.url}/{self.alias}/_search", {"query": query})["hits"]["hits"]
        return sorted(hit["_id"] for hit in hits)


Make = Callable[..., Mirroring]


@pytest.fixture
def mirroring(subject: Subject, opensearch: OpenSearchServer) -> Make:
    """Makes a mirrored table whose index is made."""

    def make(key: str = "id") -> Mirroring:
        made = Mirroring(subject, opensearch.url, key)
        assert made.apply() == ["created"]
        return made

    return make


EVERYTHING: Image = {
    "id": {"S": "everything"},
    "text": {"S": "Grüße \u2028 🛩"},
    "empty": {"S": ""},
    "number": {"N": "12345678901234567890123456789012345678"},
    "fraction": {"N": "-1.2345678901234567890123456789012345678E-90"},
    "most": {"N": "9.9999999999999999999999999999999999999E+125"},
    "least": {"N": "1E-130"},
    "binary": {"B": "AAEC/w=="},
    "true": {"BOOL": True},
    "null": {"NULL": True},
    "texts": {"SS": ["b", "a"]},
    "numbers": {"NS": ["10", "9", "-1.5"]},
    "binaries": {"BS": ["Ag==", "AQ=="]},
    "list": {"L": [{"N": "1"}, {"N": "2.5"}, {"NULL": True}]},
    "mixed": {"L": [{"N": "1"}, {"S": "foo"}, {"BOOL": True}, {"M": {"a": {"N": "1"}}}]},
    "lists": {"L": [{"L": [{"N": "1"}]}, {"L": [{"S": "a"}]}]},
    "nothing": {"L": []},
    "map": {"M": {"a": {"M": {"b": {"L": [{"M": {"c": {"N": "1"}}}]}}}, "_id": {"S": "x"}}},
    "no map": {"M": {}},
    "long": {"S": "x" * 40_000},
    "a.b": {"N": "1"},
    "a-b": {"S": "x"},
    "ключ": {"S": "x"},
    "properties": {"M": {"type": {"S": "keyword"}}},
    "type": {"S": "nested"},
    "model_config": {"BOOL": False},
}


def test_an_item_is_mirrored_whole(mirroring: Make) -> None:
    """Every type and any name, by the independent checker; once more is nothing new."""
    made = mirroring()
    assert made.write(EVERYTHING) == []
    assert made.write(EVERYTHING, {**EVERYTHING, "id": {"S": "again"}}) == []
    assert made.differences() == []
    assert made.apply() == ["unchanged"]


@pytest.mark.parametrize("key", ["name", "message", "args", "created", "id", "_id", "a-b", "a.b"])
def test_a_key_may_have_any_name(mirroring: Make, key: str) -> None:
    """And any type: the id follows from its value."""
    made = mirroring(key)
    assert made.write({key: {"S": "a b"}}) == []
    assert list(made.items) == ["a%20b"]
    assert made.differences() == []


@pytest.mark.parametrize("av", [{"N": "15"}, {"B": "/+8="}])
def test_a_key_may_be_a_number_or_binary(mirroring: Make, av: Image) -> None:
    """Whatever it is called."""
    made = mirroring("created")
    assert made.write({"created": av}) == []
    assert made.differences() == []


NUMBER, LARGE, FRACTION = {"N": "1"}, {"N": "18446744073709551616"}, {"N": "2.5"}
DAY, TEXT, FLAG = {"S": "2026-11-23"}, {"S": "no"}, {"BOOL": True}
NULL: Image = {"NULL": True}
NOTHING: Image = {"L": []}
LATER: dict[str, Sequence[Image]] = {
    "fraction": (NUMBER, FRACTION, LARGE, {"N": "9E+125"}, {"N": "-1E-130"}, {"L": [NUMBER]}),
    "large": (LARGE, NUMBER),
    "small": (FRACTION, LARGE),
    "day": (DAY, TEXT, {"S": "2026/11/23 10:00:00"}, {"S": "1"}),
    "digits": ({"S": "5"}, TEXT),
    "null": (NULL, NOTHING, {"L": [NULL]}, TEXT, NUMBER, FLAG, {"B": "AA=="}),
    "flag": (FLAG, NULL, {"L": [{"BOOL": False}]}),
    "map": ({"M": {}}, {"M": {"a": NUMBER}}, {"M": {"a": FRACTION, "b": DAY}}, {"L": [{"M": {}}]}),
}


def test_the_type_of_a_first_value_does_not_decide(mirroring: Make) -> None:
    """1 and then 2.5, more than 64 bits, what looks like a date and then what doesn't."""
    made = mirroring()
    refused = {name: made.values(name, *avs) for name, avs in LATER.items()}
    assert refused == {name: [] for name in LATER}
    assert made.differences() == []


def test_what_is_mirrored_can_be_searched(mirroring: Make) -> None:
    """Numbers by range, texts by words and whole, flags, and maps by their paths."""
    made = mirroring()
    made.write(
        {
            "id": {"S": "1"},
            "n": NUMBER,
            "t": {"S": "Two words"},
            "f": FLAG,
            "m": {"M": {"a": TEXT}},
        },
        {"id": {"S": "2"}, "n": FRACTION, "t": {"S": "2026-11-23"}, "_id": {"S": "own"}},
        {"id": {"S": "3"}, "n": LARGE, "mixed": {"L": [NUMBER, TEXT, FLAG]}},
    )
    assert made.found({"range": {"n": {"gt": 1.5}}}) == ["2", "3"]
    assert made.found({"match": {"t": "words"}}) == ["1"]
    assert made.found({"term": {"t.keyword": "2026-11-23"}}) == ["2"]
    assert made.found({"term": {"f": True}}) == ["1"]
    assert made.found({"term": {"m.a": "no"}}) == ["1"]
    assert made.found({"term": {"__id": "own"}}) == ["2"]
    assert made.found({"term": {"mixed": "true"}}) == ["3"]


REINDEX = (
    "the index has another type for this field: correct the item, or reindex if the new type is to "
    "stay"
)
RENAME = (
    "no field can have the name of one of its attributes, which is empty, or empty or blank beside "
    "a dot: rename the attribute"
)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (NUMBER, TEXT),
        (NUMBER, FLAG),
        (NUMBER, {"M": {"a": NUMBER}}),
        (FLAG, TEXT),
        (TEXT, {"M": {"a": NUMBER}}),
        ({"M": {"a": NUMBER}}, TEXT),
        ({"M": {"a": NUMBER}}, {"L": [NUMBER]}),
        ({"M": {"a": NUMBER}}, {"M": {"a": TEXT}}),
    ],
    ids=str,
)
def test_a_change_of_type_is_refused_with_advice(
    mirroring: Make, first: Image, then: Image
) -> None:
    """The other documents of its batch are written, and nothing of it is quoted."""
    made = mirroring()
    assert made.write({"id": {"S": "0"}, "x": first}) == []
    (error,) = made.write(
        {"id": {"S": "1"}, "x": first},
        {"id": {"S": "2"}, "x": then},
        {"id": {"S": "3"}, "x": first},
    )
    assert error.endswith(f"; {REINDEX}")
    assert list(made.items) == ["0", "1", "3"]
    assert made.differences() == []


def test_a_name_with_a_dot_may_be_in_another_s_way(mirroring: Make) -> None:
    """For OpenSearch `a.b` is a field of the map `a`, which is a number here."""
    made = mirroring()
    (error,) = made.write({"id": {"S": "1"}, "a": NUMBER, "a.b": NUMBER}, {"id": {"S": "2"}})
    assert error.endswith(f"; {REINDEX}")
    assert made.write({"id": {"S": "3"}, "a": {"M": {"b": NUMBER}}, "a.b": FRACTION}) == []
    assert made.differences() == []


@pytest.mark.parametrize("name", ["", ".", ".a", "a..b", " .a", "a. .b"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_name_that_no_field_can_have_is_refused_with_advice(
    mirroring: Make, name: str, nested: bool
) -> None:
    """Also within a map. The other documents of its batch are written."""
    made = mirroring()
    values = {"m": {"M": {name: TEXT}}} if nested else {name: TEXT}
    (error,) = made.write({"id": {"S": "1"}, **values}, {"id": {"S": "2"}, "a": TEXT})
    assert error.endswith(f"; {RENAME}")
    assert made.differences() == []


def test_too_many_names_are_refused_with_advice(mirroring: Make) -> None:
    """Later items with known names are written."""
    made = mirroring()
    many = {f"f{n}": NUMBER for n in range(5_001)}
    (error,) = made.write({"id": {"S": "1"}, **many}, {"id": {"S": "2"}, "a": TEXT})
    assert "Limit of total fields [5000] has been exceeded" in error
    assert error.endswith("raise index.mapping.total_fields.limit, and replay")
    assert made.write({"id": {"S": "3"}, **dict(list(many.items())[:4_000])}) == []
    assert made.differences() == []


def test_an_item_may_be_nested_as_deep_as_dynamodb_lets_it(mirroring: Make) -> None:
    """32 levels, of maps or of lists."""
    made = mirroring()
    maps: Image = NUMBER
    lists: Image = NUMBER
    for _ in range(31):
        maps, lists = {"M": {"m": maps}}, {"L": [lists]}
    assert made.write({"id": {"S": "1"}, "maps": maps, "lists": lists}) == []
    assert made.differences() == []


def test_opensearch_s_own_names_are_written_under_others(mirroring: Make) -> None:
    """Each of them, also before a dot, beside those with one more underscore."""
    made = mirroring()
    names = [
        f"{mark}{name}{rest}" for name in METADATA for mark in ("", "_") for rest in ("", ".x")
    ]
    items = [{"id": {"S": str(n)}, name: TEXT} for n, name in enumerate(names) if ".x" not in name]
    dotted = [{"id": {"S": f"x{n}"}, n: TEXT} for n in names if ".x" in n]
    assert made.write(*items) == []
    assert made.differences() == []
    other = mirroring_again(made)
    assert other.write(*dotted) == []
    assert other.differences() == []


def mirroring_again(made: Mirroring) -> Mirroring:
    """Another mirrored table on the same server: there `_id.x` meets no text called `_id`."""
    made.table = f"{made.table}-2"
    made.models = mirrors({"role": [made.key]}, {"role": made.table}, OpenSearch, [])
    made.registry = Registry(made.models, {"role": made.table})
    made.planner = Planner(made.registry)
    made.items = {}
    assert made.apply() == ["created"]
    return made


# What the laws above are worth: each catches a mirror with a bug.


def test_planted_without_templates(mirroring: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSearch's own guess: a long for the first number, a date for the first day."""
    monkeypatch.setattr(mapping, "_TEMPLATES", [])
    made = mirroring()
    assert made.values("fraction", *LATER["fraction"]) != []


def test_planted_dates(mirroring: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first text that looks like a day makes the field a date."""
    body = mapping.index_body

    def planted(documents: Any) -> Any:
        made = body(documents)
        made["mappings"]["date_detection"] = True
        return made

    monkeypatch.setattr(mapping, "index_body", planted)
    assert mirroring().values("day", *LATER["day"]) != []


def test_planted_metadata(mirroring: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSearch 3.6 refuses most of its names: so they have to be others in a document."""
    monkeypatch.setattr(mirror, "_field", lambda name: name)
    made = mirroring()
    refused = {name for name in METADATA if made.write({"id": {"S": name}, name: TEXT})}
    assert refused == set(METADATA) - {"_type", "_size", "_tier"}


@pytest.mark.parametrize("name", ["mixed", "lists", "binaries", "number"])
def test_planted_documents(mirroring: Make, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of mixed types as they are, sets and digits lost: refused, or a difference."""
    document = Mirror.document
    lost = {"binaries": b'"binaries":["AQ==","Ag=="]', "number": b"5678901234567890123"}

    def planted(self: Mirror) -> bytes:
        return document(self).replace(
            lost[name], lost[name].replace(b"A", b"B").replace(b"9", b"0")
        )

    if name in lost:
        monkeypatch.setattr(Mirror, "document", planted)
    else:
        monkeypatch.setattr(mirror, "_kinds", lambda values: iter(()))
    made = mirroring()
    refused = made.write({"id": {"S": "1"}, name: EVERYTHING[name]})
    assert refused or made.differences()
