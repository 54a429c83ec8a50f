"""How the Typesense sink spends its tries and its time, with a server that is simulated."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sync.aws.keys import Source
from sync.errors import Retry, Unanswered
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.answers import Forbidden
from sync.writing.op import Done, Op, Outcome
from sync.writing.shadows import Places
from tests.doubles.clocks import ManualClock

TIMEOUT_S = 20.0


class Server:
    """Takes everything, unless *trouble* gives an error for the ids of a request."""

    def __init__(self, clock: ManualClock, trouble: Callable[[list[str]], Retry | None]) -> None:
        self.requests: list[tuple[float, list[str]]] = []  # when it was sent, and what
        self._clock = clock
        self._trouble = trouble

    def places(self, alias: str, timeout_s: float) -> tuple[Places, float]:
        return Places(alias, None), timeout_s

    def import_(self, target: str, lines: bytes, timeout_s: float) -> str:
        ids = [json.loads(line)["id"] for line in lines.splitlines()]
        self.requests.append((self._clock.now, ids))
        if (error := self._trouble(ids)) is not None:
            if isinstance(error, Unanswered):
                self._clock.sleep(timeout_s)
            raise error
        return "\n".join(['{"success":true}'] * len(ids))

    def delete(self, target: str, document_id: str, timeout_s: float) -> Any:
        raise NotImplementedError

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is held open."""


def put(id_: object) -> Op:
    return Op("typesense", Source("t", {"id": {"S": str(id_)}}), "things", str(id_), b'{"a":1}', 1)


class Writing:
    """A sink in front of a server, and 110 s for each write, as the worker has them."""

    def __init__(self, trouble: Callable[[list[str]], Retry | None]) -> None:
        self.clock = ManualClock()
        self.server = Server(self.clock, trouble)
        self._sink = Typesense(lambda: self.server, TIMEOUT_S)

    def write(self, ops: list[Op]) -> list[Outcome]:
        deadline = Deadline(110, clock=self.clock.monotonic, sleep=self.clock.sleep)
        outcomes = list(self._sink.write(ops, deadline))
        assert sorted(op.id for op, _ in outcomes) == sorted(op.id for op in ops)
        return outcomes


def failing_for(bad: str, error: Callable[[], Retry]) -> Writing:
    return Writing(lambda ids: error() if bad in ids else None)


def rounds_until_alone(writing: Writing, bad: str) -> int:
    """How often what failed is written again until only *bad* does."""
    waiting = [put(n) for n in range(500)]
    rounds = 0
    while len(waiting) > 1:
        waiting = [op for op, result in writing.write(waiting) if result is not Done.WRITTEN]
        assert bad in {op.id for op in waiting}
        rounds += 1
    return rounds


def test_a_document_that_takes_too_long_holds_up_no_other() -> None:
    """Half of its neighbours are written each time."""
    assert rounds_until_alone(failing_for("7", lambda: Unanswered("no answer")), "7") <= 9


def test_a_document_that_a_firewall_forbids_holds_up_no_other() -> None:
    """403 is no word of Typesense's; whose fault it is shows by and by."""
    assert rounds_until_alone(failing_for("7", lambda: Forbidden("403")), "7") <= 9


def test_no_request_is_sent_while_an_earlier_one_may_take_effect() -> None:
    """Typesense keeps no versions: a late put would land on what came after it."""
    writing = Writing(lambda _ids: Unanswered("no answer"))
    outcomes = writing.write([put(1), put(2)])
    assert {type(result) for _, result in outcomes} == {Unanswered}
    sent: dict[str, float] = {}
    for at, ids in writing.server.requests:
        for id_ in ids:
            assert at >= sent.get(id_, float("-inf")) + 2 * TIMEOUT_S
            sent[id_] = at
    assert len(writing.server.requests) > 1


def test_a_server_that_is_down_costs_few_requests() -> None:
    """However many documents wait."""
    writing = Writing(lambda _ids: Unanswered("no answer"))
    writing.write([put(n) for n in range(5_000)])
    assert len(writing.server.requests) <= 3
