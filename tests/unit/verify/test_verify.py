"""Pages: what differs is found, whatever the order, the key and the size of a page."""

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sync.aws import tables
from sync.aws.keys import Source
from sync.aws.pages import page
from sync.errors import Misconfigured, NotGiven, Retry, Unavailable
from sync.runtime.deadline import Deadline
from sync.verify import looking, verify
from sync.verify.confirm import SETTLE_S
from sync.verify.findings import Difference, Page
from sync.writing.comparing import Differs
from tests.unit.verify.things import Stage, kinds


def test_what_is_in_step_takes_no_pause(stage: Stage) -> None:
    """A look is enough; and what was looked at is counted."""
    stage.thing("a")
    stage.thing("b")
    there, back = stage.whole("things")
    assert there == Page(items=2, compared=there.compared)
    assert there.compared == {"memory": 2}
    assert back == Page(documents=2, compared=back.compared)
    assert back.compared == {"memory": 2}
    assert stage.clock.slept == []


def test_each_kind_is_found_with_the_item_that_mends_it(stage: Stage) -> None:
    """By its keys, as DynamoDB has them."""
    stage.thing("gone", sync=False)
    stage.thing("wrong")
    stage.hold("things", "wrong", id="wrong", size=2)
    stage.hold("things", "extra")
    there, back = stage.whole("things")
    assert sorted(there.differences, key=str) == [
        Difference(
            ("memory", "things", "gone"),
            Differs("missing"),
            Source("things", {"id": {"S": "gone"}}),
        ),
        Difference(
            ("memory", "things", "wrong"),
            Differs("different", ("size",)),
            Source("things", {"id": {"S": "wrong"}}),
        ),
    ]
    assert back.differences == [
        Difference(
            ("memory", "things", "extra"),
            Differs("extra"),
            Source("things", {"id": {"S": "extra"}}),
        )
    ]
    assert stage.clock.slept == [SETTLE_S, SETTLE_S]


def test_keys_of_every_type_are_found_from_ids(stage: Stage) -> None:
    """Of a document without an item the keys are known all the same."""
    stage.put("events", source={"S": "a|b c"}, at={"N": "1000"})
    extra = stage.put("events", source={"S": "é#%"}, at={"N": "7"})
    stage.remove("events", source={"S": "é#%"}, at={"N": "7"})
    _, back = stage.whole("events")
    assert back.differences == [
        Difference(
            ("memory", "events", extra),
            Differs("extra"),
            Source("events", {"source": {"S": "é#%"}, "at": {"N": "7"}}),
        )
    ]


@pytest.mark.parametrize("id_", ["a", "a|b|7", "a|x", "a|1E3", "a|07", "%zz|7", "a%2fb|7", "|7"])
def test_an_id_that_no_key_has_is_extra_without_an_item(id_: str, stage: Stage) -> None:
    """Too few or too many parts, no number, or another spelling than ours."""
    stage.hold("events", id_)
    _, back = stage.whole("events")
    assert [(each.source, each.differs.kind) for each in back.differences] == [(None, "extra")]
    assert back.untraced == 0


def test_an_id_whose_key_no_model_matches_is_extra_without_an_item(stage: Stage) -> None:
    """A resync of that key would delete nothing."""
    stage.hold("own", "no-word")
    stage.hold("events", "a|-7")  # its pattern wants digits
    assert [each.source for each in stage.whole("events")[1].differences] == [None]
    assert stage.whole("own")[1].untraced == 1


def test_a_hash_says_nothing_of_a_key(stage: Stage) -> None:
    """So its document is never called extra: the resync of a key that looks like the hash would
    delete what the item with the long key asks for. From the table it is found all the same."""
    long = stage.thing("x" * 600)
    assert len(long) == 64
    stage.hold("events", "f" * 64)
    there, back = stage.whole("things")
    assert (there.differences, back.differences, back.untraced) == ([], [], 1)
    assert stage.whole("events")[1].untraced == 1
    stage.lose("things", long)
    assert kinds(stage.whole("things")[0]) == {long: "missing"}


def test_a_key_that_looks_like_a_hash_is_told_by_its_document(stage: Stage) -> None:
    """Some tables have such keys; a document that holds its key attributes belongs to that one."""
    for id_ in ("a" * 64, "b" * 64, "c" * 64):
        stage.thing(id_)
        stage.remove("things", id={"S": id_})
    stage.hold("things", "b" * 64, size=1)
    stage.hold("things", "c" * 64, id="another")
    stage.thing("d" * 64)
    _, back = stage.whole("things")
    assert (kinds(back), back.untraced) == ({"a" * 64: "extra"}, 2)


