"""How the OpenSearch sink spends its tries and its time, with a destination that is simulated."""

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.keys import Source
from sync.errors import Misconfigured, NotTried, Refused, Throttled, Unanswered, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import sink as module
from sync.sinks.opensearch.answers import HARMLESS_ID, Rejected
from sync.sinks.opensearch.request import Line, encode
from sync.sinks.opensearch.sink import OpenSearch, chunks
from sync.writing.op import Done, Op
from sync.writing.shadows import SHADOW

Asked = list[tuple[str, str, str]]  # kind, target and id of each line of a request
Behaviour = Callable[[Asked], None]  # raises what the destination would


class Clock:
    """Time that passes when somebody sleeps or a request takes long."""

    def __init__(self) -> None:
        self.now = 0.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, clock=lambda: self.now, sleep=self.pass_)


class Destination:
    """Takes everything, unless *behaviour* raises; remembers what was asked. There is no shadow,
    and probes for one are not shown."""

    def __init__(self, behaviour: Behaviour = lambda asked: None) -> None:
        self.behaviour = behaviour
        self.requests: list[Asked] = []
        self.timeouts: list[float] = []

    def bulk(self, body: bytes, timeout_s: float) -> Any:
        heads = [json.loads(line) for line in body.splitlines()]
        all_ = [
            (kind, head[kind]["_index"], head[kind]["_id"])
            for head in heads
            for kind in ("index", "delete", "update")
            if kind in head
        ]
        asked = [each for each in all_ if not each[1].endswith(SHADOW)]
        self.requests.append(asked)
        self.timeouts.append(timeout_s)
        self.behaviour(asked)
        return {"items": [self.item(*each) for each in all_]}

    def item(self, kind: str, target: str, id_: str) -> dict[str, Any]:
        """What is answered for one action."""
        if target.endswith(SHADOW):
            missing = {"type": "index_not_found_exception"}
            return {kind: {"_index": target, "_id": id_, "status": 404, "error": missing}}
        return {kind: {"_index": f"{target}-v1", "_id": id_, "status": 200}}

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        raise NotImplementedError


def sink(destination: Destination) -> OpenSearch:
    return OpenSearch(lambda: destination)


def put(id_: object, target: str = "a", body: bytes | None = b"{}") -> Op:
    return Op("opensearch", Source("t", {}), target, str(id_), body, 1)


def write(destination: Destination, ops: list[Op], deadline: Deadline) -> dict[str, Any]:
    outcomes = list(sink(destination).write(ops, deadline))
    assert sorted(o.op.id for o in outcomes) == sorted(op.id for op in ops)
    return {o.op.id: o.result if isinstance(o.result, Done) else type(o.result) for o in outcomes}


def always(error: Exception) -> Behaviour:
    def behaviour(asked: Asked) -> None:
        raise error

    return behaviour


