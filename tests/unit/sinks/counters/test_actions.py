"""Each action of a transaction: what it writes, and what has to be there that it does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sync.aws.transactions import transact
from sync.sinks.counters import actions
from sync.sinks.counters.rows import Contribution, CounterKey
from tests.doubles.derived import FAMILY, Tables, counted, link, says

SECOND = 10**9
ONE = CounterKey(FAMILY, counted(1).sort_key)
OTHER = counted(2).sort_key
KEY = {"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": ONE.sort_key}}
PARTS = {
    "type_designator": {"S": "C1"},
    "manufacturer": {"S": "CESSNA / Reims"},
    "model": {"S": "1 #ü"},
}
OP = replace(says(1, counted(1), 0), version=8 * SECOND + 1)
ID = {"S": f"{FAMILY}#{OP.id}"}


def done(tables: Tables, action: Any) -> bool:
    return transact(lambda _: tables.client, [action], "trying it")


# ── Contributions ─────────────────────────────────────────────────────────────────────────────────


def contribution(version: int, counter: str | None) -> dict[str, Any]:
    row = {"id": ID, "version": {"N": str(version)}}
    return row if counter is None else {**row, "counter": {"S": counter}}


ROW = {
    "id": ID,
    "version": {"N": "8000000001"},
    "source_table": {"S": link(1).table},
    "source_keys": {
        "S": '{"PK":{"S":"FAA#LINKS"},"SK":{"S":"MFR_MDL_CODE#056091#SN#1"}}',
    },
}


@pytest.mark.parametrize(
    ("there", "read", "writes"),
    [
        (None, None, True),
        (contribution(5, OTHER), None, False),
        (contribution(5, None), None, False),
        (contribution(5, OTHER), Contribution(OTHER, 5), True),
        (contribution(6, OTHER), Contribution(OTHER, 5), False),
        (contribution(5, ONE.sort_key), Contribution(OTHER, 5), False),
        (contribution(5, None), Contribution(OTHER, 5), False),
        (None, Contribution(OTHER, 5), False),
        (contribution(5, None), Contribution(None, 5), True),
        (contribution(6, None), Contribution(None, 5), False),
        (contribution(5, OTHER), Contribution(None, 5), False),
        (None, Contribution(None, 5), False),
    ],
)
@pytest.mark.parametrize(
    ("counter", "more"),
    [
        (ONE, {"counter": {"S": ONE.sort_key}}),
        (None, {"expires_at": {"N": str(8 + 7 * 86_400)}}),
    ],
    ids=["contributes", "tombstone"],
)
def test_a_contribution_replaces_the_one_that_was_read(
    tables: Tables,
    there: Any,
    read: Contribution | None,
    writes: bool,
    counter: CounterKey | None,
    more: Mapping[str, Any],
) -> None:
    """And no other: the difference to it is what counters change by. One to no counter stays for a
    week, so that an older op that comes late is known to be older."""
    if there is not None:
        tables.client.put_item(TableName=tables.contributions, Item=there)
    assert done(tables, actions.put(tables.contributions, OP, counter, read)) is writes
    rows = tables.rows(tables.contributions)
    assert rows == ([{**ROW, **more}] if writes else [there] if there else [])


# ── Counters ──────────────────────────────────────────────────────────────────────────────────────


def hold(tables: Tables, count: int | None) -> None:
    if count is not None:
        item = {**KEY, **PARTS, "count": {"N": str(count)}}
        tables.client.put_item(TableName=tables.core, Item=item)


def held(tables: Tables) -> int | None:
    """What the counter holds, which names what it counts."""
    row = tables.get(KEY)
    if row is None:
        return None
    assert {**KEY, **PARTS, "count": row["count"]} == row
    return int(row["count"]["N"])


@pytest.mark.parametrize(("there", "after"), [(None, 3), (2, 5)])
def test_a_counter_rises_from_whatever_it_holds(
    tables: Tables, there: int | None, after: int
) -> None:
    """It is made if there is none."""
    hold(tables, there)
    assert done(tables, actions.add(tables.core, ONE, 3))
    assert held(tables) == after


@pytest.mark.parametrize(
    ("read", "there", "after"),
    [
        (3, 3, 1),
        (3, 9, 7),  # it rose meanwhile
        (3, 2, None),  # it fell meanwhile: nothing would be left, and a counter of 0 is none
        (3, None, None),
        (2, 2, 0),
        (1, 1, 0),
        (2, 3, None),  # it rose meanwhile: something is left
        (2, None, None),
    ],
)
def test_a_counter_falls_and_is_gone_at_nothing(
    tables: Tables, read: int, there: int | None, after: int | None
) -> None:
    """None: it is not as it was read, so it is read anew."""
    hold(tables, there)
    assert done(tables, actions.take(tables.core, ONE, 2, read)) is (after is not None)
    assert held(tables) == (there if after is None else after or None)


@pytest.mark.parametrize(
    ("seen", "there", "count", "writes"),
    [
        (None, None, 4, True),
        (None, 3, 4, False),
        (3, 3, 4, True),
        (3, 2, 4, False),
        (3, None, 4, False),
        (3, 3, 0, True),
        (3, 2, 0, False),
    ],
)
def test_a_counter_is_repaired_if_it_holds_what_was_seen(
    tables: Tables, seen: int | None, there: int | None, count: int, writes: bool
) -> None:
    """Else another write was there in between. One of nothing is deleted."""
    hold(tables, there)
    assert done(tables, actions.replace(tables.core, ONE, count, seen)) is writes
    assert held(tables) == ((count or None) if writes else there)