def test_ids_that_a_model_makes_itself_are_not_called_extra(stage: Stage) -> None:
    """The table says which of them it wants; of the others nothing is known."""
    stage.put("own", id={"S": "a"})
    stage.hold("own", "own:stranger")
    stage.hold("own", "b", id="b")
    there, back = stage.whole("own")
    assert (there.differences, kinds(back)) == ([], {"b": "extra"})
    assert back.untraced == 2  # own:a and own:stranger
    stage.lose("own", "own:a")
    assert kinds(stage.whole("own")[0]) == {"own:a": "missing"}


def test_a_document_whose_deletion_no_model_can_plan_is_not_traced(stage: Stage) -> None:
    """The key that its id names has a model, but what that wants can't be said."""
    stage.hold("own", "bug", id="bug")
    _, back = stage.whole("own")
    assert (back.differences, back.untraced, back.invalid) == ([], 1, 0)


def test_a_document_that_its_item_does_not_want_is_extra(stage: Stage) -> None:
    """From both sides: the item is there, and asks for no document."""
    stage.put("own", id={"S": "a"}, hidden={"BOOL": True})
    stage.hold("own", "a", id="a")
    there, back = stage.whole("own")
    assert (kinds(there), kinds(back)) == ({"a": "extra"}, {"a": "extra"})
    assert stage.clock.slept == [SETTLE_S, SETTLE_S]  # the item did not change: a pause each


def test_items_that_no_model_matches_are_looked_at_and_want_nothing(stage: Stage) -> None:
    """They are not ours."""
    stage.dynamodb.put_item(TableName="own", Item={"id": {"S": "no word"}})
    there, _ = stage.whole("own")
    assert (there.items, there.compared, there.invalid) == (1, {}, 0)


