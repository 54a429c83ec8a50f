"""Reading an index: what is asked, what is made of the answer, and where a walk goes on."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import ConfigError, Misconfigured, NotTried, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import reading
from sync.sinks.opensearch.client import Connection
from sync.sinks.opensearch.reading import MOST_READ, Reader
from sync.sinks.opensearch.settings import Settings
from sync.writing.comparing import Differs
from sync.writing.op import Op
from tests.doubles.replies import replying
from tests.fault_proxy import Reply


class Index:
    """An alias `p-things` of an index whose documents are in shards, by sequence number."""

    def __init__(self, *shards: Mapping[int, str]) -> None:
        self.index = "p-things-v1"
        self.shards_ = shards or ({},)
        self.documents_: dict[str, Any] = {}
        self.calls: list[Any] = []
        self.answer: Callable[[Any], Any] = lambda answer: answer

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> Any:
        self.calls.append(("documents", alias, list(ids), timeout_s))
        found: list[dict[str, Any]] = [
            {"_id": id_, "found": True, "_source": self.documents_[id_]}
            if id_ in self.documents_
            else {"_id": id_, "found": False}
            for id_ in ids
        ]
        return self.answer({"docs": found})

    def shards(self, alias: str, timeout_s: float) -> Any:
        self.calls.append(("shards", alias, timeout_s))
        groups = [[{"index": self.index, "shard": n}] for n in range(len(self.shards_))]
        return self.answer({"shards": groups})

    def refresh(self, alias: str, timeout_s: float) -> None:
        self.calls.append(("refresh", alias, timeout_s))

    def search(self, index: str, shard: int, query: Mapping[str, Any], timeout_s: float) -> Any:
        self.calls.append(("search", index, shard, query, timeout_s))
        after = query["query"]["range"]["_seq_no"]["gt"]
        order = query["sort"][0]["_seq_no"]["order"]
        numbers = sorted(self.shards_[shard], reverse=order == "desc")
        hits = [{"_id": self.shards_[shard][n], "sort": [n]} for n in numbers if n > after][
            : query["size"]
        ]
        whole = {"timed_out": False, "_shards": {"successful": 1}, "hits": {"hits": hits}}
        return self.answer(whole)

    def named(self, name: str) -> list[Any]:
        return [call for call in self.calls if call[0] == name]


def reader(index: Index, timeout_s: float = 20.0) -> Reader:
    return Reader(index, timeout_s, "p-")


def op(id_: str, body: bytes | None = b"{}", target: str = "things") -> Op:
    return Op("opensearch", Source("t", {}), target, id_, body, 0)


def soon(seconds: float = 60.0) -> Deadline:
    return Deadline(seconds, clock=lambda: 0.0, sleep=lambda _: None)


def compared(index: Index, *ops: Op) -> dict[str, Any]:
    return {each.op.id: each.differs for each in reader(index).compare(ops, soon())}


# ── Documents ─────────────────────────────────────────────────────────────────────────────────────


def test_documents_are_asked_for_by_their_alias() -> None:
    """With the prefix of the stage; each target in requests of its own, of at most 100 ids."""
    index = Index()
    ops = [op(f"{n}") for n in range(MOST_READ + 1)]
    found = compared(index, *ops, op("x", target="others"))
    assert found == dict.fromkeys([f"{n}" for n in range(101)] + ["x"], Differs("missing"))
    assert [(alias, len(ids), s) for _, alias, ids, s in index.calls] == [
        ("p-things", 100, 20.0),
        ("p-things", 1, 20.0),
        ("p-others", 1, 20.0),
    ]
    assert MOST_READ == 100


def test_each_document_is_compared_with_its_op() -> None:
    """In the order of the answer, which is that of the request."""
    index = Index()
    index.documents_ = {"same": {"a": 1}, "other": {"a": 2}, "extra": {}}
    found = compared(
        index, op("same", b'{"a":1}'), op("other", b'{"a":1}'), op("extra", None), op("no", None)
    )
    assert found == {
        "same": None,
        "other": Differs("different", ("a",)),
        "extra": Differs("extra"),
        "no": None,
    }


def test_ids_that_can_not_be_held_are_not_asked_for() -> None:
    """Nothing is there under them."""
    index = Index()
    assert compared(index, op(""), op("\ud800", None)) == {"": Differs("missing"), "\ud800": None}
    assert index.calls == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"docs": None},
        {"docs": []},
        {"docs": [None]},
        {"docs": [{"_id": "b", "found": False}]},
        {"docs": [{"_id": "a", "found": True}, {"_id": "a", "found": True}]},
    ],
)
def test_an_answer_of_something_else_says_nothing(answer: Any) -> None:
    """It is an error, and tried again."""
    index = Index()
    index.answer = lambda _: answer
    with pytest.raises(Unavailable, match="p-things: the answer does not list the documents"):
        compared(index, op("a"))


def test_a_missing_alias_is_told_with_each_document() -> None:
    """With status 200: the whole request did not fail."""
    index = Index()
    error = {"type": "index_not_found_exception", "reason": "no such index [p-things]"}
    index.answer = lambda _: {"docs": [{"_id": "a", "error": error}]}
    with pytest.raises(Misconfigured) as raised:
        compared(index, op("a"))
    assert str(raised.value) == ("p-things: index_not_found_exception: no such index [p-things]")
    assert raised.value.of_target


# ── Walks ─────────────────────────────────────────────────────────────────────────────────────────


def ids(index: Index, start: str | None = None) -> list[str]:
    return [id_ for id_, _ in reader(index).ids("things", start, soon())]


def test_a_walk_goes_through_every_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of sequence numbers, page by page, after a refresh."""
    monkeypatch.setattr(reading, "MOST_IDS", 2)
    index = Index({0: "a", 5: "b", 9: "c"}, {}, {0: "d"})
    assert ids(index) == ["a", "b", "c", "d"]
    assert index.calls[0] == ("refresh", "p-things", 20.0)
    assert index.calls[1] == ("shards", "p-things", 20.0)
    searches = index.named("search")
    assert [(call[1], call[2], call[3]["query"]) for call in searches][:3] == [
        ("p-things-v1", 0, {"range": {"_seq_no": {"gt": -1}}}),
        ("p-things-v1", 0, {"range": {"_seq_no": {"gt": 5}}}),
        ("p-things-v1", 0, {"range": {"_seq_no": {"gt": 9}}}),
    ]
    assert searches[0][3] == {
        "size": 2,
        "_source": False,
        "track_total_hits": False,
        "query": {"range": {"_seq_no": {"gt": -1}}},
        "sort": [{"_seq_no": {"order": "asc", "unmapped_type": "long"}}],
    }


