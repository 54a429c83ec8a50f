"""`reindex`: its phases, by whoever calls it, and after any crash between two of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from sync.errors import ConfigError, Refused, Unavailable
from sync.model import mappings
from sync.runtime.deadline import Deadline
from sync.writing.shadows import Places
from tests.doubles.shadowed import Shadowed
from tests.records import CORE, PRODUCTS
from tests.unit.runs.harness import Line

IDS = [f"p{n}" for n in range(9)]
FIRST, SECOND, THIRD = (f"products-v{n}" for n in (1, 2, 3))


@pytest.fixture
def sink(line: Line) -> Shadowed:
    line.account.memory = Shadowed()
    line.account.service = line.account.fresh()
    return line.account.memory


@pytest.fixture
def filled(line: Line, sink: Shadowed) -> Shadowed:
    """A table whose items readers see."""
    line.put(*IDS)
    line.account.call("resync", table=PRODUCTS)
    assert held(sink, FIRST) == set(IDS)
    return sink


def reindex(line: Line, **payload: Any) -> dict[str, Any]:
    return line.account.call("reindex", sink="opensearch", target="products", **payload)


def held(sink: Shadowed, place: str) -> set[str]:
    return {id_ for of, id_ in sink.documents if of == place}


def runs(line: Line) -> list[Any]:
    listed: list[Any] = line.account.call("backfill list")["runs"]
    return listed


def test_readers_see_the_next_place_once_it_is_filled_and_compared(
    line: Line, filled: Shadowed
) -> None:
    """Its schema is that of the models; what is written meanwhile goes to both."""
    first = reindex(line)
    assert (first["phase"], first["live"], first["shadow"]) == ("filling", FIRST, SECOND)
    ((name, begun),) = [(each["table"], each) for each in first["runs"]]
    assert (name, begun["arguments"]["reindex"]) == (PRODUCTS, "opensearch:products")
    assert begun["arguments"]["sinks"] == ["opensearch"]
    assert begun["arguments"]["model"] == "Product"
    assert filled.made == [mappings.schema_of("opensearch", "products", [])]
    assert held(filled, SECOND) == set()
    line.put("late")
    line.account.call("resync", table=PRODUCTS, keys=[{"productId": {"S": "late"}}])
    assert held(filled, SECOND) == {"late"}
    assert reindex(line)["runs"] == first["runs"]
    line.rest()
    done = reindex(line)
    assert (done["phase"], done["live"], done["shadow"]) == ("swapped", SECOND, FIRST)
    assert (done["checked"], done["left"], done["differences"]) == (2 * (len(IDS) + 1), 0, [])
    assert held(filled, SECOND) == held(filled, FIRST) == {*IDS, "late"}
    again = reindex(line)
    assert {**again, "checked": 0} == {**done, "checked": 0}
    assert len(runs(line)) == 1


def test_what_differs_is_repaired_and_compared_anew(line: Line, filled: Shadowed) -> None:
    """Only a comparison that goes through without a difference lets readers see the place."""
    reindex(line)
    line.rest()
    del filled.documents[SECOND, "p3"]
    filled.documents[SECOND, "p4"] = b'{"name":"other"}'
    filled.documents[SECOND, "stranger"] = b"{}"
    told = reindex(line)
    assert (told["phase"], told["live"], told["left"], told["cursor"]) == (
        "comparing",
        FIRST,
        3,
        None,
    )
    kinds = {each["id"]: (each["kind"], each["repaired"]) for each in told["differences"]}
    assert kinds == {
        "p3": ("missing", True),
        "p4": ("different", True),
        "stranger": ("extra", True),
    }
    assert held(filled, SECOND) == set(IDS)
    assert reindex(line)["phase"] == "swapped"


def test_a_comparison_goes_on_over_calls(line: Line, filled: Shadowed) -> None:
    """A difference at its beginning is not forgotten at its end."""
    reindex(line)
    line.rest()
    filled.documents.clear()
    cursor, calls, left = None, 0, 0
    while calls == 0 or cursor is not None:
        told = reindex(line, cursor=cursor, limit=2)
        assert told["phase"] == "comparing"
        assert told["left"] >= left
        cursor, left, calls = told["cursor"], told["left"], calls + 1
    assert calls > 4
    assert left == len(IDS)
    assert filled.places("products").live == FIRST


def test_nothing_is_swapped_in_before_it_is_filled(line: Line, filled: Shadowed) -> None:
    """However often it is asked for, and while its backfill is paused."""
    id_ = reindex(line)["runs"][0]["id"]
    line.account.call("backfill pause", id=id_)
    for _ in range(3):
        assert reindex(line, unverified=True)["phase"] == "filling"
    line.rest()
    assert reindex(line)["phase"] == "filling"
    line.account.call("backfill resume", id=id_)
    line.rest()
    assert reindex(line, unverified=True)["phase"] == "swapped"


def test_a_swap_may_be_unverified(line: Line, filled: Shadowed) -> None:
    """For those who can't wait."""
    reindex(line)
    line.rest()
    del filled.documents[SECOND, "p3"]
    assert reindex(line, unverified=True)["phase"] == "swapped"
    assert filled.places("products") == Places(SECOND, FIRST)


