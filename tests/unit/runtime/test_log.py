"""Log lines: JSON, one a line, whatever keys are called and however many items wait."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sync.model.fields import Text
from sync.model.model import Model, Route
from sync.runtime import log
from sync.sinks.memory import Memory
from tests.doubles.dispatching import Bench, thing
from tests.records import stream_record

RESERVED = sorted(vars(logging.makeLogRecord({})) | {"message": 1, "asctime": 1, "level": 1})


class Lines(logging.StreamHandler[io.StringIO]):
    """Keeps what Lambda would be given."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(log.JsonLines())

    @property
    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    handler = Lines()
    monkeypatch.setattr(log.JsonLines, "request_id", None)
    monkeypatch.setattr(log.logger, "level", log.logger.level)
    log.logger.addHandler(handler)
    yield handler
    log.logger.removeHandler(handler)


@pytest.mark.parametrize("name", RESERVED)
def test_a_key_attribute_may_be_called_like_a_part_of_a_log_record(
    name: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is written, and its line tells the key."""

    class Thing(Model):
        title: Text

    Thing.route = Route("things", {name: ".+"}, {Memory: "things"})
    log.logger.setLevel(logging.INFO)
    bench = Bench(models=[Thing])
    record = stream_record({name: {"S": "1"}}, {"title": {"S": "x"}}, table="things")
    assert bench.run(record) == []
    assert bench.document("1") == {"title": "x"}
    (line,) = [line for line in lines.read if line["message"] == "record"]
    assert line["keys"] == {name: "1"}


def test_the_line_of_a_batch_has_counts_of_nothing(lines: Lines) -> None:
    """So that a query over all lines finds the field in each."""
    log.logger.setLevel(logging.INFO)
    Bench().run(thing(1))
    (line,) = [line for line in lines.read if line["message"] == "batch"]
    assert {name: line[name] for name in ("records", "written", "equal", "retry")} == {
        "records": 1,
        "written": 1,
        "equal": 0,
        "retry": 0,
    }


def test_every_line_carries_the_id_of_its_invocation(lines: Lines) -> None:
    """Lines of one invocation can be found together in CloudWatch."""
    log.begin("request-1")
    log.logger.error("one")
    log.begin("request-2")
    log.logger.error("two", extra={"sink": "memory"})
    assert lines.read == [
        {"level": "ERROR", "message": "one", "request_id": "request-1"},
        {"level": "ERROR", "message": "two", "request_id": "request-2", "sink": "memory"},
    ]
