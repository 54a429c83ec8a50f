"""The sink in memory, which stands in for others in tests: versioned, or plain."""

from collections.abc import Callable
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Done, Op


def op(version: int, body: bytes | None, id_: str = "1") -> Op:
    return Op("memory", Source("t", {}), "things", id_, body, version)


def write(sink: Memory, *ops: Op) -> list[Any]:
    outcomes = list(sink.write(ops, Deadline(0)))
    assert [outcome.op for outcome in outcomes] == list(ops)
    return [outcome.result for outcome in outcomes]


@pytest.mark.parametrize("make", [lambda: Memory.from_env({}), Memory])
def test_an_older_op_is_stale_also_after_a_delete(make: Callable[[], Memory]) -> None:
    """An equal one is written again; each document has a version of its own."""
    sink = make()
    assert write(sink, op(2, b"two"), op(1, b"one"), op(1, b"other", "2")) == [
        Done.WRITTEN,
        Done.STALE,
        Done.WRITTEN,
    ]
    assert sink.documents == {("things", "1"): b"two", ("things", "2"): b"other"}
    assert write(sink, op(2, b"again"), op(3, None), op(2, b"late")) == [
        Done.WRITTEN,
        Done.WRITTEN,
        Done.STALE,
    ]
    assert sink.documents == {("things", "2"): b"other"}
    assert write(sink, op(3, None)) == [Done.WRITTEN]


def test_without_versions_the_last_op_counts() -> None:
    """As a store of keys and values has it."""
    sink = Memory(versioned=False)
    assert write(sink, op(2, b"two"), op(1, b"one")) == [Done.WRITTEN] * 2
    assert sink.documents == {("things", "1"): b"one"}
