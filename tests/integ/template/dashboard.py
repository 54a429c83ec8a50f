"""The dashboard: what it shows is there to be shown."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    of_type,
    properties,
)

NAMED = re.compile(r"\$\{([\w:]+)(?:\.\w+)?\}")
SEARCH = re.compile(
    r"SEARCH\('\{\"stream-sync\",stage,sink\} MetricName=\"(\w+)\" stage=\"prod\"', '(\w+)', 60\)"
)


def widgets(template: Template) -> list[dict[str, Any]]:
    """Those of the body, with the names of resources where their values will be."""
    body, given = _body(template)
    text = NAMED.sub(lambda found: str(given.get(found[1], found[1])), body)
    shown: list[dict[str, Any]] = json.loads(text)["widgets"]
    return shown


def _body(template: Template) -> tuple[str, dict[str, Any]]:
    """The text of the dashboard with the parts that its stage has, and what else is put in."""
    text, given = properties(template, "Dashboard")["DashboardBody"]["Fn::Sub"]
    parts = {name: part["Fn::Sub"] for name, part in given.items() if isinstance(part, dict)}
    for name, part in parts.items():
        text = text.replace(f"${{{name}}}", part)
    return text, {name: part for name, part in given.items() if name not in parts}


def rows(widget: dict[str, Any]) -> Iterator[list[str]]:
    """Namespace, name and dimensions of each metric, with what "." and "..." repeat filled in."""
    last: list[str] = []
    for row in widget["properties"]["metrics"]:
        told = [part for part in row if isinstance(part, str)]
        if told[:1] == ["..."]:
            told = last[: len(last) - len(told) + 1] + told[1:]
        last = [last[n] if part == "." else part for n, part in enumerate(told)]
        if last:
            yield last


def what_it_names_is_there(template: Template) -> None:
    body, given = _body(template)
    assert given == {"stage": "prod", "late": 900_000}
    named = {name for name in NAMED.findall(body) if not name.startswith("AWS::")}
    assert named <= {*template["Resources"], *given}
    assert len(body) < 50_000


def it_shows_each_sink(template: Template) -> None:
    found = {
        (*SEARCH.fullmatch(row[0]["expression"]).groups(),)  # type: ignore[union-attr] # it matches
        for widget in widgets(template)
        for row in widget["properties"]["metrics"]
        if isinstance(row[0], dict)
    }
    assert found == {
        *((metric, "Sum") for metric in ("written", "stale", "parked", "refused")),
        ("latency_ms", "p50"),
        ("latency_ms", "p99"),
    }


def it_shows_every_function_mapping_and_queue(template: Template) -> None:
    metrics = [row for widget in widgets(template) for row in rows(widget)]
    for metric in ("Errors", "Throttles", "Duration"):
        of = {row[-1] for row in metrics if row[1] == metric}
        assert of == set(functions(template)), metric
    polled = {row[-1] for row in metrics if row[1] == "PolledEventCount"}
    assert polled == set(of_type(template, "Lambda::EventSourceMapping"))
    for state in ("Visible", "NotVisible"):
        queues = {row[-1] for row in metrics if row[1] == f"ApproximateNumberOfMessages{state}"}
        assert queues == set(of_type(template, "SQS::Queue")), state


def what_raises_an_alarm_can_be_looked_at(template: Template) -> None:
    shown = {row[1] for widget in widgets(template) for row in rows(widget)}
    alarms = {
        metric["MetricName"]
        for alarm in of_type(template, "CloudWatch::Alarm").values()
        for metric in (
            alarm["Properties"],
            *(p["MetricStat"]["Metric"] for p in alarm["Properties"].get("Metrics", [])[1:]),
        )
        if "MetricName" in metric
    }
    assert alarms - shown == {"CounterDrift"}  # which never is


def no_widget_covers_another(template: Template) -> None:
    covered: set[tuple[int, int]] = set()
    for widget in widgets(template):
        x, y, width, height = (widget[name] for name in ("x", "y", "width", "height"))
        cells = {(x + i, y + j) for i in range(width) for j in range(height)}
        assert x + width <= 24, widget["properties"]["title"]
        assert not cells & covered, widget["properties"]["title"]
        covered |= cells


BODY = ("Dashboard", "Properties", "DashboardBody", "Fn::Sub", 0)
WIDGET = '{"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6, "properties": '

PLANTED: Planted = {
    what_it_names_is_there: (BODY, '{"widgets": [${NoSuchFunction}]}'),
    it_shows_each_sink: (BODY, '{"widgets": []}'),
    it_shows_every_function_mapping_and_queue: (BODY, '{"widgets": []}'),
    what_raises_an_alarm_can_be_looked_at: (BODY, '{"widgets": []}'),
    no_widget_covers_another: (
        BODY,
        f'{{"widgets": [{WIDGET}{{"title": "a"}}}}, {WIDGET}{{"title": "b"}}}}]}}',
    ),
}
