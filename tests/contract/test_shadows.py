"""A target that is reindexed: two places that are both written to, and readers who see one."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from local.servers.opensearch import OpenSearchServer
from sync.errors import Misconfigured, Refused
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.writing.op import Done
from sync.writing.shadows import SHADOW, Places, Reindexable
from tests.contract.sinks import Subject, ask, patient
from tests.contract.typesense_sinks import held

pytestmark = pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)

WRITTEN = Done.WRITTEN
IDS = [f"d{n}" for n in range(40)]


class Target:
    """The subject's target, whose next place takes numbers as texts."""

    def __init__(self, subject: Subject, request: pytest.FixtureRequest) -> None:
        assert isinstance(subject.sink, Reindexable)
        self.sink = subject.sink
        self.name = subject.target
        self.is_typesense = isinstance(subject.sink, Typesense)
        self._request = request
        sign = "_" if self.is_typesense else "-"
        self.first, self.second, self.third = (f"{self.name}{sign}v{n}" for n in (1, 2, 3))

    @property
    def opensearch(self) -> str:
        server: OpenSearchServer = self._request.getfixturevalue("opensearch")
        return server.url

    @property
    def typesense(self) -> Any:
        return self._request.getfixturevalue("client")

    def schema(self, kind: str = "text") -> dict[str, Any]:
        if self.is_typesense:
            type_ = "string" if kind == "text" else "float"
            fields = [{"name": "number", "type": type_, "optional": True}]
            return {"enable_nested_fields": True, "fields": fields}
        properties = {"number": {"type": "keyword" if kind == "text" else "double"}}
        properties["text"] = {"type": "keyword"}
        settings = {"number_of_shards": 1, "number_of_replicas": 0, "gc_deletes": "900s"}
        return {
            "settings": settings,
            "mappings": {"dynamic": "strict", "properties": properties},
        }

    def shadow(self, kind: str = "float") -> Places:
        return self.sink.shadow(self.name, self.schema(kind), Deadline(60))

    def swap(self, live: str) -> Places:
        return self.sink.swap(self.name, live, Deadline(60))

    def held(self, place: str) -> dict[str, Any]:
        """The documents of a place, or of an alias, by id."""
        if self.is_typesense:
            return {id_: dict(document) for id_, document in held(self.typesense, place).items()}
        ask(f"{self.opensearch}/{place}/_refresh")
        found = ask(f"{self.opensearch}/{place}/_search", {"size": 1_000})
        assert found["_shards"]["failed"] == 0
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