def test_an_item_that_its_model_refuses_is_invalid(stage: Stage) -> None:
    """On both sides: nothing says what the sink should hold."""
    for id_ in ("a", "c"):
        stage.put("things", id={"S": id_}, size={"S": "much"}, sync=False)
        stage.hold("things", id_)
    stage.thing("b", sync=False)
    there, back = stage.whole("things")
    assert (there.invalid, back.invalid) == (2, 2)
    assert (kinds(there), kinds(back)) == ({"b": "missing"}, {})


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_join_without_a_gap(
    limit: int, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each item and each document is looked at once."""
    monkeypatch.setattr(verify, "AT_ONCE", 3)
    for n in range(10):
        stage.thing(f"{n}", sync=n % 3 > 0)
        stage.hold("things", f"x{n}")
    items: list[Page] = []
    documents: list[Page] = []
    start: Any = None
    while not items or start is not None:
        items.append(stage.verify.items("things", start, limit, stage.deadline()))
        start = items[-1].next
    while not documents or start is not None:
        documents.append(stage.verify.documents("memory", "things", start, limit, stage.deadline()))
        start = documents[-1].next
    assert sum(page.items for page in items) == 10
    assert sum(page.documents for page in documents) == 16
    assert sum(page.compared["memory"] for page in items) == 10
    assert sum(page.compared["memory"] for page in documents) == 16
    assert all(page.items <= limit for page in items)
    assert all(page.documents <= limit for page in documents)
    assert kinds(*items) == dict.fromkeys(["0", "3", "6", "9"], "missing")
    assert kinds(*documents) == {f"x{n}": "extra" for n in range(10)}


def test_a_page_with_many_differences_ends_early(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what a page remembers is bounded, even where nothing is in step."""
    monkeypatch.setattr(looking, "MOST_SUSPECTS", 4)
    monkeypatch.setattr(verify, "AT_ONCE", 2)
    for n in range(9):
        stage.thing(f"{n}", sync=False)
        stage.hold("things", f"x{n}")
    there, back = stage.whole("things")
    assert (there.items, len(there.differences)) == (4, 4)
    assert (back.documents, len(back.differences)) == (4, 4)
    assert there.next is not None
    assert back.next is not None


def test_a_page_ends_in_time_to_look_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little time it looks at one batch, and says where the next page starts."""
    monkeypatch.setattr(verify, "AT_ONCE", 2)
    for n in range(5):
        stage.thing(f"{n}", sync=False)
        stage.hold("things", f"x{n}")
    short = verify.CONFIRM_S - 1
    there = stage.verify.items("things", None, 100, stage.deadline(short))
    assert (there.items, len(there.differences)) == (2, 2)
    back = stage.verify.documents("memory", "things", None, 100, stage.deadline(short))
    assert (back.documents, len(back.differences)) == (2, 2)
    sample = stage.verify.sample_documents("memory", "things", 100, stage.deadline(short))
    assert sample.documents == 2
    enough = stage.deadline(verify.CONFIRM_S)
    assert stage.verify.items("things", None, 100, enough).items == 5


def test_a_first_look_is_not_consistent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """That would cost twice as much."""
    asked: list[bool] = []

    def scanned(*args: Any, **request: Any) -> Any:
        asked.append(request["ConsistentRead"])
        return page(*args, **request)

    monkeypatch.setattr(verify, "scanned", scanned)
    stage.verify.items("things", None, 100, stage.deadline())
    stage.verify.sample_items("things", 100, stage.deadline())
    assert set(asked) == {False}


def test_segments_divide_a_table(stage: Stage) -> None:
    """As a parallel scan does: each item is in one of them."""
    for n in range(30):
        stage.thing(f"{n}", sync=False)
    pages = [
        stage.verify.items("things", None, 100, stage.deadline(), segment=(n, 4)) for n in range(4)
    ]
    assert sum(page.items for page in pages) == 30
    assert len(kinds(*pages)) == 30
    assert sum(page.items > 0 for page in pages) > 1


def test_only_the_sinks_asked_for_are_compared(stage: Stage) -> None:
    """No other is read."""
    stage.thing("a", sync=False)
    for found in (
        stage.verify.items("things", None, 100, stage.deadline(), only=["others"]),
        stage.verify.sample_items("things", 100, stage.deadline(), only=["others"]),
    ):
        assert (found.items, found.compared, found.differences) == (1, {}, [])


# ── Samples ───────────────────────────────────────────────────────────────────────────────────────


def test_samples_find_in_time_what_differs(stage: Stage) -> None:
    """Others are looked at each time, on both sides."""
    for n in range(200):
        stage.thing(f"{n}")
    stage.lose("things", "17")
    stage.hold("things", "extra")
    random.seed(1)
    seen: dict[str, str] = {}
    for _ in range(150):
        there = stage.verify.sample_items("things", 10, stage.deadline())
        back = stage.verify.sample_documents("memory", "things", 10, stage.deadline())
        assert there.items <= 10 == back.documents
        assert (there.next, back.next) == (None, None)
        seen |= kinds(there, back)
    assert seen == {"17": "missing", "extra": "extra"}


def test_a_sample_larger_than_all_is_all(stage: Stage) -> None:
    """Of a small table every segment is read."""
    for n in range(5):
        stage.thing(f"{n}", sync=False)
        stage.hold("things", f"x{n}")
    assert len(stage.verify.sample_items("things", 10, stage.deadline()).differences) == 5
    sample = stage.verify.sample_documents("memory", "things", 10, stage.deadline())
    assert len(sample.differences) == 5


def test_the_segments_of_a_sample_follow_the_size_of_the_table(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About 25 items in each; no more than a scan can have, and no fewer than 16."""
    asked: list[int] = []
    scan = page

    def scanned(*args: Any, **request: Any) -> Any:
        asked.append(request["TotalSegments"])
        return scan(*args, **request)

    monkeypatch.setattr(verify, "scanned", scanned)
    for items, least in ((0, 16), (25 * 16 + 24, 16), (25_000, 1_000), (10**12, 500_000)):
        told = SimpleNamespace(items=items)
        monkeypatch.setattr(tables, "known", lambda *_, told=told: told)
        asked.clear()
        for _ in range(20):
            stage.verify.sample_items("things", 1, stage.deadline())
        assert least <= min(asked) <= max(asked) <= 2 * least
        assert len(set(asked)) > 1
    asked.clear()
    stage.verify.sample_items("things", 1, stage.deadline())
    assert len(asked) == 32  # of an empty table: a sample ends, however many segments there are


# ── Other targets ─────────────────────────────────────────────────────────────────────────────────


def test_another_target_is_read_in_place_of_one(stage: Stage) -> None:
    """What differs there is told of the one that it stands for, on every way; and nothing else."""
    verify = stage.made({("memory", "both"): "both-2", ("memory", "own"): "own-2"})
    for id_ in ("a", "lost"):
        stage.put("both", id={"S": id_})
    stage.hold("both-2", "a", id="a")
    stage.hold("both-2", "extra")
    stage.hold("both-2", "f" * 64, id="f" * 64)  # looks like a hash: its document is read
    stage.hold("both", "not looked at")
    stage.thing("not looked at", sync=False)
    deadline = stage.deadline
    lost = [("memory", "both", "lost")]
    extra = [("memory", "both", "extra"), ("memory", "both", "f" * 64)]
    for found, told in (
        (verify.items("both", None, 100, deadline()), lost),
        (verify.sample_items("both", 100, deadline()), lost),
        (verify.documents("memory", "both", None, 100, deadline()), extra),
        (verify.sample_documents("memory", "both", 100, deadline()), extra),
        (verify.items("things", None, 100, deadline()), []),
    ):
        assert sorted(each.address for each in found.differences) == told
        assert all(each.source for each in found.differences)
        assert set(found.compared) <= {"memory"}


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [Unavailable("503"), NotGiven("no API key yet")])
def test_a_sink_that_can_not_be_read_is_named(
    error: Retry, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every way, with its error: it is not empty, and no document is at fault."""

    def broken(*_: Any) -> Any:
        raise error

    def broken_when_asked(*_: Any) -> Iterator[Any]:
        yield from broken()

    stage.thing("a")
    monkeypatch.setattr(stage.sink, "compare", broken)
    monkeypatch.setattr(stage.sink, "ids", broken_when_asked)
    monkeypatch.setattr(stage.sink, "sample", broken)
    pages = [
        *stage.whole("things"),
        stage.verify.sample_items("things", 1, stage.deadline()),
        stage.verify.sample_documents("memory", "things", 1, stage.deadline()),
    ]
    for found in pages:
        assert (found.unread, found.differences) == ({"memory": error}, [])
        assert (found.compared, found.next) == ({}, None)
    assert stage.clock.slept == []  # nothing is left to be looked at again


def test_a_sink_that_fails_is_not_read_again_for_a_page_and_the_other_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try may take minutes. What differed there before is not told either."""
    monkeypatch.setattr(verify, "AT_ONCE", 2)
    for n in range(6):
        stage.put("both", id={"S": f"{n}"}, sync=False)
    tries = iter(range(100))
    compare = stage.sink.compare

    def fails_at_the_second(*args: Any) -> Any:
        if next(tries) > 0:
            raise Unavailable("503")
        return compare(*args)

    monkeypatch.setattr(stage.sink, "compare", fails_at_the_second)
    found = stage.verify.items("both", None, 100, stage.deadline())
    assert sorted(each.address for each in found.differences) == [
        ("other", "both", f"{n}") for n in range(6)
    ]
    assert (found.items, found.compared) == (6, {"memory": 2, "other": 6})
    assert list(found.unread) == ["memory"]
    assert next(tries) == 2


def test_what_differs_in_a_sink_that_fails_later_is_not_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't be looked at again."""
    monkeypatch.setattr(verify, "AT_ONCE", 2)
    for n in range(4):
        stage.thing(f"{n}", sync=False)
    answers = iter([stage.sink.compare])

    def fails_later(*args: Any) -> Any:
        for compare in answers:
            return compare(*args)
        raise Unavailable("503")

    monkeypatch.setattr(stage.sink, "compare", fails_later)
    found = stage.verify.items("things", None, 100, stage.deadline())
    assert (found.compared, found.differences, found.busy) == ({"memory": 2}, [], 0)
    assert stage.clock.slept == []


@pytest.mark.parametrize("way", ["documents", "sample_documents"])
def test_a_walk_ends_where_documents_can_not_be_told_from_one_another(
    way: str, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that look like hashes need a look at their documents."""
    monkeypatch.setattr(verify, "AT_ONCE", 2)
    for n in range(6):
        stage.hold("things", f"{n}" * 64)

    def broken(*_: Any) -> Any:
        raise Unavailable("503")

    monkeypatch.setattr(stage.sink, "compare", broken)
    if way == "documents":
        found = stage.verify.documents("memory", "things", None, 100, stage.deadline())
    else:
        found = stage.verify.sample_documents("memory", "things", 100, stage.deadline())
    assert (found.documents, found.differences, found.untraced) == (2, [], 0)
    assert (list(found.unread), found.next) == (["memory"], None)


def test_a_table_that_is_gone_is_an_error(stage: Stage) -> None:
    """Its documents are not extra."""
    stage.thing("a")
    stage.dynamodb.delete_table(TableName="things")
    with pytest.raises(Misconfigured, match="things"):
        stage.verify.items("things", None, 1, stage.deadline())
    with pytest.raises(Misconfigured, match="things"):
        stage.verify.documents("memory", "things", None, 1, stage.deadline())
    with pytest.raises(Misconfigured, match="things"):
        stage.verify.sample_items("things", 1, stage.deadline())


def test_without_time_to_look_again_nothing_is_called_different(stage: Stage) -> None:
    """Neither different nor right: an error."""
    stage.thing("a", sync=False)
    with pytest.raises(Unavailable, match=r"^no time is left to look again at what differs$"):
        stage.verify.items("things", None, 1, Deadline(5, clock=stage.clock.monotonic))
