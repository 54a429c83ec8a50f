"""Plans of single items: what models are asked, and what is told of their errors."""

import logging
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import pytest

from sync.aws.keys import Source
from sync.errors import InvalidImage, ModelBug, RecordError, RegistryError
from sync.model.change import Change
from sync.model.fields import Number, Text
from sync.model.model import Model, Route
from sync.model.planner import Plan, Planner
from sync.sinks.memory import Memory
from sync.writing.op import Op
from tests.doubles.wiring import planner as planner_of
from tests.doubles.wiring import registry as registry_of
from tests.records import CORE, core_keys

KEYS = core_keys("THING", "1")
SOURCE = Source(CORE, KEYS)


class Skipping(Memory):
    """A sink that is spared what did not change."""

    name: ClassVar[str] = "skipping"
    skips_equal = True


class Sparing(Skipping):
    """Another one."""

    name: ClassVar[str] = "sparing"


class Thing(Model):
    """A thing in two sinks."""

    name: Text
    price: Number | None = None


Thing.route = Route(CORE, {"PK": "THING", "SK": ".+"}, {Memory: "things", Skipping: "skipped"})


class Still(Model):
    """A thing in two sinks that are spared."""

    name: Text


Still.route = Route(CORE, {"PK": "STILL", "SK": ".+"}, {Skipping: "a", Sparing: "b"})


class Odd(Model):
    """Its plan does what a test tells it."""

    does: ClassVar[Any]

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        yield from cls.does(change)


Odd.route = Route(CORE, {"PK": "ODD", "SK": ".+"})


class Bench:
    """A planner, and what it reported."""

    def __init__(self) -> None:
        self.saw: list[tuple[str, str, Exception | None]] = []
        registry = registry_of(Thing, Still, Odd)
        self.planner = Planner(registry, lambda *told: self.saw.append(told))

    def plan(self, new: Any = None, old: Any = None, pk: str = "THING") -> Any:
        source = Source(CORE, core_keys(pk, "1"))
        pattern = self.planner.match(source)
        assert pattern is not None
        return self.planner.plan(pattern, source, 7, new_image=new, old_image=old)


def image(**fields: Any) -> Any:
    return {**KEYS, **fields}


NAME = {"S": "x"}


def test_an_item_is_one_op_for_each_sink() -> None:
    """With its source, its version and the id of its keys."""
    plan = Bench().plan(image(name=NAME))
    assert plan.ops == [
        Op("memory", SOURCE, "things", "THING|1", b'{"name":"x"}', 7),
        Op("skipping", SOURCE, "skipped", "THING|1", b'{"name":"x"}', 7),
    ]
    assert plan.equal == 0


def test_an_item_that_is_gone_is_a_delete_for_each_sink() -> None:
    """Also where there is an old image: it says nothing any more."""
    for old in (None, image(name=NAME)):
        plan = Bench().plan(None, old)
        assert plan.ops == [
            Op("memory", SOURCE, "things", "THING|1", None, 7),
            Op("skipping", SOURCE, "skipped", "THING|1", None, 7),
        ]


@pytest.mark.parametrize(
    ("old", "sinks", "equal"),
    [
        (image(name=NAME), ["memory"], 1),
        (image(name=NAME, unknown={"N": "1"}), ["memory"], 1),  # no document has that one
        (image(name={"S": "y"}), ["memory", "skipping"], 0),
        (image(name=NAME, price={"N": "1"}), ["memory", "skipping"], 0),
        (None, ["memory", "skipping"], 0),
    ],
)
def test_only_a_sink_that_wants_it_is_spared_what_did_not_change(
    old: Any, sinks: list[str], equal: int
) -> None:
    """And only if both images are known, and equal in all that the model takes."""
    plan = Bench().plan(image(name=NAME), old)
    assert ([op.sink for op in plan.ops], plan.equal) == (sinks, equal)


def test_each_sink_that_is_spared_counts() -> None:
    """Documents, not items."""
    still = {**core_keys("STILL", "1"), "name": NAME}
    assert Bench().plan(still, still, pk="STILL") == Plan([], 2)