def test_a_sample_may_be_enough(line: Line, filled: Shadowed) -> None:
    """Of a table that is too large to be compared whole."""
    reindex(line)
    line.rest()
    done = reindex(line, sample=3)
    assert (done["phase"], done["checked"]) == ("swapped", 6)


def test_a_cancelled_backfill_does_not_count(line: Line, filled: Shadowed) -> None:
    """Another one is started."""
    cancelled = reindex(line)["runs"][0]["id"]
    line.account.call("backfill cancel", id=cancelled)
    (other,) = reindex(line)["runs"]
    assert other["id"] != cancelled
    line.rest()
    assert reindex(line)["phase"] == "swapped"


def test_a_backfill_that_was_not_started_is(line: Line, filled: Shadowed) -> None:
    """The call that made the next place died before."""
    filled.shadow("products", {}, Deadline(1))
    told = reindex(line)
    assert (told["phase"], len(told["runs"])) == ("filling", 1)


def test_the_way_back(line: Line, filled: Shadowed) -> None:
    """The previous place was written to all the while; it is compared before readers see it."""
    reindex(line)
    line.rest()
    reindex(line)
    line.put("late")
    line.account.call("resync", table=PRODUCTS, keys=[{"productId": {"S": "late"}}])
    del filled.documents[FIRST, "p1"]
    assert reindex(line, rollback=True)["phase"] == "comparing"
    back = reindex(line, rollback=True)
    assert (back["phase"], back["live"], back["shadow"]) == ("rolled back", FIRST, SECOND)
    assert held(filled, FIRST) == {*IDS, "late"}
    assert reindex(line, rollback=True) == {**back, "checked": 0}
    assert reindex(line)["phase"] == "swapped"  # and there again


@pytest.mark.parametrize("swapped", [False, True])
def test_what_readers_do_not_see_is_dropped(line: Line, filled: Shadowed, swapped: bool) -> None:
    """Which ends a reindex that is under way, and its backfill."""
    reindex(line)
    if swapped:
        line.rest()
        reindex(line)
    live, other = (SECOND, FIRST) if swapped else (FIRST, SECOND)
    dropped = reindex(line, drop=True)
    assert (dropped["phase"], dropped["live"], dropped["shadow"]) == ("dropped", live, None)
    assert held(filled, other) == set()
    line.rest()
    assert {each["status"] for each in runs(line)} == {"done" if swapped else "cancelled"}
    with pytest.raises(ConfigError, match="products has nothing to drop"):
        reindex(line, drop=True)


