"""Any items and any damage: exactly the damage is told, also by planted bugs that are found."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.sinks.memory import Memory
from sync.verify import confirm, looking, verify
from sync.verify.findings import Difference, Page
from sync.verify.looking import Look
from sync.verify.verify import Verify
from sync.writing.comparing import Compared, Differs
from tests.unit.verify.things import Stage, a_stage, kinds

# Keys that odd spellings could mix up; a size of 38 digits, and one that floats can't tell from it.
IDS = ["a", "A", "a b", "a%20b", "a|b", "é", "0" * 64, "x" * 600]
SIZES = ["1", "12345678901234567890123456789012345678", "12345678901234567890123456789012345679"]
DAMAGE = st.sampled_from(["none", "lost", "changed", "orphaned"])


@given(
    damage=st.dictionaries(st.sampled_from(IDS), DAMAGE),
    foreign=st.sets(st.sampled_from(["zz", "a%2fb", "%zz"])),
    size=st.sampled_from(SIZES),
    limit=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_exactly_the_damage_is_told(
    damage: dict[str, str], foreign: set[str], size: str, limit: int
) -> None:
    """Nothing that is right, and nothing twice; whatever the size of a page."""
    with a_stage() as stage:
        expected = dict.fromkeys(foreign, "extra")
        for id_ in foreign:
            stage.hold("things", id_)
        for key, how in damage.items():
            id_ = stage.put("things", id={"S": key}, size={"N": size})
            if how == "lost":
                stage.lose("things", id_)
                expected[id_] = "missing"
            elif how == "changed":
                other = next(each for each in SIZES if each != size)
                body = stage.sink.documents["things", id_].replace(size.encode(), other.encode())
                stage.sink.documents["things", id_] = body
                expected[id_] = "different"
            elif how == "orphaned":
                stage.remove("things", id={"S": key})
                if key != "x" * 600:  # a hash: counted as untraced
                    expected[id_] = "extra"
        assert walked(stage, limit) == expected


def walked(stage: Stage, limit: int) -> dict[str, str]:
    """What all pages of *limit* tell, both ways."""
    found: list[Page] = []
    back: list[Page] = []
    start: Any = None
    while not found or start is not None:
        found.append(stage.verify.items("things", start, limit, stage.deadline(900)))
        start = found[-1].next
    while not back or start is not None:
        back.append(stage.verify.documents("memory", "things", start, limit, stage.deadline(900)))
        start = back[-1].next
    return kinds(*found, *back)


# ── Planted bugs: each fails a law that holds without it ──────────────────────────────────────────


def law_of_orphans(stage: Stage) -> None:
    """A document without an item is extra."""
    stage.hold("things", "orphan")
    assert stage.found("things") == {"orphan": "extra"}


def law_of_values(stage: Stage) -> None:
    """Another value is a difference."""
    stage.thing("a", 1)
    stage.hold("things", "a", id="a", size=2)
    assert stage.found("things") == {"a": "different"}


def law_of_flight(stage: Stage) -> None:
    """What arrives a moment later is none."""
    stage.thing("a", sync=False)
    stage.during = lambda: stage.thing("a")
    assert stage.found("things") == {}


def law_of_change(stage: Stage) -> None:
    """What changes all the time is none."""
    sizes = iter(range(100))
    stage.thing("a", next(sizes), sync=False)
    stage.during = lambda: stage.thing("a", next(sizes), sync=False)
    assert stage.verify.items("things", None, 100, stage.deadline()).differences == []


def law_of_samples(stage: Stage) -> None:
    """In time a sample finds what any item lacks."""
    random.seed(1)
    for n in range(100):
        stage.thing(f"{n}", sync=False)
    seen: dict[str, str] = {}
    for _ in range(400):
        seen |= kinds(stage.verify.sample_items("things", 8, stage.deadline()))
    assert len(seen) == 100


def law_of_hashes(stage: Stage) -> None:
    """What a long key asks for is not extra."""
    stage.thing("x" * 600)
    assert stage.found("things") == {}


LAWS = [law_of_orphans, law_of_values, law_of_flight, law_of_change, law_of_samples, law_of_hashes]


def sees_no_orphans(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Look, "at_documents", lambda *_: None)


def compares_no_values(patch: pytest.MonkeyPatch) -> None:
    compare = Memory.compare

    def planted(sink: Memory, *args: Any) -> Any:
        for op, differs in compare(sink, *args):
            yield Compared(op, None if differs and differs.kind == "different" else differs)

    patch.setattr(Memory, "compare", planted)


def looks_once(patch: pytest.MonkeyPatch) -> None:
    def planted(_: Any, suspects: Any, page: Any, __: Any) -> None:
        for each in suspects:
            page.differences.append(Difference(each.address, Differs("missing"), None))

    patch.setattr(confirm.Confirm, "run", planted)


def forgets_states(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(confirm, "state_of", lambda _: "same")
    patch.setattr(looking, "state_of", lambda _: "same")


def samples_the_same(patch: pytest.MonkeyPatch) -> None:
    def planted(self: Verify, table: str, count: int, deadline: Any, **_: Any) -> Any:
        return self.items(table, None, count, deadline)

    patch.setattr(verify.Verify, "sample_items", planted)


def takes_hashes_for_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(looking, "is_hash", lambda _: False)


@pytest.mark.parametrize("law", LAWS)
def test_the_laws_hold(law: Any, stage: Stage) -> None:
    """Without a planted bug."""
    law(stage)


@pytest.mark.parametrize(
    ("plant", "law"),
    [
        (sees_no_orphans, law_of_orphans),
        (compares_no_values, law_of_values),
        (looks_once, law_of_flight),
        (forgets_states, law_of_change),
        (samples_the_same, law_of_samples),
        (takes_hashes_for_keys, law_of_hashes),
    ],
)
def test_planted_bugs_are_found(
    plant: Any, law: Any, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laws are worth what they catch."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        law(stage)
