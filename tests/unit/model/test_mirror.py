"""Tables without models: a model is made for each, and its documents are items as they are."""

import json
from decimal import Decimal
from typing import Any

import pytest

from sync.errors import ConfigError
from sync.model.mirror import Mirror, among, index_of, mirrors
from sync.model.model import Model, Route
from sync.model.registry import Registry
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from tests.properties.mirrored import METADATA, op_of

KEYS = {"name": {"S": "a"}}


def document(**attributes: Any) -> Any:
    """The document of an item with *attributes*, without its key."""
    body = op_of(KEYS, {**KEYS, **attributes}).body
    assert body is not None
    found = json.loads(body, parse_float=Decimal)
    assert found.pop("name") == "a"
    return found


def written(value: Any) -> Any:
    """What *value* of a decoded item is in the document."""
    return json.loads(Mirror.read({"a": value}).document(), parse_float=Decimal)["a"]


@pytest.mark.parametrize(
    ("av", "value"),
    [
        ({"S": ""}, ""),
        ({"N": "12345678901234567890123456789012345678"}, 12345678901234567890123456789012345678),
        ({"N": "1.2345678901234567890123456789012345678"}, None),
        ({"N": "1E+125"}, 10**125),
        ({"B": "AAEC"}, "AAEC"),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"SS": ["b", "a"]}, ["a", "b"]),
        ({"NS": ["10", "9", "-1.5"]}, [Decimal("-1.5"), 9, 10]),
        ({"BS": ["Ag==", "AQ=="]}, ["AQ==", "Ag=="]),
        ({"L": []}, []),
        ({"M": {}}, {}),
        ({"M": {"_id": {"M": {"": {"NULL": True}}}}}, {"_id": {"": None}}),
    ],
)
def test_each_type_of_dynamodb_has_its_json(av: Any, value: Any) -> None:
    """Numbers exact, binary as base64 text, sets as sorted lists; names only change at the top."""
    if "N" in av and value is None:
        value = Decimal(av["N"])
    assert document(a=av) == {"a": value}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, "foo", True], ["1", "foo", "true"]),
        ([False, "x"], ["false", "x"]),
        ([True, 1], ["true", "1"]),
        ([1, 2.5, Decimal("0.1234567890123456789"), 10**30], None),
        (["a", "b"], None),
        ([None, 1], None),
        ([None, 1, "a"], [None, "1", "a"]),
        ([[1, 2], [3]], None),
        ([[1], ["a"]], [["1"], ["a"]]),
        ([[[1]], [None, [True]]], [[["1"]], [None, ["true"]]]),
        ([{"a": 1}, {"b": "x"}], None),
        ([{"a": [1, "x"]}], [{"a": ["1", "x"]}]),
        ([[{"a": [1, "x"]}]], [[{"a": ["1", "x"]}]]),
        ({"a": {"b": [1, "x"]}}, {"a": {"b": ["1", "x"]}}),
        ([1, {"b": 1.5, "a": [1, "x", {"d": None, "c": 2}]}], None),
        (["x", 1.5], ["x", "1.5"]),
        (["x", 1e-7], ["x", "0.0000001"]),
        (["x", -1e-7], ["x", "-0.0000001"]),
        (["x", Decimal("1.1234567890123456780")], ["x", "1.123456789012345678"]),
        (["x", Decimal("1E-130")], ["x", f"0.{'0' * 129}1"]),
        (["x", 10**125], ["x", f"1{'0' * 125}"]),
        (["x", -(10**30)], ["x", f"-1{'0' * 30}"]),
        (["x", 0], ["x", "0"]),
        ([["a", "b"], 1], [["a", "b"], "1"]),
    ],
)
def test_lists_of_mixed_types_become_lists_of_strings(value: Any, expected: Any) -> None:
    """A list of one type, of null, or of maps stays what it is. None: as it was."""
    if isinstance(value, list) and len(value) > 1 and isinstance(value[1], dict) and value[0] == 1:
        expected = ["1", '{"a":[1,"x",{"c":2,"d":null}],"b":1.5}']  # names in order
    assert written(value) == (value if expected is None else expected)


@pytest.mark.parametrize("name", METADATA)
def test_names_of_opensearch_s_get_an_underscore(name: str) -> None:
    """At the top, also before a dot; different names stay different."""
    values = {f"{'_' * n}{name}{rest}": n for n in range(3) for rest in ("", ".a", ".", ".a\nb")}
    found = json.loads(Mirror.read(values).document())
    assert found == {f"_{name}": n for name, n in values.items()}


