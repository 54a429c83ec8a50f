"""The figures that the docs name are those of the code and of serverless.yml."""

import json
import re
from typing import Final

from sync.aws.clients import CALL_S, EFFECT_S
from sync.aws.keys import Source
from sync.deadletters.table import KEPT_S
from sync.recovery import brake
from sync.runtime import waits
from sync.service import Service
from sync.sinks.counters.rows import TOMBSTONE_S
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.mapping import GC_DELETES_S
from sync.sinks.typesense import Typesense
from sync.stages import tables
from sync.stages.files import parse
from sync.stream import dispatch
from sync.writing import breaker
from sync.writing.op import Op
from tests.doubles.clocks import ManualClock
from tests.settings import ENV
from tests.unit.docs.pages import DEPLOYING, README, ROOT

STAGE: Final = parse("tables: {core: {keys: {PK: S}}, products: {keys: {productId: S}}}", "a file")


def test_every_alarm_is_paid_for() -> None:
    """The table of costs counts what serverless.yml has: AWS asks for each metric of an alarm."""
    template = (ROOT / "serverless.yml").read_text()
    of_tables = json.dumps(tables.resources(STAGE.tables, keep=True))
    stopped = of_tables.count("AWS::CloudWatch::Alarm")
    alarms = stopped + template.count("Type: AWS::CloudWatch::Alarm\n")
    of_more = template.count("        Metrics:\n")  # those with metric math
    metrics = alarms - of_more + template.count("MetricStat:")
    assert f"| {alarms} alarms on {metrics} metrics |" in DEPLOYING
    mappings = template.count("MetricsConfig:") + of_tables.count("MetricsConfig")
    assert f"| what {mappings} mappings count, one metric each |" in DEPLOYING


def test_the_costs_add_up() -> None:
    """Of production and of a trial, each line and the sum."""
    table = DEPLOYING.partition("| production | trial |")[2].partition("\n\n")[0]
    rows = [[cell.strip(" *") for cell in line.split("|")] for line in table.splitlines()]
    said = " ".join(README.read_text().split())
    for column in (3, 4):
        *costs, total = (row[column] for row in rows if len(row) > column)
        values = [float(cost) for cost in costs if re.fullmatch(r"[\d.]+", cost)]
        assert len(values) >= 9
        assert total == f"about {round(sum(values))}"
        assert total.replace("about ", "about $") in said


def last_cells(page: str, head: str) -> dict[str, str]:
    """Of each row of the table below *head* the last cell, by the first."""
    rows = page.partition(head)[2].partition("\n\n")[0].split("\n")
    return {row[0]: row[-1] for row in (line.strip("| ").split(" | ") for line in rows)}


def test_what_is_kept_is_told_with_its_time() -> None:
    """docs/security.md says of everything that expires when it does."""
    template = (ROOT / "serverless.yml").read_text()
    security = (ROOT / "docs" / "security.md").read_text()
    rows = last_cells(security, "| what | where | holds | until |")

    def days(setting: str) -> str:
        (found,) = set(re.findall(rf"{setting}: (\d+)", template))
        return f"{int(found) // (86_400 if int(found) > 10_000 else 1)} days"

    for what in ("changes on their way", "parked keys", "dead letters on their way"):
        assert rows[what].endswith(f"at most {days('MessageRetentionPeriod')}"), what
    assert rows["logs"] == days("logRetentionInDays")
    assert rows["their large bodies"] == f"{STAGE.payload_days} days (`payload_days`)"
    assert rows["dead letters"].startswith(f"{KEPT_S // 86_400} days after they are resolved")
    assert (TOMBSTONE_S, rows["contributions"][:6]) == (7 * 86_400, "a week")


def test_what_waits_is_told_with_its_time() -> None:
    """docs/guarantees.md has each wait as it is computed from the settings' defaults."""
    guarantees = (ROOT / "docs" / "guarantees.md").read_text()
    rows = last_cells(guarantees, "| what waits | for | with the default timeouts of 20 s |")
    sink = OpenSearch.from_env(ENV)
    again_min = [waits.again_s(sink.effect_s, receives) / 60 for receives in (1, 9)]
    visible_min = {
        int(found) // 60
        for found in re.findall(r"VisibilityTimeout: (\d+)", (ROOT / "serverless.yml").read_text())
    }
    assert sink.timeout_s == 20
    assert rows["a request's caller"] == f"20 s ({CALL_S:g} s for calls of AWS)"
    assert rows["**a request's effect**"] == f"**{sink.effect_s:g} s** ({EFFECT_S:g} s)"
    service = Service(ENV, lambda _: None, ManualClock())
    assert rows["a parked key, a record that Lambda gave up on"] == (
        f"{service.park_delay_s:g} s at least"
    )
    assert rows["a Typesense message that comes again"] == (
        f"{again_min[0] * 60:g} s to {again_min[1]:g} min"
    )
    assert visible_min == {6, 12, 30}
    assert rows["messages of a worker that was killed"] == "6 min, Typesense 12 min, runs 30 min"
    assert rows["a tombstone of OpenSearch (`gc_deletes`)"] == f"{GC_DELETES_S // 60} min"


def test_figures_of_trouble_are_told() -> None:
    """Those that docs/guarantees.md names are the code's."""
    guarantees = " ".join((ROOT / "docs" / "guarantees.md").read_text().split())
    assert f"delays a batch by {dispatch.WRITE_S:g} s at most" in guarantees
    assert (breaker.FIRST_S, breaker.LONGEST_S) == (15, 240)
    assert "for a quarter of a minute to four minutes not at all" in guarantees
    assert (
        f"from {brake.LEAST} refused documents on, and half of the last {brake.WINDOW}"
        in guarantees
    )
    assert brake.SHARE == 0.5
    source = Source("t", {})
    ops = [Op("typesense", source, "c", f"{n}", None, 1) for n in range(2_000)]
    assert len({Typesense.lanes.of(op) for op in ops}) == 32
    assert "a thirty-second of all documents" in guarantees
