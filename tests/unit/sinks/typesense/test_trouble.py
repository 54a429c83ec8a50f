"""What the Typesense sink sends when, and what it says of what it could not write."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from sync.aws.keys import Source
from sync.errors import Misconfigured, NotTried, Refused, Throttled, Unanswered, Unavailable
from sync.model.fields import Text
from sync.model.model import Model
from sync.runtime.deadline import Deadline
from sync.runtime.waits import effect_s
from sync.sinks.typesense import Typesense
from sync.sinks.typesense import sink as module
from sync.sinks.typesense.answers import Busy, Forbidden, TooLarge
from sync.sinks.typesense.schema import collection
from sync.writing.op import Done, Op
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


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def test_puts_are_imported_and_deletes_are_sent_one_by_one() -> None:
    """Each target by itself, with the sink's own timeout where there is time for it."""
    server = Server()
    ops = [put("1"), delete("2"), put("3"), put("4", "others"), delete("5", "others"), delete("6")]
    assert server.write(*ops) == {op.id: Done.WRITTEN for op in ops}
    assert server.requests == [
        Sent("import", "things", "13", 0.0, TIMEOUT_S),
        Sent("delete", "things", "2", 0.0, TIMEOUT_S),
        Sent("delete", "things", "6", 0.0, TIMEOUT_S),
        Sent("import", "others", "4", 0.0, TIMEOUT_S),
        Sent("delete", "others", "5", 0.0, TIMEOUT_S),
    ]
    assert server.bodies[0] == b'{"a":1,"id":"1"}\n{"a":1,"id":"3"}'
    assert server.connected == 1


