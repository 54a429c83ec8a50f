"""What the Typesense sink sends when, and what it says of what it could not write."""

import random

import pytest

from sync.errors import Misconfigured, NotTried, Refused, Unanswered, Unavailable
from sync.model.fields import Text
from sync.model.model import Model
from sync.runtime.deadline import Deadline
from sync.runtime.waits import effect_s
from sync.sinks.typesense import Typesense
from sync.sinks.typesense import sink as module
from sync.sinks.typesense.answers import Busy
from sync.sinks.typesense.schema import collection
from sync.writing.op import Done, Op
from tests.doubles.clocks import ManualClock
from tests.unit.sinks.typesense.scripted import (
    EFFECT_S,
    TIMEOUT_S,
    Sent,
    Server,
    delete,
    put,
    puts,
    scripted,
)

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


def test_a_request_is_given_twenty_seconds_unless_told_otherwise() -> None:
    """However far away the deadline is."""
    server = Server()
    deadline = Deadline(900, clock=server.clock.monotonic, sleep=server.clock.sleep)
    list(Typesense(server.connect).write([put("1")], deadline))
    assert [request.timeout_s for request in server.requests] == [20.0]


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
