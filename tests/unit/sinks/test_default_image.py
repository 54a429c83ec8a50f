"""The default image sink, in an account in this process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import (
    InvalidImage,
    RecordError,
)
from sync.sinks.default_image import Entity
from sync.writing.op import Done
from tests.doubles.derived import Tables, look, write
from tests.records import core_keys

WRITTEN = Done.WRITTEN
N1 = Entity("SYSTEM", "REGISTRATION", "N1")
C172 = Entity("SYSTEM", "ICAO", "C172")


def upload(tables: Tables, entity: Entity, *images: str) -> None:
    for image in images:
        tables.put(entity.row(image), **entity._asdict())


# ── Entities ──────────────────────────────────────────────────────────────────────────────────────

PARTS = st.text(st.characters(exclude_characters="#", exclude_categories=["Cs"]), min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.builds(Entity, PARTS, PARTS, TEXTS))
def test_an_entity_follows_from_the_keys_of_its_images(entity: Entity) -> None:
    """The id may hold anything, also what separates the other parts."""
    assert Entity.of_image(entity.row("IMG#1"), None) == entity
    assert Entity.of_image(entity.row("IMG#1"), entity._asdict()) == entity


@pytest.mark.parametrize(
    "partition",
    [
        "IMAGES#",
        "IMAGES#ORG##ENTITY##ID#",
        "IMAGES#ORG#a#ENTITY#b#ID#",
        "IMAGES#ORG#a#ENTITY##ID#c",
        "IMAGES#ORG#a#b#ENTITY#c#ID#d",
        "images#ORG#a#ENTITY#b#ID#c",
        "x" * 300,
        "",
    ],
)
def test_a_key_without_ids_is_refused(partition: str) -> None:
    """It can be of no entity: the error has the start of it."""
    with pytest.raises(RecordError) as caught:
        Entity.of_image(core_keys(f"{partition}", "IMG#1"), {})
    assert str(caught.value) == (f"{partition[:200]!r} does not name an org, entity type and id")


def test_a_key_without_a_partition_is_refused() -> None:
    """It is of another table."""
    with pytest.raises(RecordError) as caught:
        Entity.of_image({"productId": {"S": "p"}}, None)
    assert str(caught.value) == "the key attribute 'PK' is missing"


@pytest.mark.parametrize("name", Entity._fields)
def test_a_row_has_to_agree_with_its_key(name: str) -> None:
    """Where it says something: the error names the field."""
    keys = N1.row("IMG#1")
    assert Entity.of_image(keys, {**N1._asdict(), name: None}) == N1
    with pytest.raises(InvalidImage) as caught:
        Entity.of_image(keys, {**N1._asdict(), name: "another"})
    assert str(caught.value) == f"{name} differs from the one in the row's key"


def test_all_images_of_an_entity_are_one_op() -> None:
    """So that dispatch folds them: one look for each entity and batch."""
    assert {Entity.of_image(N1.row(f"IMG#{n}"), None).op_id for n in range(3)} == {N1.op_id}
    assert N1.op_id != C172.op_id


def test_the_body_says_what_it_is_of() -> None:
    """Whether the image came, changed or went."""
    assert Entity("SYSTEM", "REGISTRATION", "é").body().decode() == (
        '{"org_id":"SYSTEM","entity_type":"REGISTRATION","entity_id":"é",'
        '"pk":"IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#é"}'
    )


# ── The four cases ────────────────────────────────────────────────────────────────────────────────


def test_without_images_there_is_no_default(tables: Tables) -> None:
    """Case 1: the default row and its copy go with the last image."""
    sink, _ = tables.images()
    upload(tables, N1, "IMG#1")
    write(sink, [look(N1)])
    tables.delete(N1.row("IMG#1"))
    assert write(sink, [look(N1)]) == [WRITTEN]
    assert tables.rows(tables.core) == []


def test_the_newest_image_by_key_becomes_the_default(tables: Tables) -> None:
    """Case 2: there was none. Readers find it under keys of their own."""
    sink, _ = tables.images()
    upload(tables, N1, "IMG#1", "IMG#3", "IMG#2")
    tables.put(N1.row("NOTE#9"))
    assert write(sink, [look(N1)]) == [WRITTEN]
    values = {n: {"S": v} for n, v in {**N1._asdict(), "image": "IMG#3"}.items()}
    assert tables.get(N1.row("DEFAULT")) == {**N1.row("DEFAULT"), **values}
    keys = core_keys("DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION", "ID#N1")
    assert tables.get(keys) == {**keys, **values}


def test_a_default_whose_image_is_gone_moves_to_the_newest(tables: Tables) -> None:
    """Case 3, whether the image was the newest or not."""
    sink, _ = tables.images()
    upload(tables, N1, "IMG#2")
    write(sink, [look(N1)])
    upload(tables, N1, "IMG#1", "IMG#3")
    tables.delete(N1.row("IMG#2"))
    write(sink, [look(N1)])
    assert tables.image(N1) == ("IMG#3", "IMG#3")
    tables.delete(N1.row("IMG#3"))
    write(sink, [look(N1)])
    assert tables.image(N1) == ("IMG#1", "IMG#1")


def test_a_valid_default_stays_and_its_copy_is_repaired(tables: Tables) -> None:
    """Case 4: a newer image does not take its place."""
    sink, _ = tables.images()
    upload(tables, N1, "IMG#1")
    write(sink, [look(N1)])
    upload(tables, N1, "IMG#2")
    for broken in (None, "IMG#0"):
        tables.delete(N1.lookup)
        if broken:
            tables.put(N1.lookup, image=broken)
        assert write(sink, [look(N1)]) == [WRITTEN]
        assert tables.image(N1) == ("IMG#1", "IMG#1")


def test_nothing_is_written_where_all_is_well(tables: Tables) -> None:
    """With images, and without."""
    sink, client = tables.images()
    upload(tables, N1, "IMG#1")
    write(sink, [look(N1)])
    client.calls.clear()
    assert write(sink, [look(N1), look(C172)]) == [WRITTEN, WRITTEN]
    assert client.calls == {"batch_get_item": 1, "query": 2}


def test_images_are_looked_for_consistently_and_by_their_keys(tables: Tables) -> None:
    """An image that was just written is found; what it holds, which is more, is not read."""
    sink, client = tables.images()
    upload(tables, N1, "IMG#1", "IMG#2")
    tables.put(N1.row("DEFAULT"), image="IMG#1")
    write(sink, [look(N1)])
    looks = [request for name, request in client.requests if name in ("query", "get_item")]
    assert [
        (each["ConsistentRead"], each["ProjectionExpression"], each.get("Limit")) for each in looks
    ] == [(True, "SK", 1), (True, "SK", None)]


def test_a_copy_without_a_pointer_goes(tables: Tables) -> None:
    """As after a default row was deleted by hand, with its images."""
    sink, _ = tables.images()
    tables.put(N1.lookup, image="IMG#1")
    write(sink, [look(N1)])
    assert tables.rows(tables.core) == []


@pytest.mark.parametrize("image", ["", "DEFAULT", "elsewhere", None])
@pytest.mark.parametrize("images", [(), ("IMG#1",)])
def test_a_default_row_that_points_to_no_image_is_replaced(
    tables: Tables, image: str | None, images: tuple[str, ...]
) -> None:
    """It may be written by anybody."""
    sink, _ = tables.images()
    upload(tables, N1, *images)
    tables.put(N1.row("DEFAULT"), **({} if image is None else {"image": image}))
    assert write(sink, [look(N1)]) == [WRITTEN]
    assert tables.image(N1) == ((images[0],) * 2 if images else (None, None))


def test_entities_are_told_apart_where_one_key_begins_the_other(tables: Tables) -> None:
    """N1's images are not N12's."""
    sink, _ = tables.images()
    other = Entity("SYSTEM", "REGISTRATION", "N12")
    upload(tables, N1, "IMG#1")
    upload(tables, other, "IMG#9")
    upload(tables, C172, "IMG#5")
    write(sink, [look(N1), look(other), look(C172)])
    assert [tables.image(e)[1] for e in (N1, other, C172)] == ["IMG#1", "IMG#9", "IMG#5"]