def test_an_import_fills_its_limits_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Line breaks are counted."""
    monkeypatch.setattr(module, "MAX_BYTES", 51)  # three lines of 16 bytes, and their breaks
    server = Server()
    server.write(*puts("1234567"))
    assert server.sent == ["123", "456", "7"]
    monkeypatch.setattr(module, "MAX_BYTES", 50)
    server.write(*puts("1234567"))
    assert server.sent[3:] == ["12", "34", "56", "7"]
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    monkeypatch.setattr(module, "MAX_OPS", 4)
    server.write(*puts("1234567"))
    assert server.sent[7:] == ["1234", "567"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (put(""), "the id has 0 bytes, not 1 to 512"),
        (delete(""), "the id has 0 bytes, not 1 to 512"),
        (put("x", body=b"[]"), "the body is no JSON object"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_itself(bad: Op, why: str) -> None:
    """With what is wrong with it; the others are written."""
    server = Server()
    results = server.write(put("1"), bad, delete("2"))
    refused = results.pop(bad.id)
    assert isinstance(refused, Refused)
    assert str(refused) == why
    assert results == {"1": Done.WRITTEN, "2": Done.WRITTEN}
    assert server.sent == ["1", "2"]


@pytest.mark.parametrize(
    ("seconds", "timeouts"), [(5.0, [4.8]), (0.4, [0.2]), (0.39, []), (0.0, [])]
)
def test_a_request_ends_before_the_deadline(seconds: float, timeouts: list[float]) -> None:
    """A moment before, in which its answer is read; without as much, it is not sent."""
    server = Server()
    (result,) = server.write(put("1"), seconds=seconds).values()
    assert [request.timeout_s for request in server.requests] == timeouts
    if not timeouts:
        assert isinstance(result, NotTried)
        assert str(result) == "no time is left before the deadline"


class Thing(Model):
    name: Text


def test_a_target_is_prepared_by_its_models_schema() -> None:
    """The alias, and the schema of its collection."""
    schema = Typesense.schema([Thing.document_schema()])
    assert schema == collection([Thing.document_schema()])
    assert Typesense(Server().connect).prepare("things", schema) == "things name"


def test_a_request_may_take_effect_for_a_while_after_it_ends() -> None:
    """Parked keys wait for longer than that (tests/unit/runtime/test_waits.py)."""
    assert Typesense(Server().connect, 3.0).effect_s == effect_s(3.0) > 3.0


# ── Tries ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tries", [1, 2])
def test_a_failure_that_passes_is_none(tries: int) -> None:
    """It is tried three times; the pauses are short."""
    server = Server(scripted(*[Unavailable("no connection")] * tries))
    assert server.write(put("1")) == {"1": Done.WRITTEN}
    assert server.sent == ["1"] * (tries + 1)
    assert all(0 <= pause < 1 for pause in server.clock.slept)


def test_a_server_that_is_down_costs_the_tries_of_one_request() -> None:
    """Of all targets: what fails for one would fail for the others."""
    down = Unavailable("no connection")
    server = Server(lambda _: down)
    ops = [*puts("12"), delete("3"), *puts("45", "others"), delete("6", "others")]
    assert server.write(*ops) == dict.fromkeys("123456", down)
    assert server.sent == ["12"] * 3


def test_a_collection_that_is_missing_costs_the_tries_of_one_request() -> None:
    """Documents of other collections are written."""
    missing = Misconfigured("404", of_target=True)
    server = Server(lambda sent: missing if sent.target == "things" else None)
    results = server.write(*puts("12"), delete("3"), *puts("45", "others"))
    assert results == {
        **dict.fromkeys("123", missing),
        **dict.fromkeys("45", Done.WRITTEN),
    }
    assert server.sent == ["12"] * 3 + ["45"]


def test_a_line_that_keeps_failing_leaves_the_others_alone() -> None:
    """The server answers: the next requests are sent."""

    class OneBad(Server):
        def import_(self, target: str, lines: bytes, timeout_s: float) -> str:
            super().import_(target, lines, timeout_s)
            return "\n".join(
                '{"success":false,"code":500,"error":"disk"}'
                if b'"id":"1"' in line
                else '{"success":true}'
                for line in lines.split(b"\n")
            )

    server = OneBad()
    results = server.write(*puts("123"), delete("4"))
    failed = results.pop("1")
    assert (type(failed), str(failed)) == (Unavailable, "500 disk")
    assert results == dict.fromkeys("234", Done.WRITTEN)
    assert server.sent == ["123", "1", "1", "4"]


def test_a_key_that_is_refused_is_read_again() -> None:
    """For each try: it may have been changed since."""
    server = Server(scripted(Misconfigured("401"), Misconfigured("401")))
    assert server.write(put("1"), delete("2")) == dict.fromkeys("12", Done.WRITTEN)
    assert (server.connected, server.closed) == (3, 2)


def test_a_key_that_cannot_be_read_closes_nothing() -> None:
    """There is no connection yet."""

    def connect() -> Server:
        raise Misconfigured("the secret holds no API key")

    clock = ManualClock()
    deadline = Deadline(60, clock=clock.monotonic, sleep=clock.sleep)
    (outcome,) = Typesense(connect).write([put("1")], deadline)
    assert str(outcome.result) == "the secret holds no API key"


# ── Waiting ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("left_s", "most_s"), [(600.0, 60.0), (40.0, 20.0), (20.1, 10.05), (20.0, None), (15.0, None)]
)
def test_a_busy_server_is_left_alone_for_a_while(
    left_s: float, most_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 to 60 s, of which as much is left for the retry; or it is not tried again."""
    monkeypatch.setattr(random, "uniform", lambda least, most: least * 1000 + most)
    asked: list[float] = []
    server = Server(lambda _: Busy("503"))
    monkeypatch.setattr(Deadline, "pause", lambda _self, seconds: asked.append(seconds))
    (result,) = server.write(put("1"), seconds=left_s).values()
    assert isinstance(result, Busy)
    assert asked == ([] if most_s is None else [pytest.approx(10_000 + most_s)])


@pytest.mark.parametrize("took_s", [0.0, 15.0, 50.0])
def test_a_lost_answer_is_waited_out(took_s: float) -> None:
    """From when its request was sent: until then it may take effect over what is tried again."""
    server = Server(scripted(Unanswered("no answer")), took_s)
    assert server.write(put("1")) == {"1": Done.WRITTEN}
    assert server.clock.slept == [max(0.0, EFFECT_S - took_s)]


def test_a_lost_answer_without_time_to_wait_is_handed_back() -> None:
    """Its key is parked for longer than the request may take effect."""
    lost = Unanswered("no answer")
    server = Server(lambda _: lost)
    assert server.write(put("1"), delete("2"), seconds=39.0) == {"1": lost, "2": lost}
    assert server.sent == ["1"]


# ── Halves ────────────────────────────────────────────────────────────────────────────────────────


def about(bad: str, error: Exception) -> Trouble:
    """Every request with the document *bad* fails."""
    return lambda sent: error if bad in sent.ids else None


