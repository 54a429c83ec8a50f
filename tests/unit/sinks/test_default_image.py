"""The default image sink, in an account in this process."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.transactions import TRIES
from sync.errors import (
    ConfigError,
    InvalidImage,
    Misconfigured,
    RecordError,
    Refused,
    Throttled,
    Unavailable,
)
from sync.runtime.deadline import Deadline
from sync.sinks.default_image import DefaultImage, Entity
from sync.writing.op import Done, Op
from tests.doubles.derived import Tables, at, look, lost_answer, lost_request, write
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
        "",
    ],
)
def test_a_key_without_ids_is_refused(partition: str) -> None:
    """It can be of no entity."""
    with pytest.raises(RecordError, match="does not name"):
        Entity.of_image(core_keys(partition, "IMG#1"), {})


@pytest.mark.parametrize("name", Entity._fields)
def test_a_row_has_to_agree_with_its_key(name: str) -> None:
    """Where it says something: the error names the field."""
    keys = N1.row("IMG#1")
    assert Entity.of_image(keys, {**N1._asdict(), name: None}) == N1
    with pytest.raises(InvalidImage, match=name):
        Entity.of_image(keys, {**N1._asdict(), name: "another"})


def test_all_images_of_an_entity_are_one_op() -> None:
    """So that dispatch folds them: one look for each entity and batch."""
    assert {Entity.of_image(N1.row(f"IMG#{n}"), None).op_id for n in range(3)} == {N1.op_id}
    assert N1.op_id != C172.op_id


def test_the_body_says_what_it_is_of() -> None:
    """Whether the image came, changed or went."""
    assert json.loads(N1.body()) == {
        "org_id": "SYSTEM",
        "entity_type": "REGISTRATION",
        "entity_id": "N1",
        "pk": "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1",
    }


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


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────


def spoilt(**fields: Any) -> bytes:
    return json.dumps({**json.loads(N1.body()), **fields}).encode()


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (None, "names no entity"),
        (b"{", "names no entity"),
        (b"[]", "names no entity"),
        (b"{}", "names no entity"),
        (spoilt(pk=5), "names no entity"),
        (spoilt(pk="IMAGES#ORG#a"), "names no entity"),
        (spoilt(org_id="another"), "org_id"),
        (Entity("SYSTEM", "ICAO", "x" * 1_100).body(), "bytes"),
        (spoilt(pk="IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#\ud800", entity_type=None, entity_id=None),
         "surrogate"),
    ],
)  # fmt: skip
def test_a_bad_body_is_refused_alone(tables: Tables, bad: bytes | None, named: str) -> None:
    """Also an entity type that no model has images of."""
    sink, _ = tables.images()
    upload(tables, C172, "IMG#1")
    good = look(C172)
    outcomes = dict(
        sink.write(
            [Op("default_image", good.source, good.target, "bad", bad, 1), good], Deadline(60)
        )
    )
    results = {op.id: result for op, result in outcomes.items()}
    assert results[good.id] is WRITTEN
    assert isinstance(results["bad"], Refused)
    assert named in str(results["bad"])


def cancelled(name: str, call: Callable[[], Any]) -> Any:
    """Every transaction is lost to another."""
    if name != "transact_write_items":
        return call()
    raise ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
            "CancellationReasons": [{"Code": "TransactionConflict"}],
        },
        "TransactWriteItems",
    )


def test_contention_is_handed_back_in_the_end(tables: Tables) -> None:
    """After a bounded number of tries; the other entity does not wait for it."""
    sink, client = tables.images(cancelled)
    upload(tables, N1, "IMG#1")
    assert write(sink, [look(N1), look(C172)]) == [Throttled, WRITTEN]
    assert client.calls["transact_write_items"] == TRIES


def test_a_missing_table_is_about_us(tables: Tables) -> None:
    """It is not tried again, and named."""
    _, client = tables.images()
    ((_, result),) = DefaultImage(client, "gone").write([look(N1)], Deadline(60))
    assert isinstance(result, Misconfigured)
    assert "gone" in str(result)
    assert sum(client.calls.values()) == 1


def test_no_time_left_asks_nothing(tables: Tables) -> None:
    """Every op is handed back."""
    sink, client = tables.images()
    assert write(sink, [look(N1)], Deadline(0)) == [Unavailable]
    assert not client.calls


def test_settings_are_named_when_they_are_missing() -> None:
    """One table."""
    assert DefaultImage.from_env({"IMAGES_TABLE": "core"}).name == "default_image"
    with pytest.raises(ConfigError, match="IMAGES_TABLE"):
        DefaultImage.from_env({})


@pytest.mark.parametrize("call", range(5))
@pytest.mark.parametrize("fault", [lost_request, lost_answer])
def test_an_unknown_outcome_is_found_out(tables: Tables, call: int, fault: Any) -> None:
    """Whichever call's request or answer is lost."""
    upload(tables, N1, "IMG#1", "IMG#2")
    tables.put(N1.row("DEFAULT"), image="IMG#0")
    sink, _ = tables.images(at(call, fault))
    assert write(sink, [look(N1)]) == [WRITTEN]
    assert tables.image(N1) == ("IMG#2", "IMG#2")


