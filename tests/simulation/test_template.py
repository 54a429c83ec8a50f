"""The simulation runs with the settings that serverless.yml has."""

import re

import pytest

from tests.simulation.scenario import draw
from tests.simulation.stack import Stack
from tests.simulation.template import DEPLOYED, TEMPLATE, Template
from tests.simulation.world import World

TEXT = TEMPLATE.read_text()


@pytest.mark.parametrize(
    ("queue", "line", "setting", "value"),
    [
        ("TypesenseQueue", "maxReceiveCount: 10", "most_receives", 7),
        ("TypesenseQueue", "VisibilityTimeout: 720", "visibility_s", 7),
        ("ResyncQueue", "maxReceiveCount: 5", "most_receives", 7),
        ("ResyncQueue", "MessageRetentionPeriod: 1209600", "retention_s", 7),
    ],
)
def test_a_queue_is_as_the_template_has_it(queue: str, line: str, setting: str, value: int) -> None:
    """Another number there is another number here."""
    begin = TEXT.index(f"    {queue}:")
    changed = TEXT[:begin] + TEXT[begin:].replace(line, re.sub(r"\d+", str(value), line), 1)
    assert changed != TEXT
    assert getattr(Template(changed).queues[queue], setting) == value
    assert getattr(DEPLOYED.queues[queue], setting) != value


def test_mappings_and_functions_are_as_the_template_has_them() -> None:
    """Fields of a stage have their defaults."""
    named = "${self:custom.stage.typesense.concurrency, 2}"
    assert named in TEXT
    template = Template(TEXT.replace("timeout: 120", "timeout: 9").replace(named, "9"))
    assert template.stream == DEPLOYED.stream
    assert (DEPLOYED.stream["batch_size"], DEPLOYED.stream["maximum_retry_attempts"]) == (100, 3)
    assert template.timeouts_s == {**DEPLOYED.timeouts_s, "typesense": 9.0}
    (polled,) = [one for one in template.polled if one.queue == "TypesenseQueue"]
    assert (polled.function, polled.batch_size, polled.concurrency) == ("typesense", 10, 9)


def test_every_queue_of_the_template_is_polled_and_simulated() -> None:
    """None is forgotten."""
    stack = Stack(World(1), draw(1))
    assert {polled.queue for polled in DEPLOYED.polled} == DEPLOYED.queues.keys()
    assert len(stack.aws.queues) == len(DEPLOYED.queues)