def test_ops_of_a_plan_have_the_keys_id_or_one_of_their_own() -> None:
    """Both puts and deletes."""

    def does(change: Any) -> Iterator[Op]:
        yield change.put(Memory, "a", b"1")
        yield change.put(Memory, "a", b"2", document_id="own")
        yield change.delete(Memory, "b")
        yield change.delete(Memory, "b", document_id="own")

    Odd.does = does
    ops = Bench().plan(image(), pk="ODD").ops
    assert [(op.sink, op.target, op.id, op.body, op.version) for op in ops] == [
        ("memory", "a", "ODD|1", b"1", 7),
        ("memory", "a", "own", b"2", 7),
        ("memory", "b", "ODD|1", None, 7),
        ("memory", "b", "own", None, 7),
    ]
    assert {op.source for op in ops} == {Source(CORE, core_keys("ODD", "1"))}


def test_a_plan_sees_both_items_as_its_model() -> None:
    """None where there is none; each is read once, however often it is asked for."""
    seen: list[Any] = []

    def does(change: Any) -> Iterator[Op]:
        seen.append((change.old, change.new, change.old is change.old, change.unchanged))
        return iter(())

    Odd.does = does
    bench = Bench()
    bench.plan(image(), None, pk="ODD")
    bench.plan(None, image(), pk="ODD")
    kinds = [(type(old), type(new), same, equal) for old, new, same, equal in seen]
    nothing = type(None)
    assert kinds == [(nothing, Odd, True, False), (Odd, nothing, True, False)]


def test_who_watches_is_told_of_each_plan() -> None:
    """With the model's name, the document's id, and why it failed, if it did."""
    bench = Bench()
    bench.plan(image(name=NAME))
    with pytest.raises(InvalidImage) as refused:
        bench.plan(image(name={"N": "5"}))
    assert bench.saw == [("Thing", "THING|1", None), ("Thing", "THING|1", refused.value)]


def test_without_a_watcher_plans_are_the_same() -> None:
    """A command has none."""
    planner = planner_of(Thing)
    pattern = planner.match(SOURCE)
    assert pattern is not None
    assert len(planner.plan(pattern, SOURCE, 7, new_image=image(name=NAME)).ops) == 2
    with pytest.raises(InvalidImage):
        planner.plan(pattern, SOURCE, 7, new_image=image())


def test_a_bug_in_a_plan_is_told_with_model_table_and_keys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As an error of that record, which a letter can be made of; its trace is in the log."""
    bug = ZeroDivisionError("a bug")

    def does(change: Any) -> Iterator[Op]:
        raise bug

    Odd.does = does
    bench = Bench()
    with pytest.raises(ModelBug) as raised:
        bench.plan(image(), pk="ODD")
    assert str(raised.value) == "the plan of Odd failed: ZeroDivisionError('a bug')"
    assert (raised.value.model, raised.value.__cause__) == ("Odd", bug)
    assert bench.saw == [("Odd", "ODD|1", raised.value)]
    (line,) = caplog.records
    assert (line.levelno, line.message) == (logging.ERROR, "plan of Odd failed")
    assert (vars(line)["table"], vars(line)["keys"]) == (CORE, core_keys("ODD", "1"))
    assert line.exc_info is not None
    assert line.exc_info[1] is bug


@pytest.mark.parametrize("error", [RecordError("malformed"), RegistryError("two models")])
def test_what_a_model_says_of_its_record_is_no_bug(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is raised as it is, and nothing is logged here."""

    def does(change: Any) -> Iterator[Op]:
        raise error

    Odd.does = does
    bench = Bench()
    with pytest.raises(type(error)) as raised:
        bench.plan(image(), pk="ODD")
    assert raised.value is error
    assert bench.saw == [("Odd", "ODD|1", error)]
    assert caplog.records == []


def test_a_key_that_no_model_wants_has_no_pattern() -> None:
    """Table and keys decide."""
    planner = Bench().planner
    assert planner.match(Source(CORE, core_keys("OTHER", "1"))) is None
    assert planner.match(Source("another", KEYS)) is None
