"""How a document differs from what an op asks for."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import Refused
from sync.sinks.counters import Counters
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.writing.comparing import (
    Comparable,
    Compared,
    Differs,
    compared,
    compared_by,
    differs,
    exact,
    same,
)
from sync.writing.op import Op
from sync.writing.sink import Sink

EQUAL: list[tuple[Any, Any]] = [
    (1, Decimal("1.0")),
    (Decimal("0.1"), exact("0.10")),
    (10**37, exact("1" + "0" * 37)),
    ({"a": [1, {"b": None}]}, {"a": [Decimal(1), {"b": None}]}),
    ([], []),
    ("a", "a"),
    (None, None),
    (True, True),
]
UNEQUAL: list[tuple[Any, Any]] = [
    (1, True),
    (0, False),
    (False, 0),
    (None, False),
    (1, "1"),
    (10**37, 10**37 + 1),
    ([1], [1, 1]),
    ([1, 2], [2, 1]),
    ([], {}),
    ({"a": 1}, {"a": 1, "b": None}),
    ({"a": 1}, {"b": 1}),
    ({"a": {"b": 1}}, {"a": {"b": 2}}),
    ("a", "A"),
    (Decimal("0.1"), Decimal("0.10000000000000000555")),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_values_are_the_same(one: Any, other: Any) -> None:
    """Whatever the spelling of a number."""
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), UNEQUAL)
def test_other_values_are_not(one: Any, other: Any) -> None:
    """Though Python may call them equal."""
    assert not same(one, other)
    assert not same(other, one)


def test_the_fields_that_differ_are_named_in_order() -> None:
    """At the top level, whichever side lacks one."""
    held = {"c": 1, "same": 1, "inner": {"x": 1}, "null": None}
    assert differs(b'{"same":1,"a":2,"c":2,"inner":{"x":2}}', held) == Differs(
        "different", ("a", "c", "inner", "null")
    )


def test_a_body_that_is_no_object_differs_without_fields() -> None:
    """Somebody else wrote it."""
    assert differs(b"{}", ["a"]) == Differs("different")
    assert differs(b"[1]", {"a": 1}) == Differs("different")
    assert differs(b"[1]", [1]) is None


def test_one_side_alone_is_missing_or_extra() -> None:
    """And nothing on both sides is right."""
    assert differs(b"{}", None) == Differs("missing")
    assert differs(None, {}) == Differs("extra")
    assert differs(None, None) is None
    assert differs(b"{}", {}) is None


def test_sinks_say_what_compares_them() -> None:
    """Those that can't be read, by their class; one that says nothing has nothing."""
    for readable in (Memory(), OpenSearch(lambda: None), Typesense(lambda: None)):  # type: ignore[arg-type, return-value] # neither connects
        assert isinstance(readable, Comparable)
    assert compared_by(Counters) == "recount"
    unsaid: type[Sink] = Memory
    assert compared_by(unsaid) == "nothing: it can't be read"


def test_documents_are_read_in_parts_target_by_target() -> None:
    """None is left out, or read twice; what can't be held is not read."""

    def op(target: str, id_: str, body: bytes | None = b"{}") -> Op:
        return Op("sink", Source("t", {}), target, id_, body, 0)

    def check(op: Op) -> None:
        if op.id == "bad":
            raise Refused("bad")

    parts: list[tuple[str, list[str]]] = []

    def read(target: str, part: Sequence[Op]) -> Iterator[Any]:
        parts.append((target, [each.id for each in part]))
        for each in part:
            yield {} if each.id == "held" else None

    ops = [
        *(op("a", id_) for id_ in ("1", "held", "3", "4", "5")),
        *(op("b", "held"), op("b", "bad"), op("b", "bad", None), op("a", "6", None)),
    ]
    found = list(compared(ops, 2, check, read))
    assert parts == [("a", ["1", "held"]), ("a", ["3", "4"]), ("a", ["5", "6"]), ("b", ["held"])]
    held = {("a", "held"), ("b", "held")}
    assert sorted(found, key=lambda each: ops.index(each.op)) == [
        Compared(
            each, None if (each.target, each.id) in held or not each.body else Differs("missing")
        )
        for each in ops
    ]


@pytest.mark.parametrize("answers", [0, 2])
def test_a_reader_answers_for_each_document(answers: int) -> None:
    """One that answers for more or fewer has a bug: nothing is made up."""
    op = Op("sink", Source("t", {}), "a", "1", b"{}", 0)
    with pytest.raises(ValueError, match=r"zip\(\)"):
        list(compared([op], 2, lambda _: None, lambda *_: [None] * answers))


@pytest.mark.parametrize(("asked", "held"), [(b'{"a":null,"b":1}', "{}"), (b"{}", '{"a":null}')])
def test_a_field_that_is_null_is_not_one_that_is_absent(asked: bytes, held: str) -> None:
    """On either side; the field is named."""
    found = differs(asked, exact(held))
    assert found is not None
    assert "a" in found.fields


def test_numbers_are_read_exactly() -> None:
    """A float would take the second for 1."""
    assert exact("0.10") == Decimal("0.1")
    assert exact(b"1.0000000000000000000001") == Decimal("1.0000000000000000000001")