def test_a_place_is_filled_anew_after_a_drop(line: Line, filled: Shadowed) -> None:
    """The backfill of the one that was dropped, which had the same name, does not count."""
    reindex(line)
    line.rest()
    filled.drop("products", SECOND)
    told = reindex(line)
    assert (told["phase"], told["shadow"], len(runs(line))) == ("filling", SECOND, 2)
    line.rest()
    assert reindex(line)["phase"] == "swapped"
    reindex(line, drop=True)
    assert reindex(line)["shadow"] == THIRD


def test_what_the_next_place_refuses_keeps_it_from_readers(line: Line, filled: Shadowed) -> None:
    """A mapping that some items violate; a person has to decide."""

    class Strict(Shadowed):
        def write(self, ops: Any, deadline: Deadline) -> Iterator[Any]:
            for outcome in super().write(ops, deadline):
                if outcome.op.id == "p5" and self.places("products").shadow == SECOND:
                    self.documents.pop((SECOND, "p5"), None)
                    outcome = outcome._replace(result=Refused("no number"))
                yield outcome

    strict = Strict()
    strict.documents, strict._versions = filled.documents, filled._versions
    line.account.memory = strict
    line.account.service = line.account.fresh()
    reindex(line)
    line.rest()
    for _ in range(2):
        told = reindex(line)
        assert (told["phase"], told["left"]) == ("comparing", 1)
        assert [(each["id"], each["repaired"]) for each in told["differences"]] == [("p5", False)]
    assert strict.places("products").live == FIRST


def test_a_place_that_can_not_be_read_is_not_swapped_in(line: Line, filled: Shadowed) -> None:
    """Nor is anything said of it."""
    reindex(line)
    line.rest()
    filled.known["products"] = Places(FIRST, SECOND)
    filled.compare = _down  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="no answer"):
        reindex(line)
    assert filled.places("products").live == FIRST


def _down(ops: Any, deadline: Deadline) -> Any:
    raise Unavailable("no answer")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"sink": "nothing"}, "no model feeds the sink 'nothing'"),
        ({"target": "nothing"}, "no model feeds 'nothing' of opensearch"),
        ({"sink": "counters", "target": "core"}, "counters has nothing to reindex"),
        ({"rollback": True}, "products has no previous index or collection"),
        ({"drop": True}, "products has nothing to drop"),
        ({"drop": True, "rollback": True}, "reindex takes 'rollback' or 'drop', not both"),
    ],
)
def test_what_can_not_be_reindexed_is_said(
    line: Line, sink: Shadowed, payload: dict[str, Any], why: str
) -> None:
    """Before anything is made."""
    of = {"sink": "opensearch", "target": "products", **payload}
    with pytest.raises(ConfigError, match=why):
        line.account.call("reindex", **of)
    assert sink.made == []


@pytest.mark.parametrize("cursor", ["1", "[]", "{}", "[0,9]", '["a",0]', "[0,0,3]", "[0,1,[]]"])
def test_a_cursor_of_something_else_is_refused(line: Line, filled: Shadowed, cursor: str) -> None:
    """It was not this command's."""
    reindex(line)
    line.rest()
    with pytest.raises(ConfigError, match="no cursor of an earlier answer"):
        reindex(line, cursor=cursor)


def test_a_target_that_is_not_made_is_not_reindexed(line: Line, sink: Shadowed) -> None:
    """`mappings apply` makes it."""
    sink.known["products"] = Places(None, None)
    with pytest.raises(ConfigError, match="no products yet: run `mappings apply`"):
        reindex(line)


def test_a_table_with_several_models_of_a_target_is_scanned_once(line: Line) -> None:
    """For all of them; with one model only its items are read."""
    line.account.typesense = Shadowed()
    line.account.service = line.account.fresh()
    told = line.account.call("reindex", sink="typesense", target="registry", rate=7)
    assert [(each["table"], each["arguments"].get("model")) for each in told["runs"]] == [
        (CORE, None)
    ]
    assert told["runs"][0]["arguments"]["rate"] == 7
    other = line.account.call("reindex", sink="typesense", target="icao_aircraft")
    (begun,) = other["runs"]
    assert (begun["arguments"]["model"], begun["segments"]) == ("IcaoAircraft", 1)
