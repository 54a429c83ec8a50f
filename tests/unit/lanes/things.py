"""Documents of one model, the sink at the end of their lanes, and how its worker is called."""

import json
from collections.abc import Sequence
from typing import Any

from sync.aws.keys import Source
from sync.model.fields import Text
from sync.model.model import Model, Route
from sync.sinks.typesense import Typesense
from sync.writing.op import Op
from tests.doubles.fifo import Message, records
from tests.doubles.lane import Line
from tests.doubles.sinks import Answering
from tests.records import CORE, core_keys


class Thing(Model):
    name: Text


Thing.route = Route(CORE, {"PK": "THING", "SK": ".+"}, {Typesense: "things"})


class Destination(Answering):
    """Takes everything in the order it comes, but for what it is told to answer."""

    def __init__(self) -> None:
        super().__init__(versioned=False)

    def holds(self) -> dict[str, Any]:
        return {id_: json.loads(body) for (_, id_), body in self.documents.items()}


def source(id_: object) -> Source:
    return Source(CORE, core_keys("THING", str(id_)))


def op(id_: object, state: object, *, version: int = 1) -> Op:
    body = None if state is None else json.dumps({"name": state}).encode()
    return Op("typesense", source(id_), "things", str(id_), body, version)


def run(line: Line, messages: Sequence[Message]) -> list[str]:
    """What the worker reports of *messages*."""
    answer = line.worker.run(records(messages), line.deadline())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