@pytest.mark.parametrize(
    "name",
    [
        *("_foo", "_identity", "_id_", "id", "id._id", "__", "_", "", "_ID", "a._id", "_id\n"),
        *("model_config", "model_fields", "copy", "json", "_item", "__pydantic_private__", "cls"),
        *("a-b", "a.b", "ключ", "values", "self", "__class__", "route", "_fields"),
    ],
)
def test_any_other_name_stays(name: str) -> None:
    """Also one that Python or Pydantic uses."""
    assert json.loads(Mirror.read({name: "x"}).document()) == {name: "x"}


def test_a_mirror_takes_all_there_is() -> None:
    """So a change of any attribute is a change."""
    (made,) = mirrors({"t": ["name"]}, {"t": "Table"}, Memory, [])
    assert made.takes() is None
    assert made.document_schema().is_open
    assert made.document_schema().fields == ()
    assert (made.__module__, made.__name__) == ("sync.model.mirror", "the mirror of t")


def test_a_mirror_feeds_an_index_named_like_its_table() -> None:
    """Whatever its keys are called; every key belongs to it."""
    names = {"one": ["name"], "two": ["model_config", "a.b"]}
    made = mirrors(names, {"one": "Orders", "two": "X.y-z_1", "three": "t"}, Memory, [])
    assert [model.route for model in made] == [
        Route("one", {"name": ".+"}, {Memory: "orders"}),
        Route("two", {"model_config": ".+", "a.b": ".+"}, {Memory: "x.y-z_1"}),
    ]
    registry = Registry(made, {"one": "Orders", "two": "X.y-z_1"})
    assert among(registry.models) == made
    assert among([Known, *made, Known]) == made
    assert registry.tables == {"Orders": ("name",), "X.y-z_1": ("model_config", "a.b")}
    found = registry.match("X.y-z_1", {"model_config": {"N": "1"}, "a.b": {"B": "AA=="}})
    assert found is not None
    assert found.model is made[1]


@pytest.mark.parametrize(
    ("table", "index"),
    [
        ("Orders", "orders"),
        ("_orders", "table_orders"),
        ("-orders", "table-orders"),
        (".orders", "table.orders"),
        ("0orders", "0orders"),
        ("x" * 218, "x" * 218),
    ],
)
def test_an_index_has_its_table_s_name_in_lower_case(table: str, index: str) -> None:
    """With a beginning that an index may have."""
    assert index_of(table) == index


@pytest.mark.parametrize("table", ["X" * 219, "_" + "x" * 213])
def test_a_name_too_long_for_an_index_is_refused(table: str) -> None:
    """Its number has to fit too."""
    with pytest.raises(ConfigError) as caught:
        index_of(table)
    name = table.lower() if table[0] != "_" else f"table{table}"
    assert str(caught.value) == f"MIRRORS: {name} is no name for an index: over 218 bytes"


class Known(Model):
    route = Route("known", {"id": "KNOWN#.+"}, {Memory: "orders", OpenSearch: "others"})


@pytest.mark.parametrize(
    ("tables", "mirrored", "error"),
    [
        (
            {"known": "Known"},
            "known",
            "MIRRORS names known, but Known has models: only one is possible",
        ),
        (
            {"known": "Known", "other": "Known"},
            "other",
            "MIRRORS names other, but Known has models: only one is possible",
        ),
        (
            {"known": "Known", "shop": "Orders"},
            "shop",
            "MIRRORS names shop, but Orders and Known both want orders",
        ),
    ],
)
def test_a_mirror_keeps_out_of_the_models_way(
    tables: dict[str, str], mirrored: str, error: str
) -> None:
    """A table has either; and so has an index."""
    with pytest.raises(ConfigError) as caught:
        mirrors({mirrored: ["id"]}, tables, Memory, [Known])
    assert str(caught.value) == error


def test_models_that_are_elsewhere_are_in_no_mirror_s_way() -> None:
    """Those of tables that the stage lacks, those without a route, and those of other sinks."""

    class Routeless(Model):
        """Goes nowhere."""

    tables = {"known": "Known", "others": "Others", "shop": "Orders"}
    assert len(mirrors({"others": ["id"]}, tables, Memory, [Routeless, Known])) == 1
    assert len(mirrors({"shop": ["id"]}, {"shop": "Orders"}, Memory, [Known])) == 1


def test_two_mirrors_never_share_an_index() -> None:
    """Two tables may differ in case alone."""
    with pytest.raises(ConfigError) as caught:
        mirrors({"a": ["id"], "b": ["id"]}, {"a": "Orders", "b": "orders"}, Memory, [])
    assert str(caught.value) == "MIRRORS names b, but orders and Orders both want orders"
