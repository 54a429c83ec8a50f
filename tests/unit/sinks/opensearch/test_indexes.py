"""What `mappings apply` asks of OpenSearch; tests/contract has a real one."""

from collections.abc import Mapping
from typing import Any

import pytest

from sync.errors import Misconfigured, Unavailable
from sync.sinks.opensearch.client import Connection
from sync.sinks.opensearch.mapping import added
from sync.sinks.opensearch.settings import Settings
from tests.doubles.replies import Told, replying, sent
from tests.fault_proxy import Reply

TEXT = {"type": "text"}
LONG = {"type": "long"}
BODY = {
    "settings": {"number_of_shards": 1, "gc_deletes": "900s"},
    "mappings": {"dynamic": "strict", "properties": {"name": TEXT, "count": LONG}},
}
ALIAS = {"HEAD /_alias/things": 200}


def index(
    properties: Mapping[str, Any] | None, gc_deletes: str | None = "900s", name: str = "things-v1"
) -> Told:
    """What OpenSearch says of the index behind the alias."""
    mappings = {} if properties is None else {"properties": properties}
    settings = {} if gc_deletes is None else {"gc_deletes": gc_deletes}
    return {
        **ALIAS,
        "GET /things/_mapping": {name: {"mappings": mappings}},
        f"GET /{name}/_settings": {name: {"settings": {"index": settings}}},
        f"PUT /{name}/_mapping": {"acknowledged": True},
        f"PUT /{name}/_settings": {"acknowledged": True},
    }


def prepared(told: Told) -> tuple[str, dict[str, Any]]:
    """The result, and the bodies of the requests that change something, by their names."""
    with replying(told) as server:
        result = Connection(Settings(server.url, None, "false", 5.0)).prepare("things", BODY)
        changes = {name: body for name, body in sent(server) if name.startswith("PUT")}
    return result, changes


def refused(told: Told) -> str:
    """Why nothing was changed."""
    with replying(told) as server:
        with pytest.raises(Misconfigured) as caught:
            Connection(Settings(server.url, None, "false", 5.0)).prepare("things", BODY)
        assert not [name for name, _ in sent(server) if name.startswith("PUT")]
    return str(caught.value)


@pytest.mark.parametrize(
    ("there", "number"),
    [
        ([], 1),
        (["things-v1"], 2),
        (["things-v2", "things-v10"], 11),  # by number, not by text
        (["things-v3", "things-v4-old", "things-vx", "my-things-v9"], 4),
    ],
)
def test_an_alias_and_its_index_are_created_at_once(there: list[str], number: int) -> None:
    """A crash leaves both or neither; an index that an alias had before is left as it is."""
    name = f"PUT /things-v{number}"
    result, changes = prepared({"GET /things-v*": {key: {} for key in there}, name: {}})
    assert result == "created"
    assert changes == {name: {**BODY, "aliases": {"things": {"is_write_index": True}}}}


def test_a_dot_in_an_alias_is_a_dot() -> None:
    """An alias may be named like a table, whose name may hold one."""
    told: Told = {
        "GET /my.things-v*": {"my.things-v1": {}, "my-things-v7": {}},
        "PUT /my.things-v2": {},
    }
    with replying(told) as server:
        connection = Connection(Settings(server.url, None, "false", 5.0))
        assert connection.prepare("my.things", BODY) == "created"


def test_the_indexes_of_an_alias_may_be_missing() -> None:
    """OpenSearch answers 404 for a name without an index, unless it is told to ignore that."""
    with replying({"GET /things-v*": {}, "PUT /things-v1": {}}) as server:
        Connection(Settings(server.url, None, "false", 5.0)).prepare("things", BODY)
        (listed,) = [request for request in server.requests if request.method == "GET"]
    assert listed.path.endswith("?ignore_unavailable=true")


def test_an_index_where_an_alias_is_to_be_is_told() -> None:
    """It is never deleted."""
    assert refused({"HEAD /things": 200}) == (
        "things is an index where an alias is to be: something wrote to it too early"
    )


@pytest.mark.parametrize(
    ("told", "result", "changes"),
    [
        (index({"name": TEXT, "count": LONG}), "unchanged", {}),
        (index({"name": TEXT, "count": LONG, "old": LONG}), "unchanged", {}),
        (
            index({"name": TEXT}),
            "extended",
            {"PUT /things-v1/_mapping": {"properties": {"count": LONG}}},
        ),
        (
            index(None),
            "extended",
            {"PUT /things-v1/_mapping": {"properties": {"name": TEXT, "count": LONG}}},
        ),
        (
            index({"name": TEXT, "count": LONG}, gc_deletes=None),
            "extended",
            {"PUT /things-v1/_settings": {"index.gc_deletes": "900s"}},
        ),
        (
            index({"count": LONG}, gc_deletes="60s", name="things-v7"),
            "extended",
            {
                "PUT /things-v7/_mapping": {"properties": {"name": TEXT}},
                "PUT /things-v7/_settings": {"index.gc_deletes": "900s"},
            },
        ),
    ],
    ids=["nothing to do", "a field more", "a field less", "no field", "no time", "both"],
)
def test_an_index_is_extended_in_place(told: Told, result: str, changes: Mapping[str, Any]) -> None:
    """By what it lacks, and no more: fields that no model has any longer stay."""
    assert prepared(told) == (result, changes)


def test_fields_that_differ_are_named() -> None:
    """All of them, sorted; nothing is added, since the documents need a new index."""
    assert refused(index({"name": LONG, "count": TEXT}, name="things-v3")) == (
        "alias things, index things-v3: the type of count, name differs from the "
        "model; it can't be changed in place: run `reindex`"
    )


def test_a_server_s_refusal_names_the_alias() -> None:
    """Such as that of a role that may not see indexes."""
    denied = Reply(403, b'{"error":{"type":"security_exception","reason":"no permissions"}}')
    assert refused({**ALIAS, "GET /things/_mapping": denied}) == (
        "things: 403 security_exception: no permissions"
    )


def test_a_server_that_is_away_is_no_mistake() -> None:
    """The command can be repeated."""
    with replying({"HEAD /_alias/things": 503}) as server, pytest.raises(Unavailable):
        Connection(Settings(server.url, None, "false", 5.0)).prepare("things", BODY)


def test_a_field_within_another_is_added_in_place() -> None:
    """OpenSearch merges what it is told with what it has. An index may be opened, never closed."""
    size = {"dynamic": "strict", "properties": {"unit": TEXT}}
    wider = {"dynamic": "strict", "properties": {"unit": TEXT, "width": LONG}}
    strict = {"dynamic": "strict", "properties": {"size": size}}
    assert added(strict, {**strict, "properties": {"size": wider}}) == {
        "properties": {"size": {"properties": {"width": LONG}}}
    }
    opened = {"dynamic": "true", "date_detection": False, "properties": {"size": size}}
    assert added(strict, opened) == {"dynamic": "true", "date_detection": False}
    assert added(opened, strict) == {}
    assert added({}, strict) == {"properties": {"size": size}}
