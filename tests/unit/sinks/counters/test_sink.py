"""The counters sink, in an account in this process."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import ConfigError, Misconfigured, Refused, RegistryError
from sync.models.core.faa_link import IcaoType
from sync.sinks.counters import Counted, Counters, families
from sync.sinks.counters.families import _FAMILIES
from sync.sinks.counters.rows import Contribution
from sync.sinks.counters.sink import Move, portions, read
from sync.writing.op import Done, Op
from tests.doubles.derived import FAMILY, Tables, counted, link, patient, says, write

WRITTEN, STALE = Done.WRITTEN, Done.STALE


# ── What an op does ───────────────────────────────────────────────────────────────────────────────


def test_links_are_counted_moved_and_taken_away(tables: Tables) -> None:
    """Increment, move, decrement; a counter that comes to nothing is gone."""
    sink, _ = tables.counters()
    assert write(sink, [says(1, counted(1), 1), says(2, counted(1), 1)]) == [WRITTEN, WRITTEN]
    assert tables.held() == {counted(1): 2}
    assert write(sink, [says(1, counted(2), 2)]) == [WRITTEN]
    assert tables.held() == {counted(1): 1, counted(2): 1}
    assert write(sink, [says(1, None, 3), says(2, None, 3)]) == [WRITTEN, WRITTEN]
    assert tables.held() == {}


def test_redelivery_changes_nothing(tables: Tables) -> None:
    """And writes nothing."""
    sink, client = tables.counters()
    ops = [says(1, counted(1), 1), says(2, None, 1)]
    assert write(sink, ops) == write(sink, ops) == [WRITTEN, WRITTEN]
    assert tables.held() == {counted(1): 1}
    assert client.calls["transact_write_items"] == 1


def test_what_is_older_is_stale_also_after_a_removal(tables: Tables) -> None:
    """A row that contributes no more leaves its version behind, for a week."""
    sink, _ = tables.counters()
    second = 1_800_000_000
    write(sink, [says(1, counted(1), second * 10**9 + 5)])
    assert write(sink, [says(1, counted(2), second * 10**9 + 4)]) == [STALE]
    write(sink, [says(1, None, second * 10**9 + 7)])
    assert write(sink, [says(1, counted(1), second * 10**9 + 6)]) == [STALE]
    assert tables.held() == {}
    (row,) = tables.rows(tables.contributions)
    assert row["expires_at"] == {"N": str(second + 7 * 86_400)}
    assert "counter" not in row


def test_an_equal_version_is_written(tables: Tables) -> None:
    """Whatever it says: the last statement of a version counts."""
    sink, _ = tables.counters()
    write(sink, [says(1, counted(1), 7)])
    assert write(sink, [says(1, counted(2), 7)]) == [WRITTEN]
    assert tables.held() == {counted(2): 1}


def test_a_newer_statement_of_the_same_raises_the_version(tables: Tables) -> None:
    """Else an older one that comes late would be taken for news."""
    sink, client = tables.counters()
    write(sink, [says(1, counted(1), 1)])
    write(sink, [says(1, counted(1), 5)])
    assert write(sink, [says(1, counted(2), 3)]) == [STALE]
    assert tables.held() == {counted(1): 1}
    _, raised = [r for name, r in client.requests if name == "transact_write_items"]
    assert [list(action) for action in raised["TransactItems"]] == [["Put"]]  # no counter


def test_a_counter_names_what_it_counts(tables: Tables) -> None:
    """Key parts are percent-encoded, attributes are not."""
    sink, _ = tables.counters()
    write(sink, [says(1, IcaoType("C172", "CESSNA/Reims", "172 #7"), 1)])
    (row,) = [row for row in tables.rows(tables.core) if row["PK"]["S"] == "ICAO#MATCHER"]
    assert row == {
        "PK": {"S": "ICAO#MATCHER"},
        "SK": {"S": "TYPE#C172#CESSNA%2FReims#172%20%237"},
        "type_designator": {"S": "C172"},
        "manufacturer": {"S": "CESSNA/Reims"},
        "model": {"S": "172 #7"},
        "count": {"N": "1"},
    }


def test_a_contribution_names_its_link(tables: Tables) -> None:
    """Recount has to find the link of a row whose id is a hash."""
    sink, _ = tables.counters()
    write(sink, [says(1, counted(1), 1)])
    (row,) = tables.rows(tables.contributions)
    assert row["source_table"]["S"] == link(1).table
    assert json.loads(row["source_keys"]["S"]) == link(1).keys


def body(**fields: Any) -> bytes:
    return json.dumps({**counted(1).parts, **fields}).encode()


PARTS = "the body must hold type_designator, manufacturer, model, and nothing else"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{", "the body is no JSON: "),
        (b"\xff", "the body is no JSON: "),
        (b"[]", PARTS),
        (b"null", PARTS),
        (b'{"model":"a"}', PARTS),
        (body(other="a"), PARTS),
        (body(model=""), "model must be a non-empty text"),
        (body(model=None), "model must be a non-empty text"),
        (body(manufacturer=5), "manufacturer must be a non-empty text"),
        (body(model="\ud800"), "the body holds a lone surrogate: surrogates not allowed"),
        (body(model="x" * 1_000), "its counter's key would have 1029 bytes, over 1024"),
        (body(model="x" * 996), "its counter's key would have 1025 bytes, over 1024"),
    ],
)
def test_a_bad_body_is_refused_alone(tables: Tables, bad: bytes, why: str) -> None:
    """The error says what is wrong with it."""
    sink, _ = tables.counters()
    ops = [says(1, counted(1), 1), Op("counters", link(2), FAMILY, "2", bad, 1)]
    outcomes = {op.id: result for op, result in sink.write(ops, patient())}
    assert outcomes[ops[0].id] is WRITTEN
    assert isinstance(outcomes["2"], Refused)
    assert str(outcomes["2"]).startswith(why)
    if not why.endswith(" "):
        assert str(outcomes["2"]) == why


def test_a_key_of_the_most_bytes_is_counted(tables: Tables) -> None:
    """Percent-encoded, as DynamoDB holds it."""
    sink, _ = tables.counters()
    op = Op("counters", link(2), FAMILY, "2", body(model="x" * 995), 1)
    assert write(sink, [op]) == [WRITTEN]


def test_a_target_that_is_no_family_is_about_us(tables: Tables) -> None:
    """It is named, with those there are; the rest is written."""
    sink, _ = tables.counters()
    stray = Op("counters", link(2), "typo", "2", None, 1)
    good, bad = says(1, counted(1), 1), stray
    outcomes = {op.id: result for op, result in sink.write([good, bad], patient())}
    assert outcomes.pop("2").args == (  # type: ignore[union-attr] # an error
        f"no counters are called 'typo', only {', '.join(_FAMILIES)}",
    )
    assert FAMILY in _FAMILIES
    assert list(outcomes.values()) == [WRITTEN]


def test_two_families_of_one_target_are_refused_at_start() -> None:
    """Their counters would be counted together; a module that is loaded anew is no other."""

    def family(name: str, target: str = "kinds") -> type[Counted]:
        @dataclass(frozen=True)
        class Kind(Counted, target=target, partition="KINDS", prefix="KIND"):
            __qualname__ = name
            maker: str

        return Kind

    try:
        family("One")
        assert family("One") is _FAMILIES["kinds"]
        with pytest.raises(RegistryError) as caught:
            family("Two")
        assert str(caught.value) == "two families of counters are called 'kinds'"
        assert family("Three", target="others") is _FAMILIES["others"]
        with pytest.raises(
            Misconfigured, match=r"no counters are called 'typo', only .*\w, others$"
        ):
            families.family("typo")
    finally:
        _FAMILIES.pop("kinds", None)
        _FAMILIES.pop("others", None)


def test_settings_are_named_when_they_are_missing() -> None:
    """Both tables."""
    env = {"CONTRIBUTIONS_TABLE": "contributions", "COUNTERS_TABLE": "core"}
    sink = Counters.from_env(env)
    assert (sink.contributions, sink.counters) == ("contributions", "core")
    for name in env:
        with pytest.raises(ConfigError, match=name):
            Counters.from_env({**env, name: ""})
        with pytest.raises(ConfigError, match=f"^{name} must be a table's name, not '/'$"):
            Counters.from_env({**env, name: "/"})


# ── Transactions ──────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_links_of_one_counter_take_two(tables: Tables) -> None:
    """The counter stands in each once, with what they come to."""
    sink, client = tables.counters()
    assert write(sink, [says(n, counted(1), 1) for n in range(100)]) == [WRITTEN] * 100
    assert client.calls["transact_write_items"] == 2
    assert tables.held() == {counted(1): 100}


def test_moves_that_cancel_out_leave_their_counters_alone(tables: Tables) -> None:
    """Nothing is added, nothing taken."""
    sink, client = tables.counters()
    write(sink, [says(1, counted(1), 1), says(2, counted(2), 1)])
    client.requests.clear()
    write(sink, [says(1, counted(2), 2), says(2, counted(1), 2)])
    (request,) = [r for name, r in client.requests if name == "transact_write_items"]
    assert [list(action) for action in request["TransactItems"]] == [["Put"], ["Put"]]
    assert tables.held() == {counted(1): 1, counted(2): 1}


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 150), st.none() | st.integers(0, 150))),
)
def test_every_change_stands_in_one_transaction_that_fits(moves: list[tuple[Any, Any]]) -> None:
    """At most 100 actions, whatever the links do."""
    changes = []
    for n, (before, after) in enumerate(moves):
        statement = read(says(n, None if after is None else counted(after), 2))
        stored = None if before is None else Contribution(counted(before).sort_key, 1)
        changes.append(Move(statement, stored))
    found = list(portions(changes))
    ids = sorted(change.statement.op.id for change in changes)
    assert sorted(c.statement.op.id for p in found for c in p) == ids
    for portion in found:
        counters = {counter for change in portion for counter in change.touched}
        assert len(portion) + len(counters) <= 100
    assert len(found) <= -(-len(changes) // 33)
