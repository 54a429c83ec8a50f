"""A model has a bug: its plan raises. Keys that are resynced come from anywhere, and nobody bisects
their batch; so it costs its own key, loudly. (A batch of the stream: test_dispatch.py.)"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from sync.errors import ModelBug
from sync.model.change import Change
from sync.models.product import Product
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Done, Op, Outcome
from tests.doubles.account import Account
from tests.doubles.trouble import SOUND, one_letter
from tests.records import CORE, PRODUCTS, core_keys
from tests.unit.recovery.resyncing import Thing, Work, World, key

BUG = {"name": {"S": "a bug's"}}


@pytest.fixture(autouse=True)
def _bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Things and products of a certain name have a plan that raises."""
    for model in (Thing, Product):
        monkeypatch.setattr(model, "plan", buggy(model.plan))


def buggy(plan: Any) -> Any:
    def planned(change: Change[Any]) -> Iterator[Op]:
        if change.new and change.new.name == BUG["name"]["S"]:
            raise ZeroDivisionError("a bug")
        yield from plan(change)

    return planned


def test_a_bug_in_a_plan_costs_its_own_key(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody bisects a batch of keys; and it is logged with its keys and trace."""
    world = World()
    world.table.put(1, "a bug's")
    world.table.put(2, "two")
    verdicts = {s.key: s.verdict for s in world.resync.run([key(1), key(2)], world.deadline)}
    assert verdicts[key(2)] is Done.WRITTEN
    assert isinstance(verdicts[key(1)], ModelBug)
    assert "the plan of Thing failed: ZeroDivisionError('a bug')" in str(verdicts[key(1)])
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (line.table, line.keys) == (CORE, core_keys("THING", "1"))  # type: ignore[attr-defined]
    assert line.exc_info


def test_a_bug_in_a_sink_is_raised() -> None:
    """No key of its batch is known to be in line."""

    class Forgetful(Memory):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            return []

    world = World(Forgetful())
    world.table.put(1, "one")
    with pytest.raises(AssertionError, match="0 outcomes for 1 ops"):
        world.run(key(1))


def test_a_bug_in_a_plan_becomes_a_dead_letter_of_its_key() -> None:
    """With its trace; the rest of the message is in line, and it does not come again."""
    work = Work()
    work.table.put(1, "a bug's")
    work.table.put(2, "two")
    assert work.receive(key(1), key(2)) == []
    assert work.held(work.memory, 2) == "two"
    (letter,) = work.letters.kept
    assert (letter.sink, letter.keys) == ("memory", core_keys("THING", "1"))
    assert letter.raw["item"]["name"] == {"S": "a bug's"}
    assert isinstance(letter.error.__cause__, ZeroDivisionError)  # and so in the trace
    assert work.parking.messages == []


def test_a_replay_leaves_the_row_of_a_bug_open(account: Account) -> None:
    """With what is wrong now; the others are replayed, and it too once its model is mended."""
    wrong, sound = one_letter(account, "wrong", 1), one_letter(account, "sound", 2)
    account.put("wrong", **{**SOUND, **BUG})
    account.put("sound", **SOUND)
    answer = account.call("dlq replay", all=True)
    assert {r["id"]: r["result"] for r in answer["results"]} == {wrong: "failed", sound: "replayed"}
    assert account.document("sound")
    (row,) = account.rows()
    assert (row["id"], row["error_class"]) == (wrong, "ModelBug")
    assert "the plan of Product failed: ZeroDivisionError('a bug')" in row["error"]


def test_a_table_is_resynced_past_a_bug(account: Account) -> None:
    """The answer names the key."""
    account.put("wrong", **{**SOUND, **BUG})
    account.put("sound", **SOUND)
    answer = account.call("resync", table=PRODUCTS)
    assert answer["counts"] == {"written": 1, "failed": 1}
    (failure,) = answer["failures"]
    assert failure["keys"] == {"productId": {"S": "wrong"}}
    assert failure["error"].startswith("ModelBug: the plan of Product failed")
