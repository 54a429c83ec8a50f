"""What `mappings apply` asks of Typesense; tests/contract has a real one."""

from collections.abc import Iterable
from typing import Any

import pytest

from sync.errors import Misconfigured
from tests.doubles.replies import Told, replying, sent
from tests.fault_proxy import Reply
from tests.unit.sinks.typesense.test_client import connected

NAME = {"name": "name", "type": "string", "facet": True, "optional": False}
COUNT = {"name": "count", "type": "int64", "optional": False}
SCHEMA = {"enable_nested_fields": True, "fields": [NAME, COUNT]}
NO_ALIAS = {"GET /aliases": {"aliases": [{"name": "others", "collection_name": "others_v1"}]}}
ALIASES = {"aliases": [{"name": "things", "collection_name": "things_v3"}]}


def listed(*collections: tuple[str, Iterable[Any], int]) -> Told:
    """There is no alias; there are *collections*: name, fields and number of documents."""
    return {
        **NO_ALIAS,
        "GET /collections": [
            {"name": name, "fields": list(fields), "num_documents": documents}
            for name, fields, documents in collections
        ],
        "POST /collections": {},
        "PUT /aliases/things": {},
    }


def behind(*fields: Any) -> Told:
    """There is an alias, and a collection with *fields* behind it."""
    return {
        "GET /aliases": ALIASES,
        "GET /collections/things_v3": {"name": "things_v3", "fields": list(fields)},
        "PATCH /collections/things_v3": {},
    }


def prepared(told: Told) -> tuple[str, list[tuple[str, Any]]]:
    """The result, and the requests that change something."""
    with replying(told) as server, connected(server) as connection:
        result = connection.prepare("things", SCHEMA)
        changes = [each for each in sent(server) if not each[0].startswith("GET")]
    return result, changes


def refused(told: Told) -> str:
    """Why nothing was changed."""
    with replying(told) as server, connected(server) as connection:
        with pytest.raises(Misconfigured) as caught:
            connection.prepare("things", SCHEMA)
        assert not [name for name, _ in sent(server) if not name.startswith("GET")]
    return str(caught.value)


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (listed(), 1),
        (listed(("things_v2", [NAME], 0), ("things_v10", [], 0)), 11),  # by number, not by text
        (listed(("things_v1", [NAME, COUNT], 5)), 2),  # somebody's documents
        (listed(("things_v1", [NAME, {**COUNT, "type": "string"}], 0)), 2),
        (listed(("things_v4x", [NAME, COUNT], 0), ("my_things_v7", [NAME, COUNT], 0)), 1),
    ],
    ids=["nothing", "other fields", "documents", "other types", "other names"],
)
def test_a_collection_is_created_and_then_its_alias(told: Told, number: int) -> None:
    """Collections that are there are left as they are."""
    assert prepared(told) == (
        "created",
        [
            ("POST /collections", {**SCHEMA, "name": f"things_v{number}"}),
            ("PUT /aliases/things", {"collection_name": f"things_v{number}"}),
        ],
    )


def test_a_collection_that_a_crash_left_gets_its_alias() -> None:
    """Empty and of the same fields, it is what was to be made, whatever defaults it has besides."""
    there = [{**NAME, "index": True}, {**COUNT, "optional": True}]
    assert prepared(listed(("things_v1", [], 0), ("things_v2", there, 0))) == (
        "created",
        [("PUT /aliases/things", {"collection_name": "things_v2"})],
    )


def test_a_collection_where_an_alias_is_to_be_is_told() -> None:
    """It is never deleted."""
    told = refused(listed(("things", [], 0)))
    assert told == "things is a collection where an alias is to be"


@pytest.mark.parametrize(
    ("told", "added"),
    [
        (behind(NAME, COUNT), []),
        (behind(NAME, {**COUNT, "optional": True}, {"name": "old", "type": "float"}), []),
        (behind(COUNT), [{**NAME, "optional": True}]),
        (behind(), [{**NAME, "optional": True}, {**COUNT, "optional": True}]),
    ],
    ids=["the same", "more", "less", "nothing"],
)
def test_fields_are_added_in_place(told: Told, added: list[Any]) -> None:
    """As optional ones: the documents that are there lack them."""
    result = "extended" if added else "unchanged"
    changes = [("PATCH /collections/things_v3", {"fields": added})] if added else []
    assert prepared(told) == (result, changes)


def test_fields_that_differ_are_named() -> None:
    """All of them, sorted; nothing is added, since the documents need a new collection."""
    there = [{**NAME, "facet": False}, {**COUNT, "type": "float"}]
    assert refused(behind(*there)) == (
        "alias things, collection things_v3: the type of count, name differs "
        "from the model; it can't be changed in place: run `reindex`"
    )


def test_a_field_that_became_optional_differs_only_in_the_model() -> None:
    """A document without it would be refused: the collection needs it."""
    optional = {**SCHEMA, "fields": [{**COUNT, "optional": True}]}
    with (
        replying(behind(COUNT)) as server,
        connected(server) as connection,
        pytest.raises(Misconfigured, match="the type of count differs"),
    ):
        connection.prepare("things", optional)


def test_a_request_that_is_too_large_names_the_alias() -> None:
    """What stands before the server takes no such schema."""
    told = {**listed(), "POST /collections": Reply(413, b'{"message":"too large"}')}
    with (
        replying(told) as server,
        connected(server) as connection,
        pytest.raises(Misconfigured) as caught,
    ):
        connection.prepare("things", SCHEMA)
    assert str(caught.value) == "things: 413 too large"


def test_a_preparation_has_the_sink_s_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No write's deadline concerns it."""
    given: list[Any] = []
    with replying(behind(NAME, COUNT)) as server, connected(server) as connection:
        http = connection._http
        send = http.send

        def spy(request: Any, **options: Any) -> Any:
            given.append(request.extensions["timeout"]["read"])
            return send(request, **options)

        monkeypatch.setattr(http, "send", spy)
        connection.prepare("things", SCHEMA)
    assert set(given) == {5.0}
