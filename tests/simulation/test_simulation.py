"""Many seeds, each a history of its own with faults at every call: all end well."""

import pytest

from tests.lengths import SOAKING, cases
from tests.simulation.cli import again, efforts, fresh, progress, run_many, table, tell

FIXED = cases(200, 3000)
SELDOM = (  # calls of one seed in dozens
    "dynamodb.scan",
    "dynamodb.scan core",
    "s3.delete_object",
    "s3.list_objects_v2",
)
FRESH = cases(200, 3000)


@pytest.mark.soak
def test_every_sink_equals_the_table_whatever_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """After writes and faults stop and dead letters are replayed, nothing differs in any seed.

    Some seeds are always the same, as many are new in each run.
    """
    new = fresh(FRESH)
    seeds = [*range(1, FIXED + 1), *new]
    with capsys.disabled():
        print(f"\nseeds 1-{FIXED}, and fresh ones; these again: {again(new)}", flush=True)
        total = run_many(seeds, 2, progress(len(seeds)))
        print(f"{table(total.fired)}\n{efforts(total)}\n{total}")
    assert [tell(report) for report in total.failures] == []
    assert total.fewest_writes >= 40
    assert total.fewest_keys >= 5
    if SOAKING:
        often = {fault: n for fault, n in total.fired.items() if fault[0] not in SELDOM}
        assert {fault: n for fault, n in often.items() if n < 10} == {}
