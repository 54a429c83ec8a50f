"""Reading a collection: what is asked, what is made of the answer, and where a walk goes on."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import ConfigError, Misconfigured, NotTried, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.answers import TooLarge
from sync.sinks.typesense.reading import ANCHORS, MOST_READ, Reader
from sync.writing.comparing import Differs
from sync.writing.op import Op
from tests.doubles.replies import replying
from tests.fault_proxy import Reply
from tests.unit.sinks.typesense.test_client import ALIASES, connected

EXPORT = "GET /collections/things_v2/documents/export"


class Collection:
    """An alias `p-things` of documents, in the order in which they came."""

    def __init__(self, *ids: str) -> None:
        self.held: dict[str, Any] = {id_: {"id": id_} for id_ in ids}
        self.calls: list[Any] = []
        self.failures: list[Exception] = []
        self.closed = 0

    def documents(self, target: str, ids: Sequence[str], timeout_s: float) -> list[Any]:
        self._called("documents", target, list(ids), timeout_s)
        return [self.held[id_] for id_ in ids if id_ in self.held]

    def document(self, target: str, id_: str, timeout_s: float) -> Any:
        self._called("document", target, id_, timeout_s)
        return self.held.get(id_)

    def export_ids(self, target: str, timeout_s: float) -> Iterator[str]:
        self._called("export", target, timeout_s)
        yield from list(self.held)

    def close(self) -> None:
        self.closed += 1

    def _called(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failures:
            raise self.failures.pop()


def reader(collection: Collection) -> Reader:
    return Reader(collection, 20.0, "p-")


def op(id_: str, body: bytes | None = b"{}", target: str = "things") -> Op:
    return Op("typesense", Source("t", {}), target, id_, body, 0)


def soon(seconds: float = 60.0) -> Deadline:
    return Deadline(seconds, clock=lambda: 0.0, sleep=lambda _: None)


def compared(collection: Collection, *ops: Op) -> dict[str, Any]:
    return {each.op.id: each.differs for each in reader(collection).compare(ops, soon())}


def walked(collection: Collection, start: str | None = None) -> list[tuple[str, str]]:
    return list(reader(collection).ids("things", start, soon()))


# ── Documents ─────────────────────────────────────────────────────────────────────────────────────


def test_documents_are_asked_for_by_their_alias() -> None:
    """With the prefix of the stage; each target in requests of its own."""
    collection = Collection()
    found = compared(collection, *(op(f"{n}") for n in range(251)), op("x", target="others"))
    assert len(found) == 252
    assert set(found.values()) == {Differs("missing")}
    assert [(call[1], len(call[2]), call[3]) for call in collection.calls] == [
        ("p-things", 250, 20.0),
        ("p-things", 1, 20.0),
        ("p-others", 1, 20.0),
    ]
    assert MOST_READ == 250


def test_each_document_is_compared_with_its_op() -> None:
    """As it was sent: with neither its id nor the field that keeps exact numbers."""
    collection = Collection("extra", "same")
    collection.held["same"]["a"] = 1
    collection.held["other"] = {"id": "other", "a": 2}
    collection.held["exact"] = {"id": "exact", "n": 1.0, "_exact": '{"n":1.00000000000000000001}'}
    assert compared(
        collection,
        op("same", b'{"a":1}'),
        op("other", b'{"a":1}'),
        op("exact", b'{"n":1.00000000000000000001}'),
        op("extra", None),
        op("absent", None),
        op("empty", b"{}"),
    ) == {
        "same": None,
        "other": Differs("different", ("a",)),
        "exact": None,
        "extra": Differs("extra"),
        "absent": None,
        "empty": Differs("missing"),
    }


def test_an_id_with_a_backtick_is_asked_for_alone() -> None:
    """A filter can't hold it; the others are asked for together."""
    collection = Collection("a`b", "c")
    found = compared(collection, op("a`b"), op("c"), op("d`e"))
    assert found == {"a`b": None, "c": None, "d`e": Differs("missing")}
    assert [call[:3] for call in collection.calls] == [
        ("documents", "p-things", ["c"]),
        ("document", "p-things", "a`b"),
        ("document", "p-things", "d`e"),
    ]
    collection.calls.clear()
    compared(collection, op("a`b"))
    assert [call[0] for call in collection.calls] == ["document"]


def test_what_can_not_be_held_is_not_asked_for() -> None:
    """A bad id, or a body that would be refused."""
    collection = Collection()
    assert compared(collection, op(""), op("\ud800", None), op("a", b"[]"), op("b", b"")) == {
        "": Differs("missing"),
        "\ud800": None,
        "a": Differs("missing"),
        "b": Differs("missing"),
    }
    assert collection.calls == []


