"""Whatever happens on the way, an entity's default is one of its images."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.sinks.default_image import Entity
from tests.doubles.derived import (
    Killed,
    Tables,
    at,
    in_process,
    killed_after,
    killed_before,
    look,
    lost_answer,
    lost_request,
    write,
)
from tests.lengths import cases

N1 = Entity("SYSTEM", "REGISTRATION", "N1")
C172 = Entity("SYSTEM", "ICAO", "C172")


@pytest.mark.soak
@settings(max_examples=cases(20, 300))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([N1, C172]),
            st.booleans(),  # comes or goes
            st.integers(1, 3),  # an image
            st.integers(0, 5),  # the call at which the process dies
            st.sampled_from([killed_before, killed_after, lost_answer, lost_request]),
        ),
        max_size=12,
    )
)
def test_every_default_is_valid_after_any_history(steps: list[Any]) -> None:
    """It points to an image that exists, or there is none; readers are told the same."""
    with in_process() as tables:
        for entity, comes, n, call, fault in steps:
            row = entity.row(f"IMG#{n}")
            if comes:
                tables.put(row, **entity._asdict())
            else:
                tables.delete(row)
            sink, _ = tables.images(at(call, fault))
            try:
                write(sink, [look(entity)])
            except Killed:
                write(tables.images()[0], [look(entity)])
        for entity in (N1, C172):
            assert valid(tables, entity)


def valid(tables: Tables, entity: Entity) -> bool:
    pointer, lookup = tables.image(entity)
    images = tables.images_of(entity)
    return pointer == lookup and (pointer in images if images else pointer is None)