# ── Others at the same entity ─────────────────────────────────────────────────────────────────────


def late(tables: Tables, call: int, change: Callable[[], None]) -> None:
    """Look at N1, and before that call another does *change* and looks, to the end."""

    def meanwhile(_name: str, go_on: Callable[[], Any]) -> Any:
        change()
        write(tables.images()[0], [look(N1)])
        return go_on()

    sink, client = tables.images(at(call, meanwhile))
    assert write(sink, [look(N1)]) == [WRITTEN]
    assert sum(client.calls.values()) > call  # else there was no such call


@pytest.mark.parametrize("call", range(4))
def test_an_image_that_goes_meanwhile_is_never_pointed_to(tables: Tables, call: int) -> None:
    """The late call saw it, and wants to point to it."""
    upload(tables, N1, "IMG#1", "IMG#3")
    tables.put(N1.row("DEFAULT"), image="IMG#2")
    late(tables, call, lambda: tables.delete(N1.row("IMG#3")))
    assert tables.image(N1) == ("IMG#1", "IMG#1")


@pytest.mark.parametrize("call", range(3))
def test_the_only_image_that_goes_meanwhile_is_never_pointed_to(tables: Tables, call: int) -> None:
    """There was no default, and there is none again: nothing shows that another was there."""
    upload(tables, N1, "IMG#1")
    late(tables, call, lambda: tables.delete(N1.row("IMG#1")))
    assert tables.image(N1) == (None, None)


@pytest.mark.parametrize("call", range(3))
def test_an_image_that_comes_meanwhile_is_not_lost(tables: Tables, call: int) -> None:
    """The late call saw none, and wants to remove the default."""
    tables.put(N1.row("DEFAULT"), image="IMG#2")
    tables.put(N1.lookup, image="IMG#2")
    late(tables, call, lambda: upload(tables, N1, "IMG#4"))
    assert tables.image(N1) == ("IMG#4", "IMG#4")


@pytest.mark.parametrize("call", range(3))
def test_an_image_that_comes_back_meanwhile_keeps_its_default(tables: Tables, call: int) -> None:
    """The late call saw it missing; the one in between had nothing to write that would show."""
    upload(tables, N1, "IMG#1")
    write(tables.images()[0], [look(N1)])
    tables.delete(N1.row("IMG#1"))
    late(tables, call, lambda: upload(tables, N1, "IMG#1"))
    assert tables.image(N1) == ("IMG#1", "IMG#1")


@pytest.mark.parametrize("call", range(4))
def test_an_image_that_is_replaced_meanwhile_is_never_pointed_to(tables: Tables, call: int) -> None:
    """The default's image is back, so the call in between writes nothing; the newest is gone."""
    upload(tables, N1, "IMG#1", "IMG#3")
    tables.put(N1.row("DEFAULT"), image="IMG#2")
    tables.put(N1.lookup, image="IMG#2")

    def change() -> None:
        upload(tables, N1, "IMG#2")
        tables.delete(N1.row("IMG#3"))

    late(tables, call, change)
    assert tables.image(N1) == ("IMG#2", "IMG#2")


@pytest.mark.parametrize("call", range(3))
def test_a_late_copy_does_not_replace_a_newer_one(tables: Tables, call: int) -> None:
    """The late call only wants to repair the copy of a pointer that has moved since."""
    upload(tables, N1, "IMG#1", "IMG#2")
    tables.put(N1.row("DEFAULT"), image="IMG#2")
    late(tables, call, lambda: tables.delete(N1.row("IMG#2")))
    assert tables.image(N1) == ("IMG#1", "IMG#1")
