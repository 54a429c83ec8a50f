"""The checker's own idea of the documents of a mirrored table."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from local.checker import (
    Mirrored,
    MirrorExpectation,
    Ref,
    check_items,
    differences,
    exact_json,
    item_values,
)

EXPECTATION = MirrorExpectation(
    {"orders": Mirrored("Orders.New", ("name", "created")), "odd": Mirrored("_odd", ("id",))}
)
KEYS = {"name": {"S": "a b"}, "created": {"N": "15"}}


def faults(item: dict[str, Any], text: str) -> list[str]:
    """How the document *text* differs from that of *item*."""
    pair = EXPECTATION.of("odd", item_values({"id": {"S": "1"}, **item}))
    assert pair is not None
    return list(differences({k: v for k, v in pair[1].items() if k != "id"}, exact_json(text)))


def test_a_document_stands_in_the_index_of_its_table() -> None:
    """Under the id of its keys."""
    assert EXPECTATION.aliases == ["orders.new", "table_odd"]
    assert EXPECTATION.of("orders", item_values(KEYS)) == (
        Ref("orders.new", "a%20b|15"),
        {"name": "a b", "created": Decimal(15)},
    )
    assert EXPECTATION.of("others", item_values(KEYS)) is None
    assert [Mirrored(name, ()).alias for name in ("-A", ".a", "A-", "1.a")] == [
        "table-a",
        "table.a",
        "a-",
        "1.a",
    ]


@pytest.mark.parametrize(
    ("item", "right", "wrong"),
    [
        ({"_id": {"S": "x"}}, '{"__id":"x"}', '{"_id":"x"}'),
        ({"__id.a": {"S": "x"}}, '{"___id.a":"x"}', '{"__id.a":"x"}'),
        ({"_foo": {"S": "x"}}, '{"_foo":"x"}', '{"__foo":"x"}'),
        ({"_ids": {"S": "x"}}, '{"_ids":"x"}', '{"__ids":"x"}'),
        ({"id_": {"S": "x"}}, '{"id_":"x"}', '{"_id_":"x"}'),
        ({"a": {"L": [{"N": "1"}, {"S": "x"}]}}, '{"a":["1","x"]}', '{"a":[1,"x"]}'),
        ({"a": {"L": [{"N": "1"}, {"N": "2.5"}]}}, '{"a":[1,2.5]}', '{"a":["1","2.5"]}'),
        ({"a": {"L": [{"N": "1"}, {"NULL": True}]}}, '{"a":[1,null]}', '{"a":["1",null]}'),
        (
            {"a": {"L": [{"BOOL": True}, {"NULL": True}, {"S": "x"}]}},
            '{"a":["true",null,"x"]}',
            '{"a":["True",null,"x"]}',
        ),
        ({"a": {"L": [{"S": "x"}, {"N": "1E+3"}]}}, '{"a":["x","1000"]}', '{"a":["x","1E+3"]}'),
        ({"a": {"L": [{"S": "x"}, {"N": "1.50"}]}}, '{"a":["x","1.5"]}', '{"a":["x","1.50"]}'),
        ({"a": {"L": [{"S": "x"}, {"N": "-0"}]}}, '{"a":["x","0"]}', '{"a":["x","-0"]}'),
        (
            {"a": {"L": [{"S": "x"}, {"M": {"b": {"N": "1"}, "c": {"L": []}}}]}},
            '{"a":["x","{\\"c\\":[],\\"b\\":1}"]}',
            '{"a":["x","{\\"c\\":[],\\"b\\":2}"]}',
        ),
        (
            {"a": {"L": [{"S": "x"}, {"M": {}}]}},
            '{"a":["x","{}"]}',
            '{"a":["x","{"]}',
        ),
        ({"a": {"L": [{"S": "x"}, {"M": {}}]}}, '{"a":["x","{}"]}', '{"a":["x",{}]}'),
        (
            {"a": {"L": [{"L": [{"N": "1"}]}, {"SS": ["b", "a"]}]}},
            '{"a":[["1"],["a","b"]]}',
            '{"a":[[1],["a","b"]]}',
        ),
        (
            {"a": {"L": [{"NS": ["2", "1"]}, {"BOOL": True}]}},
            '{"a":[["1","2"],"true"]}',
            '{"a":[["1"],"true"]}',
        ),
        (
            {"a": {"M": {"_id": {"L": [{"M": {"b": {"L": [{"N": "1"}, {"BOOL": True}]}}}]}}}},
            '{"a":{"_id":[{"b":["1","true"]}]}}',
            '{"a":{"_id":[{"b":[1,true]}]}}',
        ),
        ({"a": {"BS": [b"\x02", b"\x01"]}}, '{"a":["AQ==","Ag=="]}', '{"a":["AQ=="]}'),
        ({"a": {"NULL": True}}, '{"a":null}', "{}"),
    ],
)
def test_each_rule_is_known(item: dict[str, Any], right: str, wrong: str) -> None:
    """A document that breaks it is told."""
    assert faults(item, right) == []
    assert faults(item, wrong) != []


def test_mirrored_tables_are_checked_both_ways() -> None:
    """What is missing, what is too much, and what differs."""

    class Documents:
        def all(self, alias: str) -> Iterator[tuple[str, Any]]:
            found: dict[str, dict[str, Any]] = {
                "orders.new": {"b|1": {"name": "b", "created": Decimal(2)}, "c|1": {}},
                "table_odd": {},
            }
            yield from found[alias].items()

    items = [
        ("orders", item_values({**KEYS, "name": {"S": name}, "created": {"N": "1"}}))
        for name in ("a", "b")
    ]
    report = check_items([*items, ("core", {"id": "x"})], Documents(), EXPECTATION)
    assert report.missing == [Ref("orders.new", "a|1")]
    assert report.extra == [Ref("orders.new", "c|1")]
    assert report.different == [
        (Ref("orders.new", "b|1"), "created: 1 in the table, 2 in the document")
    ]
    assert report.unplaced == 1
    assert report.empty == ["table_odd"]