# ── Walks ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_walk_is_one_export() -> None:
    """Each place holds how many ids were read, and the last of them."""
    collection = Collection(*"abcdefg")
    found = walked(collection)
    assert [id_ for id_, _ in found] == list("abcdefg")
    assert json.loads(found[0][1]) == [1, "a"]
    assert json.loads(found[6][1]) == [7, "c", "d", "e", "f", "g"]
    assert (ANCHORS, collection.calls) == (5, [("export", "p-things", 20.0)])


@pytest.mark.parametrize(
    ("gone", "rest"),
    [
        ("", "fgh"),
        ("a", "fgh"),  # the later ones moved up
        ("abcd", "fgh"),
        ("e", "fgh"),
        ("de", "fgh"),
        ("f", "gh"),
        ("bcde", "fgh"),
        ("abcde", "fgh"),  # no place is left: it starts anew
    ],
)
def test_a_walk_goes_on_where_another_ended(gone: str, rest: str) -> None:
    """Whatever was deleted meanwhile, nothing that is there is left out."""
    collection = Collection(*"abcdefgh")
    _, place = walked(collection)[4]
    for id_ in gone:
        del collection.held[id_]
    assert [id_ for id_, _ in walked(collection, place)] == list(rest)


def test_a_walk_whose_last_ids_are_gone_starts_anew() -> None:
    """Rather than leave out what is still there."""
    collection = Collection(*"abcdefgh")
    _, place = walked(collection)[6]
    for id_ in "cdefg":
        del collection.held[id_]
    assert [id_ for id_, _ in walked(collection, place)] == list("abh")


def test_a_place_is_not_taken_from_behind_it() -> None:
    """An id that was deleted and came again stands at the end: what is before it is not skipped."""
    collection = Collection(*"abcd")
    _, place = walked(collection)[1]
    del collection.held["b"]
    collection.held["b"] = {"id": "b"}
    assert [id_ for id_, _ in walked(collection, place)] == list("cdb")


@pytest.mark.parametrize("place", ["x", "{}", "[]", '["x"]', "7"])
def test_what_is_no_place_is_refused(place: str) -> None:
    """It came from outside."""
    with pytest.raises(ConfigError, match="no place in a collection"):
        walked(Collection("a"), place)


# ── Samples ───────────────────────────────────────────────────────────────────────────────────────


def test_every_document_has_the_same_chance() -> None:
    """The first and the last, too."""
    random.seed(1)
    collection = Collection(*"abcdefghij")
    samples = [reader(collection).sample("things", 3, soon()) for _ in range(2_000)]
    assert all(len(set(sample)) == 3 for sample in samples)
    for id_ in "abcdefghij":
        assert 450 < sum(id_ in sample for sample in samples) < 750  # 600, and five deviations
    assert sorted(reader(collection).sample("things", 10, soon())) == list("abcdefghij")
    assert reader(Collection()).sample("things", 10, soon()) == []


# ── Time and trouble ──────────────────────────────────────────────────────────────────────────────


def test_no_request_is_longer_than_what_is_left() -> None:
    """Less a moment for reading the answer."""
    collection = Collection()
    list(reader(collection).compare([op("a")], soon(5.0)))
    assert collection.calls[0][3] == pytest.approx(4.8)
    with pytest.raises(NotTried, match="no time is left before the deadline"):
        list(reader(collection).compare([op("a")], soon(0.39)))
    assert len(collection.calls) == 1
    list(reader(collection).compare([op("a")], soon(0.41)))


def test_a_request_is_tried_three_times() -> None:
    """An answer that is too large for a proxy is an error as any other."""
    collection = Collection("a")
    collection.failures = [TooLarge("413"), Unavailable("503")]
    assert compared(collection, op("a")) == {"a": None}
    collection.failures = [Unavailable("503"), Unavailable("503")]
    assert [id_ for id_, _ in walked(collection)] == ["a"]
    collection.failures = [TooLarge("413")] * 3
    with pytest.raises(Unavailable, match="reading: 413"):
        compared(collection, op("a"))


