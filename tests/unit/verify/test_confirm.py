"""The second look: writes in flight are no differences, and what stays is one."""

from typing import Any

import pytest

from sync.errors import Retry, Throttled, Unavailable
from sync.verify import confirm
from sync.verify.confirm import ROUNDS, SETTLE_S
from tests.unit.verify.things import Stage, kinds


def test_a_write_in_flight_is_no_difference(stage: Stage) -> None:
    """The item was there first; its document arrives while verify waits."""
    stage.thing("a", sync=False)
    stage.during = lambda: stage.thing("a")
    there = stage.verify.items("things", None, 100, stage.deadline())
    assert (there.differences, there.busy) == ([], 0)
    assert stage.clock.slept == [SETTLE_S]


def test_a_delete_in_flight_is_no_extra_document(stage: Stage) -> None:
    """The item went first."""
    stage.thing("a")
    stage.remove("things", id={"S": "a"})
    stage.during = lambda: stage.lose("things", "a")
    back = stage.verify.documents("memory", "things", None, 100, stage.deadline())
    assert (back.differences, back.busy) == ([], 0)


def test_an_item_written_behind_a_walk_is_no_extra_document(stage: Stage) -> None:
    """Its document was met before the item could be read."""
    stage.hold("things", "a", id="a", size=1)
    stage.during = lambda: stage.thing("a")
    back = stage.verify.documents("memory", "things", None, 100, stage.deadline())
    assert (back.differences, back.busy) == ([], 0)


def test_an_item_that_changed_is_looked_at_once_more(stage: Stage) -> None:
    """Its new write may be in flight: only what stays the same for a pause is judged."""
    stage.thing("a", 1, sync=False)
    changes = iter([2])
    stage.during = lambda: [stage.thing("a", size, sync=False) for size in changes]
    there = stage.verify.items("things", None, 100, stage.deadline())
    assert (kinds(there), there.busy) == ({"a": "missing"}, 0)
    assert stage.clock.slept == [SETTLE_S] * 2


def test_an_item_that_keeps_changing_is_busy(stage: Stage) -> None:
    """And never called different; the one beside it is."""
    sizes = iter(range(100))
    stage.thing("busy", next(sizes), sync=False)
    stage.thing("wrong", sync=False)
    stage.during = lambda: stage.thing("busy", next(sizes), sync=False)
    there = stage.verify.items("things", None, 100, stage.deadline())
    assert (kinds(there), there.busy) == ({"wrong": "missing"}, 1)
    assert stage.clock.slept == [SETTLE_S] * ROUNDS


def test_what_became_of_it_counts(stage: Stage) -> None:
    """Missing at first, then different: the kind is that of the last look."""
    stage.thing("a", sync=False)
    stage.during = lambda: stage.hold("things", "a", id="a")
    there = stage.verify.items("things", None, 100, stage.deadline())
    assert kinds(there) == {"a": "different"}


def test_an_item_that_became_invalid_is_no_difference(stage: Stage) -> None:
    """Nothing says any longer what the sink should hold."""
    for id_ in "abc":
        stage.thing(id_, sync=False)
    stage.during = lambda: [
        stage.put("things", id={"S": id_}, size={"S": "much"}, sync=False) for id_ in "ac"
    ]
    there = stage.verify.items("things", None, 100, stage.deadline())
    assert (kinds(there), there.invalid) == ({"b": "missing"}, 2)


def test_many_are_looked_at_again_a_slice_at_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one pause for all."""
    monkeypatch.setattr(confirm, "SLICE", 2)
    for n in range(5):
        stage.thing(f"{n}", sync=False)
    there = stage.verify.items("things", None, 100, stage.deadline())
    assert len(kinds(there)) == 5
    assert stage.clock.slept == [SETTLE_S]


def test_an_item_that_can_not_be_read_is_not_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document is not called extra."""
    stage.thing("a")

    def throttled(sources: object, _deadline: object) -> dict[object, Retry]:
        assert isinstance(sources, list)
        return dict.fromkeys(sources, Throttled("slow down"))

    monkeypatch.setattr(stage.verify._items, "read", throttled)
    with pytest.raises(Throttled):
        stage.verify.documents("memory", "things", None, 100, stage.deadline())


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_a_sink_that_fails_at_a_second_look_is_named(
    looks: int, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its documents no more is said from then on; those of the other sink are judged."""
    monkeypatch.setattr(confirm, "SLICE", 2)
    stage.put("both", id={"S": "a"}, sync=False)
    stage.put("both", id={"S": "b"}, sync=False)
    changes = iter("cdef")
    left = iter(range(looks))
    compare = stage.sink.compare

    def fails_in_time(*args: Any) -> Any:
        if next(left, None) is None:
            raise Unavailable("503")
        return compare(*args)

    def change() -> None:
        monkeypatch.setattr(stage.sink, "compare", fails_in_time)
        stage.put("both", id={"S": "a"}, note={"S": next(changes)}, sync=False)

    stage.during = change
    found = stage.verify.items("both", None, 100, stage.deadline())
    told = {("memory", "both", "b")} if looks else set()
    assert {each.address for each in found.differences} == {("other", "both", "b"), *told}
    assert (found.busy, list(found.unread)) == (1, ["memory"])


def test_what_changed_in_a_sink_that_fails_at_the_last_look_is_not_busy(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first slice of that look was answered, the second was not."""
    monkeypatch.setattr(confirm, "SLICE", 1)
    sizes = iter(range(100))
    compare = stage.sink.compare
    looks = iter(range(1 + 2 * ROUNDS - 1))  # the first is one for both

    def change() -> None:
        for id_ in "ab":
            stage.thing(id_, next(sizes), sync=False)

    def fails_at_the_end(*args: Any) -> Any:
        if next(looks, None) is None:
            raise Unavailable("503")
        return compare(*args)

    change()
    stage.during = change
    monkeypatch.setattr(stage.sink, "compare", fails_at_the_end)
    found = stage.verify.items("things", None, 100, stage.deadline())
    assert (found.differences, found.busy, list(found.unread)) == ([], 0, ["memory"])
    assert stage.clock.slept == [SETTLE_S] * ROUNDS
    assert next(looks, None) is None