def test_a_walk_goes_on_behind_any_document() -> None:
    """From its place, without another refresh."""
    index = Index({0: "a", 5: "b"}, {3: "c"}, {4: "d"})
    walked = list(reader(index).ids("things", None, soon()))
    assert walked[1] == ("b", '["p-things-v1",0,5]')
    index.calls.clear()
    for n, (_, place) in enumerate(walked):
        assert ids(index, place) == ["a", "b", "c", "d"][n + 1 :]
    assert index.named("refresh") == []


def test_a_walk_of_another_index_starts_anew() -> None:
    """The alias was moved; the old numbers say nothing."""
    index = Index({0: "a"}, {0: "b"})
    assert ids(index, '["p-things-v0",1,7]') == ["a", "b"]


@pytest.mark.parametrize("place", ["x", "{}", "[1]", '["i",0,"x"]', "7", '["i",0,1,2]'])
def test_what_is_no_place_is_refused(place: str) -> None:
    """It came from outside."""
    with pytest.raises(ConfigError, match="no place in an index"):
        ids(Index(), place)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {"shards": []},
        {"shards": [[]]},
        {"shards": [[{"index": "a"}], [{"index": "b"}]]},
        {"shards": [[{}]]},
    ],
)
def test_an_alias_has_to_be_of_one_index(answer: Any) -> None:
    """Of none or of two, nothing can be walked."""
    index = Index()
    index.answer = lambda _: answer
    with pytest.raises(Misconfigured, match="p-things is no alias of one index") as raised:
        ids(index)
    assert raised.value.of_target


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"timed_out": True}, "shard 0 did not answer in full"),
        ({"_shards": {"successful": 0}}, "shard 0 did not answer in full"),
        ({"_shards": {}}, "not that of a search"),
        ({"hits": {}}, "not that of a search"),
        ({"hits": {"hits": [{"_id": "a"}]}}, "not that of a search"),
        ({"hits": {"hits": [{"_id": "a", "sort": ["x"]}]}}, "not that of a search"),
        ({"hits": None}, "not that of a search"),
    ],
)
def test_part_of_an_answer_is_none(change: Any, told: str) -> None:
    """What a shard did not tell would be called extra on the other side, or never seen."""
    index = Index({0: "a"})
    index.answer = lambda answer: {**answer, **change} if "hits" in answer else answer
    with pytest.raises(Unavailable, match=f"p-things-v1: .*{told}"):
        ids(index)


# ── Samples ───────────────────────────────────────────────────────────────────────────────────────


def sample(index: Index, count: int) -> list[str]:
    return list(reader(index).sample("things", count, soon()))


