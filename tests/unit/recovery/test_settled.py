"""What a resync says of each key, in words, letters and versions."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.aws.items import Found
from sync.aws.keys import Source
from sync.errors import InvalidImage, NotTried, Refused, Retry, Unavailable
from sync.recovery.parking import Parked
from sync.recovery.resync import Settled, Unmatched
from sync.runtime.deadline import Deadline
from sync.writing.op import Done
from tests.records import CORE, core_keys
from tests.unit.recovery.resyncing import AnsweringInTurn, World, key

KEYS = core_keys("THING", "1")
ITEM = {**KEYS, "name": {"S": "one"}}
DOWN = Unavailable("the table is down")


def settled(world: World, *keys: Parked, only: str | None = "memory") -> list[Settled]:
    return list(world.resync.run(keys or (key(1),), world.deadline, only=only))


def with_item(*answers: Done | Refused | Retry) -> World:
    world = World(AnsweringInTurn(*answers))
    world.table.put(1, "one")
    return world


def test_a_key_that_is_written_says_what_was_read_and_at_which_version() -> None:
    """That of the moment before the item was read."""
    world = with_item()
    version = world.clock.time_ns()
    (one,) = settled(world)
    assert one == Settled(key(1), Done.WRITTEN, ITEM, version=version)


def test_a_key_that_no_model_wants_says_the_same() -> None:
    """A replay notes of its letter what the item was, and when it was read."""
    world = World()
    other = Parked(Source(CORE, core_keys("OTHER", "1")))
    world.table.items[other.source] = ITEM
    version = world.clock.time_ns()
    assert settled(world, other) == [Settled(other, Unmatched(), ITEM, version=version)]


def test_an_item_that_can_t_be_read_is_settled_as_nothing_but_that() -> None:
    """Nothing was sent, and nothing is known of it."""
    world = World()
    world.table.items[key(1).source] = DOWN
    assert settled(world) == [Settled(key(1), DOWN)]


@pytest.mark.parametrize(
    "answer", [DOWN, NotTried("its breaker is open")], ids=["failed", "spared"]
)
def test_what_was_not_written_is_not_read_again(answer: Retry) -> None:
    """An outage must not cost the table a second reading of each key; and a key for which nothing
    was sent says so though its item changed meanwhile."""
    world = with_item(answer)
    world.become("two")
    read: list[Source] = []
    table = world.table.read

    def reading(sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        read.extend(sources)
        return table(sources, deadline)

    world.table.read = reading  # type: ignore[method-assign]
    (one,) = settled(world)
    assert (one.verdict, one.tried) == (answer, answer is DOWN)
    assert read == [key(1).source]


def test_a_refused_item_that_changes_meanwhile_is_written_as_it_is_now() -> None:
    """It may have been mended between reading and writing."""
    world = with_item(Refused("no"))
    world.become("two")
    (one,) = settled(world)
    assert one.verdict is Done.WRITTEN
    assert world.held(world.memory) == "two"


@pytest.mark.parametrize("trouble", ["early", "not read", "malformed", "of no model"])
def test_a_key_in_trouble_holds_up_none_behind_it(trouble: str) -> None:
    """Of one slice, whatever became of the first."""
    world = World()
    world.table.put(2, "two")
    first = Parked(Source(CORE, core_keys("OTHER", "1"))) if trouble == "of no model" else key(1)
    if trouble == "early":
        first = replace(first, after_version=world.clock.time_ns() + 1)
    world.table.items[first.source] = (
        DOWN if trouble == "not read" else {**KEYS, "name": {"N": "5"}}
    )
    assert settled(world, first, key(2))[1].verdict is Done.WRITTEN
    assert world.held(world.memory, 2) == "two"


def test_a_key_before_its_time_says_when_that_comes() -> None:
    """In seconds; nothing was sent, and its age and its version stay."""
    world = with_item()
    early = key(1, after=world.clock.time_ns() + 90 * 10**9)
    (one,) = settled(world, early)
    assert one.key == early
    assert isinstance(one.verdict, NotTried)
    assert (str(one.verdict), one.tried) == ("its time comes in 90 s", False)


def test_a_key_at_the_very_version_waits_as_well() -> None:
    """Equal versions overwrite each other, in the order in which they come."""
    world = with_item()
    now = world.clock.time_ns()
    assert isinstance(settled(world, key(1, after=now))[0].verdict, NotTried)
    assert settled(world, key(1, after=now - 1))[0].verdict is Done.WRITTEN


def test_without_time_nothing_is_read() -> None:
    """Every key is told so."""
    world = with_item()
    world.table.after_read = lambda: pytest.fail("read")
    late = Deadline(0, clock=world.clock.monotonic, sleep=world.clock.sleep)
    told = [(str(one.verdict), one.tried) for one in world.resync.run([key(1), key(2)], late)]
    assert told == [("no time is left", False)] * 2


def test_a_stale_key_says_so_and_names_its_document(caplog: pytest.LogCaptureFixture) -> None:
    """It is resynced again, above the version of now."""
    caplog.set_level(logging.INFO, "sync")
    world = with_item(Done.STALE)
    (one,) = settled(world)
    assert str(one.verdict) == (
        "stale: the sink holds a newer version; the key is resynced again later"
    )
    assert one.key == key(1, after=world.clock.time_ns())
    (line,) = [record for record in caplog.records if record.message == "a resync was stale"]
    assert vars(line)["document_id"] == "THING|1"


def test_a_refused_key_keeps_its_version_and_names_op_and_item() -> None:
    """Nothing of it can land late."""
    world = with_item(Refused("no"))
    (one,) = settled(world, key(1, after=5))
    assert (one.key, str(one.verdict), one.found) == (key(1, after=5), "no", ITEM)
    assert one.version == world.clock.time_ns()
    assert one.op is not None
    assert (one.op.target, one.op.id) == ("things", "THING|1")


def test_a_failure_beats_a_refusal_whichever_comes_first() -> None:
    """Two sinks: what may pass is tried again, and the refusal is met again then."""
    for answers in ((Refused("no"), Unavailable("503")), (Unavailable("503"), Refused("no"))):
        world = with_item(answers[0])
        world.plain.write = AnsweringInTurn(answers[1]).write  # type: ignore[method-assign]
        (one,) = settled(world, only=None)
        assert str(one.verdict) == "503"


def test_a_letter_of_a_refusal_has_the_item_and_the_op() -> None:
    """A replay compares the item: unchanged, it would be refused again."""
    world = with_item(Refused("no"))
    (one,) = settled(world)
    letter = one.letter(Refused("no"), "another")
    assert letter.raw == {"table": CORE, "keys": KEYS, "item": ITEM}
    assert (letter.table, letter.keys, letter.version) == (CORE, KEYS, one.version)
    assert (letter.sink, letter.target, letter.document_id) == ("memory", "things", "THING|1")


def test_a_letter_of_an_item_that_its_model_refuses_is_for_the_sink_that_was_asked() -> None:
    """No op came of it."""
    world = World()
    world.table.items[key(1).source] = wrong = {**KEYS, "name": {"N": "5"}}
    for only in ("memory", None):
        (one,) = settled(world, only=only)
        assert isinstance(one.verdict, InvalidImage)
        letter = one.letter(one.verdict, only)
        assert letter.raw["item"] == wrong
        assert letter.version == one.version == world.clock.time_ns()
        assert (letter.sink, letter.target, letter.document_id) == (only, None, None)


def test_a_letter_of_what_may_pass_has_no_item() -> None:
    """So a replay tries it though the item has not changed."""
    world = with_item(Unavailable("503"))
    (one,) = settled(world)
    assert one.letter(Unavailable("503"), "memory").raw == {"table": CORE, "keys": KEYS}


def test_an_item_that_changes_all_the_time_says_so_and_was_tried() -> None:
    """Something of it was written, so it has to be resynced again."""
    world = World()
    names = iter(range(100))
    world.table.after_read = lambda: world.table.put(1, f"name {next(names)}")
    (one,) = settled(world)
    assert str(one.verdict) == "the item changed each time it was verified"
    assert one == Settled(key(1), one.verdict, tried=True)


def test_an_item_that_can_t_be_verified_was_tried() -> None:
    """What was written may be old by now."""
    world = with_item()
    world.table.after_read = lambda: world.table.items.update({key(1).source: DOWN})
    (one,) = settled(world)
    assert (one.verdict, one.tried) == (DOWN, True)


@pytest.mark.parametrize("read", ["changed", "not read"])
def test_what_one_sink_took_and_nobody_verified_was_tried(read: str) -> None:
    """Though the other sink was spared: the one may hold an older state than the item's."""
    world = with_item(NotTried("its breaker is open"))
    if read == "changed":
        world.become("two")
    else:
        world.table.after_read = lambda: world.table.items.update({key(1).source: DOWN})
    (one,) = settled(world, only=None)
    assert world.held(world.plain) == "one"
    assert isinstance(one.verdict, Unavailable)
    assert one.tried


def test_all_of_a_resync_ends_by_the_deadline_that_was_given() -> None:
    """Reading, writing and verifying: Lambda would end it otherwise."""
    world = with_item()
    seen: list[Deadline] = []
    for part, name in ((world.table, "read"), (world.memory, "write")):
        setattr(part, name, watched(getattr(part, name), seen))
    assert settled(world)[0].verdict is Done.WRITTEN
    assert seen == [world.deadline] * 3


def watched(call: Callable[..., Any], seen: list[Deadline]) -> Callable[..., Any]:
    """*call*, whose last argument is added to *seen*."""

    def made(given: Any, deadline: Deadline) -> Any:
        seen.append(deadline)
        return call(given, deadline)

    return made
