"""Whatever happens on the way, the counters end as a recount of the links has them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.models.core.faa_link import IcaoType
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters
from sync.writing.op import Done, Op
from tests.doubles.derived import (
    Killed,
    Tables,
    at,
    counted,
    in_process,
    killed_after,
    killed_before,
    lost_answer,
    lost_request,
    says,
    write,
)
from tests.lengths import cases

STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),  # a link
        st.none() | st.integers(0, 2),  # what it contributes to from now on
        st.integers(0, 5),  # the call at which the process dies; over 2: none
        st.sampled_from([killed_before, killed_after, lost_answer, lost_request]),
        st.integers(0, 9),  # an old batch that comes again, if there was one
    ),
    max_size=12,
)


@pytest.mark.soak
@settings(max_examples=cases(20, 300))
@given(steps=STEPS)
def test_counters_equal_a_recount_after_any_history(steps: list[Any]) -> None:
    """Batches cut short, delivered again and replayed late end as the last states have it."""
    with in_process() as tables:
        assert churn(tables, steps) == tables.held() == tables.contributing()


def churn(tables: Tables, steps: list[Any]) -> dict[IcaoType, int]:
    """Carry out *steps*; what a recount of the links gives in the end."""
    links: dict[int, IcaoType | None] = {}
    history: list[Op] = []
    for version, (n, to, call, fault, again) in enumerate(steps, 1):
        links[n] = None if to is None else counted(to)
        history.append(says(n, links[n], version))
        sink, _ = tables.counters(at(call, fault))
        try:
            write(sink, [history[-1]])
        except Killed:
            write(tables.counters()[0], [history[-1]])
        if again < len(history):
            write(tables.counters()[0], [history[again]])
    recount: dict[IcaoType, int] = {}
    for what in links.values():
        if what:
            recount[what] = recount.get(what, 0) + 1
    return recount


def test_a_sink_without_conditions_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law finds the mistake that doubles counters under retry."""

    def unconditional(self: Counters, changes: Any, _deadline: Deadline) -> Done:
        for change in changes:  # the counter first, then that it was counted
            self._clients("dynamodb").update_item(
                TableName=self.counters,
                Key=change.after.source(self.counters).keys,
                UpdateExpression="SET type_designator=:t, manufacturer=:m, #m=:o ADD #c :one",
                ExpressionAttributeNames={"#c": "count", "#m": "model"},
                ExpressionAttributeValues={
                    **{
                        f":{k}": {"S": v}
                        for k, v in zip("tmo", counted(1).parts.values(), strict=True)
                    },
                    ":one": {"N": "1"},
                },
            )
            self._clients("dynamodb").put_item(
                TableName=self.contributions,
                Item={
                    "id": change.statement.row(self.contributions).keys["id"],
                    "counter": {"S": change.after.sort_key},
                    "version": {"N": str(change.statement.op.version)},
                },
            )
        return Done.WRITTEN

    monkeypatch.setattr(Counters, "_carry_out", unconditional)
    with in_process() as tables:
        recount = churn(tables, [(1, 1, 2, killed_before, 9)])
        assert recount == {counted(1): 1}
        assert tables.held() == {counted(1): 2}