def test_a_sample_of_few_is_all_of_them() -> None:
    """Without chance."""
    index = Index({0: "a", 1: "b"}, {0: "c"})
    assert sample(index, 3) == ["a", "b", "c"]
    assert sample(index, 50) == ["a", "b", "c"]
    assert sample(Index(), 5) == []


def test_a_sample_begins_anywhere() -> None:
    """Also at the first and at the last document, in every shard that has some."""
    shards = [{n: f"{shard}-{n}" for n in range(50)} for shard in range(2)]
    random.seed(1)
    index = Index(shards[0], {}, shards[1])
    samples = [sample(index, 40) for _ in range(60)]
    assert all(0 < len(set(each)) == len(each) <= 40 for each in samples)
    assert set().union(*samples) == {*shards[0].values(), *shards[1].values()}
    assert len({tuple(each) for each in samples}) > 50
    sizes = {call[3]["size"] for call in index.named("search")}
    assert sizes == {1, 2}  # the ends of shards, and a twentieth of what is asked for


def test_a_sample_is_no_larger_than_asked_for() -> None:
    """Though each of its places yields as many."""
    random.seed(1)
    index = Index({n: f"{n}" for n in range(1_000)})
    assert max(len(sample(index, 21)) for _ in range(20)) <= 21
    assert reading.SPOTS == 20


# ── Time and trouble ──────────────────────────────────────────────────────────────────────────────


def test_no_request_is_longer_than_what_is_left() -> None:
    """Less a moment for reading the answer."""
    index = Index()
    list(reader(index).compare([op("a")], soon(5.0)))
    assert index.calls[0][3] == pytest.approx(4.8)
    with pytest.raises(NotTried, match="no time is left before the deadline"):
        list(reader(index).compare([op("a")], soon(0.39)))
    assert len(index.calls) == 1
    list(reader(index).compare([op("a")], soon(0.41)))


def test_a_request_is_tried_five_times() -> None:
    """What passes is not told."""
    index, failures = Index(), [1] * 4

    def answer(whole: Any) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("503")
        return whole

    index.answer = answer
    assert compared(index, op("a")) == {"a": Differs("missing")}
    failures += [1] * 5
    with pytest.raises(Unavailable, match="503"):
        compared(index, op("a"))
    assert failures == []


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def connection(url: str) -> Connection:
    return Connection(Settings(url, None, "false", 20.0))


def test_requests_are_those_of_opensearch() -> None:
    """With exact numbers in the answer."""
    number = "1.2345678901234567890123456789012345678"
    reply = Reply(200, b'{"n":%b}' % number.encode())
    names = ["POST /things/_mget", "GET /things/_search_shards", "POST /things/_refresh"]
    told = dict.fromkeys([*names, "POST /things-v1/_search"], reply)
    with replying(told) as server:
        made = connection(server.url)
        assert str(made.documents("things", ["a", "b"], 3.0)["n"]) == number
        made.shards("things", 3.0)
        made.refresh("things", 3.0)
        made.search("things-v1", 2, {"size": 1}, 3.0)
        asked = [(r.method, r.path, r.body and json.loads(r.body)) for r in server.requests]
    assert asked == [
        ("POST", "/things/_mget", {"ids": ["a", "b"]}),
        ("GET", "/things/_search_shards", b""),
        ("POST", "/things/_refresh", b""),
        (
            "POST",
            "/things-v1/_search?preference=_shards%3A2&allow_partial_search_results=false",
            {"size": 1},
        ),
    ]


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (Reply(400, b'{"error":{"type":"x","reason":"no"}}'), Misconfigured, "400 x: no"),
        (Reply(404, b'{"error":{"type":"x","reason":"no"}}'), Misconfigured, "404 x: no"),
        (Reply(503, b'{"error":{"type":"x","reason":"no"}}'), Unavailable, "503 x: no"),
        (Reply(200, b"{"), Unavailable, "the answer is not JSON"),
        (Reply(400, b"[]"), Unavailable, "not in OpenSearch's format"),
    ],
)
def test_failures_are_translated(reply: Reply, kind: type[Exception], text: str) -> None:
    """A rejected request names itself: no document is the cause."""
    with (
        replying({"POST /things/_mget": reply}) as server,
        pytest.raises(kind, match=text) as raised,
    ):
        connection(server.url).documents("things", ["a"], 3.0)
    if reply.status == 400 and kind is Misconfigured:
        assert str(raised.value).startswith("POST /things/_mget: ")


def test_a_walk_is_lazy() -> None:
    """Whoever stops early asks for no more."""
    index = Index({n: f"{n}" for n in range(5)}, {0: "x"})
    assert len(list(islice(reader(index).ids("things", None, soon()), 5))) == 5
    assert len(index.named("search")) == 1