@pytest.mark.parametrize("error", [Unavailable(), Throttled()])
def test_a_destination_that_is_down_costs_one_chunk_s_tries(error: Exception) -> None:
    """Ten chunks of two targets, five requests: what fails for one fails for the other."""
    down = Destination(always(error))
    ops = [put(n, target="ab"[n // 5_000]) for n in range(10_000)]
    assert set(write(down, ops, Clock().deadline(60)).values()) == {type(error)}
    assert len(down.requests) == module.TRIES


def test_an_alias_that_is_missing_costs_its_own_ops_tries() -> None:
    """The other target's ops of every chunk are written."""

    class NoB(Destination):
        def item(self, kind: str, target: str, id_: str) -> dict[str, Any]:
            item = super().item(kind, target, id_)
            if target == "b":
                item[kind].update(status=404, error={"type": "index_not_found_exception"})
            return item

    half = NoB()
    ops = [put(n, target="ab"[n % 2]) for n in range(10_000)]
    results = write(half, ops, Clock().deadline(60))
    assert results == {op.id: Misconfigured if op.target == "b" else Done.WRITTEN for op in ops}
    assert len(half.requests) == 10 + module.TRIES - 1
    assert all(target == "a" for _, target, _ in half.requests[-1])


def test_tries_end_with_the_deadline() -> None:
    """No pause and no request reaches beyond it, and the last error is what is told."""
    clock = Clock()

    def slow(asked: Asked) -> None:
        clock.pass_(destination.timeouts[-1])
        raise Unavailable("timeout")

    destination = Destination(slow)
    assert write(destination, [put(n) for n in range(5_000)], clock.deadline(10)) == {
        f"{n}": Unavailable for n in range(5_000)
    }
    assert clock.now <= 10
    assert destination.timeouts[0] == pytest.approx(10 - module.MARGIN_S)


def test_a_request_is_given_twenty_seconds_at_most() -> None:
    """However far away the deadline is."""
    destination = Destination()
    write(destination, [put(1)], Clock().deadline(900))
    assert destination.timeouts == [20.0]


def test_without_time_nothing_is_sent() -> None:
    """And the error says so."""
    destination = Destination()
    (outcome,) = sink(destination).write([put(1)], Clock().deadline(0.1))
    assert isinstance(outcome.result, NotTried)
    assert str(outcome.result) == "no time is left before the deadline"
    assert destination.requests == []


def test_time_may_run_out_while_halving() -> None:
    """What was found until then stands, the rest is handed back."""
    clock = Clock()

    def rejects_8(asked: Asked) -> None:
        clock.pass_(1)
        if any(id_ == "8" for _, _, id_ in asked):
            raise Rejected(400, "no")

    results = write(Destination(rejects_8), [put(n) for n in range(10)], clock.deadline(5))
    assert results == {f"{n}": Done.WRITTEN if n < 7 else NotTried for n in range(10)}


def test_trouble_while_halving_is_tried_again() -> None:
    """The guilty op is found all the same, and nothing is blamed twice."""
    troubles = itertools.cycle([False, False, True])

    def behaviour(asked: Asked) -> None:
        if next(troubles):
            raise Unavailable("cut")
        if any(id_ == "3" for _, _, id_ in asked):
            raise Rejected(400, "no")

    results = write(Destination(behaviour), [put(n) for n in range(4)], Clock().deadline(60))
    assert results == {"0": Done.WRITTEN, "1": Done.WRITTEN, "2": Done.WRITTEN, "3": Refused}


@given(guilty=st.sets(st.integers(0, 99)))
def test_halving_finds_the_guilty_and_no_others(guilty: set[int]) -> None:
    """Any ops of a hundred, in a number of requests that grows with theirs."""

    def rejects(asked: Asked) -> None:
        if any(id_ != HARMLESS_ID and int(id_) in guilty for _, _, id_ in asked):
            raise Rejected(400, "no")

    destination = Destination(rejects)
    results = write(destination, [put(n) for n in range(100)], Clock().deadline(60))
    assert {int(id_) for id_, result in results.items() if result is Refused} == guilty
    assert {int(id_) for id_, result in results.items() if result is Done.WRITTEN} == (
        set(range(100)) - guilty
    )
    assert len(destination.requests) <= 1 + 16 * len(guilty)


def test_a_413_needs_no_second_opinion() -> None:
    """An op that is too large alone is at fault; no request without it is sent."""
    rejected = Rejected(413, "Request Too Long")
    destination = Destination(always(rejected))
    (outcome,) = sink(destination).write([put(1)], Clock().deadline(60))
    assert isinstance(outcome.result, Refused)
    assert str(outcome.result) == "413 Request Too Long"
    assert outcome.result.__cause__ is rejected
    assert len(destination.requests) == 1


def test_deletes_alone_are_led_by_an_update_that_changes_nothing() -> None:
    """One for each target without a put, since a delete does not ask for an alias."""
    destination = Destination()
    ops = [put(1, "a", None), put(2, "a", None), put(3, "b", None), put(4, "c"), put(5, "c", None)]
    write(destination, ops, Clock().deadline(60))
    assert destination.requests == [
        [
            ("update", "a", HARMLESS_ID),
            ("update", "b", HARMLESS_ID),
            ("delete", "a", "1"),
            ("delete", "a", "2"),
            ("delete", "b", "3"),
            ("index", "c", "4"),
            ("delete", "c", "5"),
        ]
    ]


def test_a_bug_is_raised() -> None:
    """What is not about the destination is not turned into an outcome."""
    with pytest.raises(ZeroDivisionError):
        write(Destination(always(ZeroDivisionError())), [put(1)], Clock().deadline(60))


def test_a_client_that_can_not_be_made_is_handed_back_and_tried_again_later() -> None:
    """Missing credentials don't stick to a warm container."""
    clients = iter([Misconfigured("no credentials")] * module.TRIES)

    def connect() -> Destination:
        if error := next(clients, None):
            raise error
        return Destination()

    made = OpenSearch(connect)
    (outcome,) = made.write([put(1)], Clock().deadline(60))
    assert isinstance(outcome.result, Misconfigured)
    (outcome,) = made.write([put(1)], Clock().deadline(60))
    assert outcome.result is Done.WRITTEN


@given(
    target=st.text(min_size=1, max_size=20),
    id_=st.text(min_size=1, max_size=100),
    version=st.integers(0, 2**63 - 1),
    body=st.none() | st.just(b'{"a":1}'),
)
def test_an_op_s_lines_say_what_it_is(
    target: str, id_: str, version: int, body: bytes | None
) -> None:
    """Two lines for a put, one for a delete, whatever the id holds."""
    lines = encode(Op("opensearch", Source("t", {}), target, id_, body, version)).split(b"\n")
    expected = {"_index": target, "_id": id_, "version": version, "version_type": "external_gte"}
    assert json.loads(lines[0]) == {"delete" if body is None else "index": expected}
    assert lines[1:] == ([b""] if body is None else [body, b""])


@given(sizes=st.lists(st.integers(1, 400), max_size=60))
def test_chunks_keep_order_and_limits(sizes: list[int]) -> None:
    """All lines, in order, within both limits but for a line that breaks one by itself."""
    lines = [Line(put(n), b"x" * size) for n, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_OPS", 7)
        patch.setattr(module, "MAX_BYTES", 300)
        made = list(chunks(lines))
    assert list(itertools.chain(*made)) == lines
    assert all(len(chunk) <= 7 for chunk in made)
    assert all(len(chunk) == 1 or sum(len(line.data) for line in chunk) <= 300 for chunk in made)
    assert all(made)


def about(*bad: str, error: Callable[[], Exception]) -> Behaviour:
    """A server that raises for each request with one of the ids *bad*."""

    def behaviour(asked: Asked) -> None:
        if any(id_ in bad for _, _, id_ in asked):
            raise error()

    return behaviour


def test_a_document_that_takes_too_long_holds_up_no_other() -> None:
    """A request that nobody answered is halved: its neighbours are written, round by round."""
    slow = Destination(about("7", error=lambda: Unanswered("no answer")))
    waiting = [put(n) for n in range(1_000)]
    rounds = 0
    while len(waiting) > 1:
        results = write(slow, waiting, Clock().deadline(50))
        waiting = [op for op in waiting if results[op.id] is not Done.WRITTEN]
        assert "7" in {op.id for op in waiting}
        rounds += 1
    assert rounds <= 5


def test_a_server_that_answers_nothing_is_not_asked_for_each_document() -> None:
    """Halving ends after a few requests."""
    silent = Destination(always(Unanswered("no answer")))
    assert set(write(silent, [put(n) for n in range(1_000)], Clock().deadline(50)).values()) == {
        Unanswered
    }
    assert len(silent.requests) <= module.TRIES * module.MOST_UNANSWERED


def test_a_document_that_a_firewall_forbids_is_refused_alone() -> None:
    """403 for a request with it, but not for one without any document: it is to blame."""
    guarded = Destination(about("7", error=lambda: Rejected(403, "Forbidden")))
    results = write(guarded, [put(n) for n in range(100)], Clock().deadline(50))
    assert results.pop("7") is Refused
    assert set(results.values()) == {Done.WRITTEN}


def test_credentials_that_are_wrong_are_about_us() -> None:
    """403 for everything: nothing is halved, and no document is to blame."""
    closed = Destination(always(Rejected(403, "Forbidden")))
    outcomes = list(sink(closed).write([put(n) for n in range(100)], Clock().deadline(50)))
    assert {str(o.result) for o in outcomes} == {"even a harmless request fails: 403 Forbidden"}
    assert {type(o.result) for o in outcomes} == {Misconfigured}
    assert len(closed.requests) == 2 * module.TRIES