@pytest.fixture(autouse=True)
def known_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long until a writer of Typesense looks up aliases anew."""
    monkeypatch.setattr("sync.sinks.typesense.client.KNOWN_S", 0.05)


@pytest.fixture
def target(subject: Subject, request: pytest.FixtureRequest) -> Target:
    return Target(subject, request)


def test_there_is_no_shadow_unless_a_target_is_reindexed(target: Target) -> None:
    """And none of a target that is not there."""
    assert target.sink.places(target.name) == Places(target.first, None)
    assert target.sink.places("nothing") == Places(None, None)
    with pytest.raises(Misconfigured, match="there is no alias nothing"):
        target.sink.shadow("nothing", target.schema(), patient())


def test_writes_go_to_both_places_from_the_next_one_on(subject: Subject, target: Target) -> None:
    """Also those of a sink that wrote before there was a shadow; what was there is not copied."""
    assert subject.write(subject.put("old"), subject.put("gone")) == {
        "old": WRITTEN,
        "gone": WRITTEN,
    }
    assert target.shadow() == Places(target.first, target.second)
    assert target.held(target.second) == {}
    assert subject.write(subject.put("a"), subject.put("b")) == {"a": WRITTEN, "b": WRITTEN}
    assert subject.write(subject.delete("gone", version=2), subject.delete("b", version=2)) == {
        "gone": WRITTEN,
        "b": WRITTEN,
    }
    assert target.held(target.first) == {"old": {"text": "a"}, "a": {"text": "a"}}
    assert target.held(target.second) == {"a": {"text": "a"}}


def test_deletes_alone_reach_both_places(subject: Subject, target: Target) -> None:
    """Of a sink that knows the shadow, and of one that does not."""
    target.shadow()
    subject.write(*(subject.put(id_) for id_ in IDS))
    assert len(target.held(target.second)) == len(IDS)
    subject.write(*(subject.delete(id_, version=2) for id_ in IDS))
    assert (target.held(target.first), target.held(target.second)) == ({}, {})


def test_a_shadow_is_made_once(target: Target) -> None:
    """Asked again it is found; a shadow with another schema is in the way."""
    made = target.shadow()
    assert target.shadow() == made
    with pytest.raises(Misconfigured, match=rf"{target.second} .* of number: `reindex drop`"):
        target.shadow("text")


def test_after_the_swap_readers_see_the_next_place(subject: Subject, target: Target) -> None:
    """Both are written to as before, and nothing changes if they are swapped twice."""
    target.shadow()
    subject.write(subject.put("a"))
    for _ in range(2):
        swapped = target.swap(target.second)
        assert swapped == target.sink.places(target.name) == Places(target.second, target.first)
        assert swapped.is_swapped
    assert subject.write(subject.put("b"), subject.put("a", b'{"text":"c"}', version=2))
    both = {"a": {"text": "c"}, "b": {"text": "a"}}
    assert target.held(target.name) == target.held(target.first) == both
    assert target.held(f"{target.name}{SHADOW}") == both
    back = target.swap(target.first)
    assert back == target.sink.places(target.name) == Places(target.first, target.second)
    assert not back.is_swapped


def test_only_a_shadow_is_swapped_in(target: Target) -> None:
    """Not an index of somebody else, and not without a shadow."""
    with pytest.raises(Misconfigured, match="others is not the shadow"):
        target.swap("others")
    target.shadow()
    with pytest.raises(Misconfigured, match=f"others is not the shadow .* is {target.second}"):
        target.swap("others")
    assert target.sink.places(target.name) == Places(target.first, target.second)


def test_what_the_next_place_refuses_is_told(subject: Subject, target: Target) -> None:
    """Readers would miss it after the swap. They have it now."""
    target.shadow("text")
    good, bad = subject.put("good"), subject.put("bad", b'{"number":1}')
    if not target.is_typesense:  # a keyword takes a number
        target.sink.drop(target.name, target.second)
        ask(
            f"{target.opensearch}/{target.second}",
            {
                "mappings": {"properties": {"number": {"type": "date", "format": "yyyy"}}},
                "aliases": {f"{target.name}{SHADOW}": {}},
            },
            method="PUT",
        )
        bad = subject.put("bad", b'{"number":10000.5}')
    outcomes = {
        outcome.op.id: outcome.result for outcome in subject.sink.write([good, bad], patient())
    }
    assert outcomes["good"] is WRITTEN
    assert isinstance(outcomes["bad"], Refused)
    assert f"{target.second}, which is to become {target.name}: " in str(outcomes["bad"])
    assert set(target.held(target.first)) == {"good", "bad"}
    assert set(target.held(target.second)) == {"good"}


def test_what_the_previous_place_refuses_is_not(subject: Subject, target: Target) -> None:
    """Nobody reads it there. What the place that readers see refuses, is told as ever."""
    target.shadow("text")
    target.swap(target.second)
    number = b'{"number":"not a number"}'
    assert subject.write(subject.put("a", number)) == {"a": WRITTEN}
    assert set(target.held(target.second)) == {"a"}
    assert target.held(target.first) == {}
    target.swap(target.first)
    assert subject.write(subject.put("b", number)) == {"b": Refused}


def test_a_place_is_dropped(subject: Subject, target: Target) -> None:
    """Before the swap or after it; never that which readers see. The writes go on."""
    target.shadow()
    subject.write(subject.put("a"))
    with pytest.raises(Misconfigured, match=f"{target.first} is not the shadow"):
        target.sink.drop(target.name, target.first)
    assert target.sink.drop(target.name, target.second) == Places(target.first, None)
    assert subject.write(subject.put("b"), subject.delete("a", version=2)) == {
        "a": WRITTEN,
        "b": WRITTEN,
    }
    assert target.shadow() == Places(target.first, target.second)
    target.swap(target.second)
    assert target.sink.drop(target.name, target.first) == Places(target.second, None)
    assert subject.write(subject.put("c")) == {"c": WRITTEN}
    assert set(target.held(target.name)) == {"c"}
    assert target.shadow() == Places(target.second, target.third)


def test_a_previous_place_is_in_the_way_of_the_next(target: Target) -> None:
    """Two are written to, never three."""
    target.shadow()
    target.swap(target.second)
    with pytest.raises(Misconfigured, match=f"previous .* {target.first}: `reindex drop`"):
        target.shadow()


def test_what_people_hung_on_a_place_comes_along(subject: Subject, target: Target) -> None:
    """Aliases of an index, with their filters; synonyms and overrides of a collection."""
    if target.is_typesense:
        at = target.typesense.collections[target.first]
        at.synonyms.upsert("s", {"synonyms": ["coat", "jacket"]})
        at.synonyms.upsert("one-way", {"root": "shoe", "synonyms": ["boot", "trainer"]})
        rule = {
            "rule": {"query": "coat", "match": "exact"},
            "includes": [{"id": "a", "position": 1}],
        }
        at.overrides.upsert("o", rule)
        target.shadow()
        at.synonyms["s"].delete()  # what is changed meanwhile counts
        at.overrides.upsert("p", {**rule, "remove_matched_tokens": True})
        expected = _hung(at)
        assert (len(expected[0]), len(expected[1])) == (1, 2)
        target.swap(target.second)
        assert _hung(target.typesense.collections[target.second]) == expected
        return
    own = {"filter": {"term": {"text": "a"}}, "routing": "1"}
    ask(f"{target.opensearch}/{target.first}/_alias/{target.name}-own", own, method="PUT")
    target.shadow()
    target.swap(target.second)
    found = ask(f"{target.opensearch}/_alias/{target.name}-own", method="GET")
    options = {"filter": own["filter"], "index_routing": "1", "search_routing": "1"}
    assert found == {target.second: {"aliases": {f"{target.name}-own": options}}}


def _hung(collection: Any) -> tuple[list[Any], list[Any]]:
    found = collection.synonyms.retrieve()["synonyms"], collection.overrides.retrieve()["overrides"]
    return sorted(found[0], key=_id), sorted(found[1], key=_id)


def _id(each: Mapping[str, Any]) -> str:
    return str(each["id"])


def test_no_write_and_no_reader_is_lost_while_places_are_swapped(
    subject: Subject, target: Target
) -> None:
    """Back and forth. Readers never see an error or miss a document; both places end equal."""
    subject.write(*(subject.put(id_) for id_ in IDS))
    target.shadow()
    subject.write(*(subject.put(id_, version=2) for id_ in IDS))
    over = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not over.is_set():
            seen.append(len(target.held(target.name)))

    with running(read, over):
        for turn in range(12):
            live = (target.second, target.first)[turn % 2]
            swapping = threading.Thread(target=target.swap, args=(live,))
            swapping.start()
            body = b'{"text":"%d"}' % turn
            written = subject.write(*(subject.put(id_, body, version=3 + turn) for id_ in IDS))
            swapping.join()
            assert set(written.values()) == {WRITTEN}
            assert target.sink.places(target.name).live == live
    assert len(seen) > 3
    assert set(seen) == {len(IDS)}
    assert target.held(target.name) == {id_: {"text": "11"} for id_ in IDS}
    if not target.is_typesense:  # its aliases are changed one by one
        assert target.held(target.second) == target.held(target.first)


class running:  # noqa: N801 - read like a function
    """A thread for as long as the block lasts; its error is raised."""

    def __init__(self, work: Callable[[], None], over: threading.Event) -> None:
        self._over = over
        self._errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, args=(work,))

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._errors.append(error)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._errors:
            raise self._errors[0]
