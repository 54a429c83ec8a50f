"""A Typesense that fails as a test tells it to, and the ops that it is sent."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sync.aws.keys import Source
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.writing.op import Op
from sync.writing.shadows import Places
from tests.doubles.clocks import ManualClock

TIMEOUT_S = 20.0
EFFECT_S = 40.0


class Sent(NamedTuple):
    """A request: what it is, and for which ids, when it is sent and how long it may take."""

    what: str
    target: str
    ids: str
    at_s: float
    timeout_s: float


Trouble = Callable[[Sent], Exception | None]


class Server:
    """Takes everything, unless *trouble* gives an error for a request. *took_s*: each one."""

    def __init__(self, trouble: Trouble = lambda _: None, took_s: float = 0.0) -> None:
        self.clock = ManualClock(0.0)
        self.requests: list[Sent] = []
        self.bodies: list[bytes] = []
        self.connected = 0
        self.closed = 0
        self._trouble = trouble
        self._took_s = took_s

    def places(self, alias: str, timeout_s: float) -> tuple[Places, float]:
        return Places(alias, None), timeout_s

    def import_(self, target: str, lines: bytes, timeout_s: float) -> str:
        ids = [str(json.loads(line)["id"]) for line in lines.split(b"\n")]
        self.bodies.append(lines)
        self._ask("import", target, "".join(ids), timeout_s)
        return "\n".join(['{"success":true}'] * len(ids))

    def delete(self, target: str, document_id: str, timeout_s: float) -> Any:
        self._ask("delete", target, document_id, timeout_s)
        return {"id": document_id}

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        return f"{alias} {schema['fields'][0]['name']}"

    def close(self) -> None:
        self.closed += 1

    def _ask(self, what: str, target: str, ids: str, timeout_s: float) -> None:
        self.requests.append(Sent(what, target, ids, self.clock.now, timeout_s))
        self.clock.now += self._took_s
        if (error := self._trouble(self.requests[-1])) is not None:
            raise error

    def connect(self) -> "Server":
        self.connected += 1
        return self

    def write(self, *ops: Op, seconds: float = 600.0) -> dict[str, Any]:
        """The result of each op, by its id."""
        deadline = Deadline(seconds, clock=self.clock.monotonic, sleep=self.clock.sleep)
        outcomes = list(Typesense(self.connect, TIMEOUT_S).write(ops, deadline))
        assert sorted(o.op.id for o in outcomes) == sorted(op.id for op in ops)
        assert all(o.op in ops for o in outcomes)
        targets = {op.id: op.target for op in ops}
        for request in self.requests:
            assert {targets.get(id_) for id_ in request.ids} <= {request.target, None}
        return {o.op.id: o.result for o in outcomes}

    @property
    def sent(self) -> list[str]:
        """The ids of each request."""
        return [request.ids for request in self.requests]


def put(id_: str, target: str = "things", body: bytes | None = b'{"a":1}') -> Op:
    return Op("typesense", Source("t", {"id": {"S": id_}}), target, id_, body, 1)


def delete(id_: str, target: str = "things") -> Op:
    return put(id_, target, None)


def puts(ids: str, target: str = "things") -> list[Op]:
    return [put(id_, target) for id_ in ids]


def scripted(*errors: Exception | None) -> Trouble:
    """The first requests fail with these; the rest don't."""
    left = iter(errors)
    return lambda _: next(left, None)
