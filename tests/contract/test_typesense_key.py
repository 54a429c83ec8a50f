"""What the service's API key has to allow, no less and no more."""

import json
from contextlib import AbstractContextManager
from typing import Any

import pytest
from typesense import Client

from local.servers.typesense import TypesenseServer
from local.stack import TYPESENSE_ACTIONS
from sync.errors import Misconfigured, Retry
from sync.model.fields import Keyword
from sync.model.model import Model
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.schema import collection
from sync.writing.comparing import Differs
from sync.writing.op import Done, Op
from tests.contract.sinks import SOURCE, patient
from tests.contract.typesense_sinks import direct_of, make_target

READING = ("aliases:list", "documents:export", "documents:get", "documents:search")


class Plane(Model):
    name: Keyword


class PlaneWithEngines(Plane):
    engines: int


def allowed(server: TypesenseServer, *actions: str) -> AbstractContextManager[Typesense]:
    """A sink whose key may do *actions*."""
    return direct_of(server, server.url, key=server.create_key("of a test", actions))


def everything(sink: Typesense) -> list[Any]:
    """What became of each thing that the service does with a Typesense."""

    def written(id_: str, body: bytes | None) -> Any:
        ((_, result),) = sink.write([Op("typesense", SOURCE, "planes", id_, body, 1)], patient())
        return result

    def prepared(model: type[Model]) -> Any:
        try:
            return sink.prepare(
                "planes", json.loads(json.dumps(collection([model.document_schema()])))
            )
        except Retry as error:
            return error

    made = [prepared(Plane), prepared(PlaneWithEngines), prepared(PlaneWithEngines)]
    puts = [written(id_, b'{"name":"a","engines":2}') for id_ in ("1", "..")]
    return [*made, *puts, *(written(id_, None) for id_ in ("1", "..", "absent"))]


def test_the_actions_that_are_told_suffice(typesense: TypesenseServer, client: Client) -> None:
    """To make collections and aliases, to extend them, to write and to delete."""
    with allowed(typesense, *TYPESENSE_ACTIONS) as sink:
        assert everything(sink) == ["created", "extended", "unchanged", *[Done.WRITTEN] * 5]
    assert client.collections["planes"].documents.export() == ""


@pytest.mark.parametrize("action", sorted({*TYPESENSE_ACTIONS} - {*READING} | {"aliases:list"}))
def test_none_of_them_is_for_nothing(typesense: TypesenseServer, action: str) -> None:
    """Without it something is forbidden, and told so."""
    with allowed(typesense, *(set(TYPESENSE_ACTIONS) - {action})) as sink:
        told = [str(result) for result in everything(sink) if isinstance(result, Retry)]
    assert any(text.startswith("401 Forbidden") for text in told)


def reading(sink: Typesense) -> list[Any]:
    """Each way of reading; a backtick can't stand in a search."""
    ops = [Op("typesense", SOURCE, "planes", id_, b"{}", 1) for id_ in ("1", "a`b")]
    return [
        *(each.differs for each in sink.compare(ops, patient())),
        *sink.ids("planes", None, patient()),
        *sink.sample("planes", 1, patient()),
    ]


def test_what_is_told_suffices_for_verify() -> None:
    """The key of the functions may read, too."""
    assert {*READING} <= {*TYPESENSE_ACTIONS}


def test_these_actions_suffice_for_verify(typesense: TypesenseServer, client: Client) -> None:
    """A key that only reads is enough."""
    make_target(client, "planes")
    client.collections["planes_v1"].documents.upsert({"id": "1"})
    with allowed(typesense, *READING) as sink:
        assert reading(sink) == [None, Differs("missing"), ("1", '[1,"1"]'), "1"]


@pytest.mark.parametrize("action", READING)
def test_none_of_these_is_for_nothing(
    typesense: TypesenseServer, client: Client, action: str
) -> None:
    """Without it verify is forbidden, and says so: nothing is called missing."""
    make_target(client, "planes")
    with (
        allowed(typesense, *(set(READING) - {action})) as sink,
        pytest.raises(Misconfigured, match="401 Forbidden"),
    ):
        reading(sink)