def test_the_sink_connects_anew_after_a_wrong_key() -> None:
    """On every way of reading."""
    collection = Collection("a")
    made: list[Collection] = []

    def connect() -> Any:
        made.append(collection)
        return collection

    sink = Typesense(connect, prefix="p-")
    reads: list[Callable[[], list[Any]]] = [
        lambda: list(sink.compare([op("a")], soon())),
        lambda: list(sink.ids("things", None, soon())),
        lambda: list(sink.sample("things", 1, soon())),
    ]
    for n, read in enumerate(reads, 1):
        collection.failures = [Misconfigured("401")]
        with pytest.raises(Misconfigured):
            read()
        assert (collection.closed, len(made)) == (n, n)
    for read in reads:
        assert read()
    assert len(made) == 4
    assert {call[1] for call in collection.calls} == {"p-things"}


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def test_documents_are_searched_by_their_ids() -> None:
    """By POST, since a URL can't hold so many; with exact numbers in the answer."""
    answer = {"results": [{"hits": [{"document": {"id": "a"}}]}]}
    number = "0.12345678901234567890"
    text = json.dumps(answer).replace('"id"', f'"n":{number},"id"')
    told = {**ALIASES, "POST /multi_search": Reply(200, text.encode())}
    with replying(told) as server, connected(server) as connection:
        (found,) = connection.documents("things", ["a", "b|c"], 3.0)
        request = server.requests[-1]
    assert (found["id"], str(found["n"])) == ("a", number)
    assert json.loads(request.body) == {
        "searches": [
            {
                "collection": "things_v2",
                "q": "*",
                "filter_by": "id:[`a`,`b|c`]",
                "per_page": 2,
            }
        ]
    }
    assert request.header("x-typesense-api-key") == "k3y"


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (Reply(200, b'{"results":[{"code":404,"error":"Not found."}]}'), Misconfigured, "404 Not"),
        (Reply(401, b'{"message":"Forbidden"}'), Misconfigured, "401 Forbidden"),
        (Reply(413, b"large"), TooLarge, "413 large"),
        (Reply(503, b"{}"), Throttled, "503"),
        (Reply(200, b"{"), Unavailable, "not in Typesense's format"),
        (Reply(200, b"{}"), Unavailable, "not in Typesense's format"),
        (Reply(200, b'{"results":[]}'), Unavailable, "not in Typesense's format"),
    ],
)
def test_failures_of_a_search_are_translated(
    reply: Reply, kind: type[Exception], text: str
) -> None:
    """Also that of a single search in a request that succeeded."""
    told = {**ALIASES, "POST /multi_search": reply}
    with (
        replying(told) as server,
        connected(server) as connection,
        pytest.raises(kind, match=text),
    ):
        connection.documents("things", ["a"], 3.0)


def test_one_document_is_asked_for_by_its_path() -> None:
    """Percent-encoded; one that is missing is None, a missing collection an error."""
    path = "GET /collections/things_v2/documents/a`/b"
    missing = Reply(404, b'{"message":"Could not find a document with id: a"}')
    replies = [Reply(200, b'{"id":"a`/b","n":1.10}'), missing, Reply(404, b'{"message":"Not"}')]
    found = []
    for reply in replies[:2]:
        with replying({**ALIASES, path: reply}) as server, connected(server) as connection:
            found.append(connection.document("things", "a`/b", 3.0))
            request = server.requests[-1]
            assert request.path == "/collections/things_v2/documents/a%60%2Fb"
            assert request.header("x-typesense-api-key") == "k3y"
    assert (str(found[0]["n"]), found[1]) == ("1.10", None)
    with (
        replying({**ALIASES, path: replies[2]}) as server,
        connected(server) as connection,
        pytest.raises(Misconfigured, match="404 Not"),
    ):
        connection.document("things", "a`/b", 3.0)


def test_ids_are_exported_alone() -> None:
    """A line each; without one the collection is empty."""
    reply = Reply(200, b'{"id":"a"}\n{"id":"\xc3\xa9"}\n')
    with replying({**ALIASES, EXPORT: reply}) as server, connected(server) as connection:
        assert list(connection.export_ids("things", 3.0)) == ["a", "é"]
        request = server.requests[-1]
    assert request.path == "/collections/things_v2/documents/export?include_fields=id"
    assert request.header("x-typesense-api-key") == "k3y"
    with replying({**ALIASES, EXPORT: Reply(200, b"")}) as server, connected(server) as connection:
        assert list(connection.export_ids("things", 3.0)) == []


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (Reply(404, b'{"message":"Not Found"}'), Misconfigured, "404 Not Found"),
        (Reply(403, b"<html>"), Misconfigured, "403 <html>"),
        (Reply(200, b'{"id":"a"}\n{"i'), Unavailable, "not in Typesense's format"),
        (Reply(200, b'{"x":"a"}'), Unavailable, "not in Typesense's format"),
    ],
)
def test_failures_of_an_export_are_translated(
    reply: Reply, kind: type[Exception], text: str
) -> None:
    """Also those after some of the ids."""
    with (
        replying({**ALIASES, EXPORT: reply}) as server,
        connected(server) as connection,
        pytest.raises(kind, match=text),
    ):
        list(connection.export_ids("things", 3.0))
