"""The default image sink when bodies are bad, calls fail, or others change the same entity."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.aws.clients import client as aws_client
from sync.aws.transactions import TRIES
from sync.errors import (
    ConfigError,
    Misconfigured,
    Refused,
    Throttled,
    Unavailable,
)
from sync.runtime.deadline import Deadline
from sync.sinks.default_image import DefaultImage, Entity
from sync.writing.op import Op
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import Tables, at, look, lost_answer, lost_request, patient, write
from tests.unit.sinks.test_default_image import C172, N1, WRITTEN, upload


def spoilt(**fields: Any) -> bytes:
    return json.dumps({**json.loads(N1.body()), **fields}).encode()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (None, "the body names no entity: 'NoneType' object is not subscriptable"),
        (b"{", "the body names no entity: Expecting property name"),
        (b"[]", "the body names no entity: list indices must be integers"),
        (b"{}", "the body names no entity: 'pk'"),
        (spoilt(pk=5), "the body names no entity: "),
        (
            spoilt(pk="IMAGES#ORG#a"),
            "the body names no entity: 'IMAGES#ORG#a' does not name an org, entity type and id",
        ),
        (
            spoilt(org_id="another"),
            "the body names no entity: org_id differs from the one in the row's key",
        ),
        (
            Entity("SYSTEM", "ICAO", "x" * 1_022).body(),
            "its lookup key would have 1025 bytes, over 1024",
        ),
        (
            spoilt(pk="IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#\ud800", entity_type=None, entity_id=None),
            "the body names no entity: a lone surrogate at character 33",
        ),
    ],
)
def test_a_bad_body_is_refused_alone(tables: Tables, bad: bytes | None, why: str) -> None:
    """Also an entity type that no model has images of."""
    sink, _ = tables.images()
    upload(tables, C172, "IMG#1")
    good = look(C172)
    outcomes = dict(
        sink.write([Op("default_image", good.source, good.target, "bad", bad, 1), good], patient())
    )
    results = {op.id: result for op, result in outcomes.items()}
    assert results[good.id] is WRITTEN
    assert isinstance(results["bad"], Refused)
    assert str(results["bad"]).startswith(why)


def test_an_id_of_the_most_bytes_has_a_default(tables: Tables) -> None:
    """Its lookup row's key is as long as a key can be."""
    sink, _ = tables.images()
    longest = Entity("SYSTEM", "ICAO", "x" * 1_021)
    upload(tables, longest, "IMG#1")
    assert write(sink, [look(longest)]) == [WRITTEN]


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
    outcomes = {op.id: result for op, result in sink.write([look(N1), look(C172)], patient())}
    assert outcomes[C172.op_id] is WRITTEN
    contended = outcomes[N1.op_id]
    assert isinstance(contended, Throttled)
    assert str(contended) == "other calls changed the entity's images at the same time"
    assert client.calls["transact_write_items"] == TRIES


def late_calls(after: str, error: Exception) -> Any:
    """Every call of the kind *after* fails."""

    def fault(name: str, call: Callable[[], Any]) -> Any:
        if name == after:
            raise error
        return call()

    return fault


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Call")


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("batch_get_item", "reading from {table}: "),
        ("query", "looking for images in {table}: "),
        ("get_item", "looking for images in {table}: "),
        ("transact_write_items", "setting a default image in {table}: "),
    ],
)
def test_a_call_that_fails_ends_the_try(tables: Tables, call: str, why: str) -> None:
    """It would fail for the next entity too: each is told it, and no more is asked."""
    sink, client = tables.images(late_calls(call, DENIED))
    for entity in (N1, C172):
        upload(tables, entity, "IMG#1", "IMG#2")
        tables.put(entity.row("DEFAULT"), image="IMG#1")
    results = [result for _, result in sink.write([look(N1), look(C172)], patient())]
    assert [type(result) for result in results] == [Misconfigured] * 2
    assert all(str(result).startswith(why.format(table=tables.core)) for result in results)
    assert client.calls[call] == 1


def test_time_that_runs_out_leaves_the_next_entity_alone(tables: Tables) -> None:
    """What is done stays done."""
    clock = ManualClock()

    def slow(name: str, call: Callable[[], Any]) -> Any:
        if name == "transact_write_items":
            clock.now += 5
        return call()

    sink, _ = tables.images(slow)
    for entity in (N1, C172):
        upload(tables, entity, "IMG#1")
    deadline = Deadline(5, clock=clock.monotonic, sleep=clock.sleep)
    done, late = [result for _, result in sink.write([look(N1), look(C172)], deadline)]
    assert done is WRITTEN
    assert (type(late), str(late)) == (Unavailable, "no time is left")


@pytest.mark.parametrize("row", ["DEFAULT", "lookup"])
def test_a_row_that_cannot_be_read_is_left_as_it_is(tables: Tables, row: str) -> None:
    """Nobody knows what it holds; the other entity is looked after."""
    key = N1.lookup if row == "lookup" else N1.row("DEFAULT")

    def half(name: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if name == "batch_get_item":
            answer["UnprocessedKeys"] = {tables.core: {"Keys": [key]}}
        return answer

    sink, _ = tables.images(half)
    for entity in (N1, C172):
        upload(tables, entity, "IMG#1")
    clock = ManualClock()
    deadline = Deadline(2, clock=clock.monotonic, sleep=clock.sleep)
    outcomes = {op.id: result for op, result in sink.write([look(N1), look(C172)], deadline)}
    unread = outcomes[N1.op_id]
    assert isinstance(unread, Throttled)
    assert "left unprocessed" in str(unread)
    assert tables.image(N1) == (None, None)


def test_a_missing_table_is_about_us(tables: Tables) -> None:
    """It is not tried again, and named."""
    _, client = tables.images()
    ((_, result),) = DefaultImage(client, "gone").write([look(N1)], patient())
    assert isinstance(result, Misconfigured)
    assert str(result).startswith("reading from gone: ")
    assert sum(client.calls.values()) == 1


def test_no_time_left_asks_nothing(tables: Tables) -> None:
    """Every op is handed back."""
    sink, client = tables.images()
    assert write(sink, [look(N1)], Deadline(0)) == [Unavailable]
    assert not client.calls


def test_settings_are_named_when_they_are_missing() -> None:
    """One table."""
    sink = DefaultImage.from_env({"IMAGES_TABLE": "core"})
    assert (sink._table, sink._clients) == ("core", aws_client)
    with pytest.raises(ConfigError, match="^IMAGES_TABLE is not set$"):
        DefaultImage.from_env({})
    with pytest.raises(ConfigError, match="^IMAGES_TABLE must be a table's name, not 'a b'$"):
        DefaultImage.from_env({"IMAGES_TABLE": "a b"})


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
