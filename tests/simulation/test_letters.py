"""The checks of dead letters notice what they are for."""

import json
from typing import Any

import pytest

from tests.simulation import letters
from tests.simulation.invariants import Difference, Violated, owner
from tests.simulation.models import CORE, KEYS, core_keys
from tests.simulation.opensearch import REFUSED_WORD
from tests.simulation.stream import Stream
from tests.simulation.table import Streamed
from tests.simulation.world import World

KEY = core_keys("ARTICLE", "A#1")
PLACE = ("opensearch", "articles", "ARTICLE|A%231")
ONE = owner(CORE, KEY)
DIFFERS: list[Difference] = [(PLACE, "is missing", frozenset([ONE]))]


def history(*titles: str) -> tuple[letters.History, Streamed]:
    """An article that had *titles*, one after another."""
    world = World(1)
    table = Streamed(world, CORE, KEYS[CORE], Stream(world, CORE))
    for second, title in enumerate(titles):
        world.now += 10.0 * second
        table.put({**KEY, "title": {"S": title}})
    return letters.History([table]), table


def row(body: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "kind": "quarantined",
        "status": "open",
        "table": CORE,
        "keys": KEY,
        "sink": "opensearch",
        "error": "refused",
        "error_class": "Refused",
        "version": "0",
        "replays": "0",
        "body": json.dumps(body),
        **more,
    }


def test_a_letter_about_the_latest_record_explains_a_difference() -> None:
    """So does one with the item as a worker read it."""
    past, table = history("a", REFUSED_WORD)
    records = table.stream.events
    for body in (records[-1], {"item": past.items[ONE]}):
        assert list(letters.explained(DIFFERS, [row(body)], past, set())) == DIFFERS


@pytest.mark.parametrize("change", [{"status": "replayed"}, {"sink": "plain"}, {"keys": None}])
def test_other_letters_explain_nothing(change: dict[str, Any]) -> None:
    """A letter that is closed, or about another sink or no key, tells of no difference."""
    past, table = history("a", REFUSED_WORD)
    with pytest.raises(Violated, match="no dead letter tells"):
        list(letters.explained(DIFFERS, [row(table.stream.events[-1], **change)], past, set()))


def test_a_letter_about_an_older_record_explains_nothing() -> None:
    """Whoever reads it learns nothing of what the item is now."""
    past, table = history(f"{REFUSED_WORD} once", f"{REFUSED_WORD} again")
    older = table.stream.events[0]
    for body in (older, {"item": older["dynamodb"]["NewImage"]}):
        with pytest.raises(Violated, match="only a letter about an older record"):
            list(letters.explained(DIFFERS, [row(body)], past, set()))


def test_of_two_records_of_one_moment_the_one_with_the_higher_version_will_do() -> None:
    """Creation times are approximate, so a row may keep the one that came first."""
    past, table = history(f"{REFUSED_WORD} once", f"{REFUSED_WORD} again")
    told = row(table.stream.events[0], version=str(2**62))
    assert list(letters.explained(DIFFERS, [told], past, set())) == DIFFERS


def test_a_letter_of_a_corrected_item_is_not_true() -> None:
    past, table = history(REFUSED_WORD, "right")
    told = row(table.stream.events[0])
    with pytest.raises(Violated, match="an open letter of what is written"):
        letters.are_true([told], past)
    letters.are_true([{**told, "status": "replayed"}], past)


def test_a_letter_of_what_nobody_refused_has_no_reason() -> None:
    past, table = history("right", "right too")
    with pytest.raises(Violated, match="nobody refused"):
        letters.have_reasons([row(table.stream.events[-1])], past, lambda _one: True)


def test_a_replay_may_leave_its_error_to_a_letter_for_its_age() -> None:
    past, table = history("right")
    failed = row(table.stream.events[-1], error="503", replays="1")
    letters.have_reasons([failed], past, lambda _one: True)
    with pytest.raises(Violated, match="nobody refused"):
        letters.have_reasons([failed], past, lambda _one: False)


def test_a_letter_for_its_age_comes_after_14_days() -> None:
    past, table = history("right")
    told = row(table.stream.events[-1], error=f"{letters.EXPIRED}, and still: 429")
    letters.have_reasons([told], past, lambda one: one == ONE)
    with pytest.raises(Violated, match="before its time"):
        letters.have_reasons([told], past, lambda _one: False)


def test_a_document_that_never_was_is_not_an_older_one() -> None:
    past, _ = history("a", REFUSED_WORD)
    held: Any = {"opensearch": {PLACE[1:]: {"title": "a"}}}
    letters.hold_older(DIFFERS, held, past, deployed=False)
    letters.hold_older(DIFFERS, {"opensearch": {}}, past, deployed=False)
    with pytest.raises(Violated, match="never was"):
        letters.hold_older(
            DIFFERS, {"opensearch": {PLACE[1:]: {"title": "b"}}}, past, deployed=False
        )


def test_two_letters_of_a_key_and_sink_are_too_many() -> None:
    letters.are_few([row({}), row({}, sink="plain"), row({}, keys=None), row({}, keys=None)])
    with pytest.raises(Violated, match="two dead letters"):
        letters.are_few([row({}), row({}, status="replayed")])