def test_a_request_that_is_too_large_is_halved() -> None:
    """Down to the document that is too large by itself; nothing is waited for."""
    large = TooLarge("413 too large")
    server = Server(about("2", large))
    results = server.write(*puts("01234"), delete("5"))
    refused = results.pop("2")
    assert isinstance(refused, Refused)
    assert (str(refused), refused.__cause__) == ("413 too large", large)
    assert results == dict.fromkeys("01345", Done.WRITTEN)
    assert server.sent == ["01234", "01", "234", "2", "34", "5"]
    assert server.clock.slept == []


def test_a_half_has_tries_of_its_own() -> None:
    """It is another request."""
    large, down = TooLarge("413"), Unavailable("down")
    server = Server(scripted(large, down, down, None))
    assert server.write(*puts("01")) == dict.fromkeys("01", Done.WRITTEN)
    assert server.sent == ["01", "0", "0", "0", "1"]


def test_a_lost_answer_is_followed_by_halves_once_it_is_over() -> None:
    """Half of them are written without the document that takes too long; what is left is parked."""
    slow = Unanswered("no answer")
    server = Server(about("2", slow), took_s=15.0)
    assert server.write(*puts("01234"), delete("5")) == {
        **dict.fromkeys("01", Done.WRITTEN),
        **dict.fromkeys("234", slow),
        "5": Done.WRITTEN,
    }
    assert [(sent.ids, sent.at_s) for sent in server.requests] == [
        ("01234", 0.0),
        ("01", EFFECT_S),
        ("234", EFFECT_S + 15.0),
        ("5", EFFECT_S + 30.0),
    ]


def test_a_silent_server_is_asked_three_times() -> None:
    """Whole, and in halves; other requests are not even tried."""
    first, left, right = (Unanswered(each) for each in ("first", "left", "right"))
    server = Server(scripted(first, left, right, *[first] * 9))
    results = server.write(*puts("01"), delete("2"), put("3", "others"))
    assert results == {"0": left, "1": right, "2": right, "3": right}
    assert server.sent == ["01", "0", "1"]


def test_halves_of_a_missing_collection_concern_it_alone() -> None:
    """Documents of other collections are written."""
    missing = Misconfigured("404", of_target=True)
    server = Server(scripted(Unanswered("no answer"), missing, missing))
    results = server.write(*puts("01"), delete("2"), put("3", "others"))
    assert results == {**dict.fromkeys("012", missing), "3": Done.WRITTEN}
    assert server.sent == ["01", "0", "1", "3"]


def test_without_time_to_wait_no_half_is_sent() -> None:
    """And nothing else: the server may be silent for all."""
    lost = Unanswered("no answer")
    server = Server(lambda _: lost)
    assert server.write(*puts("01"), delete("2"), seconds=39.0) == dict.fromkeys("012", lost)
    assert server.sent == ["01"]


def test_a_firewall_is_asked_in_halves_at_once() -> None:
    """It rejected the request, which has no effect; one document's text may be the cause."""
    blocked = Forbidden("403 blocked")
    server = Server(about("3", blocked), took_s=1.0)
    assert server.write(*puts("0123")) == {
        **dict.fromkeys("01", Done.WRITTEN),
        **dict.fromkeys("23", blocked),
    }
    assert server.sent == ["0123", "01", "23"]
    assert server.clock.slept == []
    assert server.closed == 2  # nor is the key to be trusted


def test_a_single_document_that_a_firewall_rejects_is_tried_again() -> None:
    """It can't be told from a key that is refused."""
    blocked = Forbidden("403 blocked")
    server = Server(about("3", blocked))
    assert server.write(put("3"), put("4")) == {"3": blocked, "4": Done.WRITTEN}
    assert server.write(put("3")) == {"3": blocked}
    assert server.sent == ["34", "3", "4", "3", "3", "3"]


def test_a_half_may_be_too_large_in_turn() -> None:
    """It is halved as any request."""
    slow, large = Unanswered("no answer"), TooLarge("413")
    server = Server(scripted(slow, large))
    assert server.write(*puts("0123")) == dict.fromkeys("0123", Done.WRITTEN)
    assert server.sent == ["0123", "01", "0", "1", "23"]


def test_a_limit_on_one_line_is_no_reason_to_halve() -> None:
    """Only what is wrong with a whole request may be one document's fault."""
    throttled = Throttled("429")
    server = Server(lambda _: throttled)
    assert server.write(*puts("01")) == dict.fromkeys("01", throttled)
    assert server.sent == ["01"] * 3
