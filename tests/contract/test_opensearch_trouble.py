"""An OpenSearch that is busy, silent or away: what is tried again, for how long, what is told."""

import json
import logging
import threading
from collections.abc import Callable
from traceback import format_exception

import pytest

from local.servers.opensearch import OpenSearchServer
from sync.errors import NotTried, Throttled, Unanswered, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import sink as module
from sync.writing.op import Done
from tests.contract.sinks import Subject, ids_of, patient
from tests.fault_proxy import (
    FaultProxy,
    Forward,
    Reply,
    Request,
    answer,
    cut_after,
    cut_before,
    hold,
    rewrite,
)

pytestmark = pytest.mark.parametrize("subject", ["opensearch"], indirect=True)

WRITTEN = Done.WRITTEN


# What is tried again, and what is not.


def some_items(status: int, error: str) -> Callable[[bytes], bytes]:
    """An answer in which each second item failed."""

    def change(body: bytes) -> bytes:
        told = json.loads(body)
        for item in [item for item in told["items"] if "index" in item][1::2]:
            (held,) = item.values()
            held.update(status=status, error={"type": error, "reason": "no"})
        return json.dumps(told).encode()

    return change


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, "rejected_execution_exception"), (503, "unavailable_shards_exception")],
)
def test_only_items_that_failed_are_sent_again(
    subject: Subject, proxy: FaultProxy, status: int, error: str
) -> None:
    """After a partial failure the rest is not written twice."""
    proxy.fail(rewrite(some_items(status, error)))
    ops = [subject.put(f"{n}") for n in range(6)]
    assert set(subject.write(*ops).values()) == {WRITTEN}
    assert [ids_of(request) for request in proxy.requests] == [list("012345"), list("135")]


# Time.


def test_a_silent_server_is_not_waited_for(
    subject: Subject, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request ends with its timeout; should it take effect later, a newer write stands."""
    released = threading.Event()
    landed = threading.Semaphore(0)

    def late(request: Request, forward: Forward) -> Reply:
        released.wait()
        reply = forward(request)
        landed.release()
        return reply

    rule = proxy.fail(late, times=2)
    monkeypatch.setattr(subject.sink, "timeout_s", 0.3)
    monkeypatch.setattr(module, "TRIES", 2)
    assert subject.write(subject.put("1", b"{}", version=1)) == {"1": Unanswered}
    monkeypatch.undo()
    assert subject.write(subject.put("1", b'{"text":"new"}', version=2)) == {"1": WRITTEN}
    released.set()
    assert all(landed.acquire(timeout=30) for _ in range(rule.used))
    assert subject.holds("1") == {"text": "new"}


def test_no_request_outlives_the_deadline(subject: Subject, proxy: FaultProxy) -> None:
    """With two seconds left and a silent server, what was not reached is handed back too."""
    subject.write(subject.put("0"))
    proxy.heal()
    released = threading.Event()
    proxy.fail(hold(released), times=None)
    ops = [subject.put(f"{n}") for n in range(1_500)]
    results = subject.write(*ops, deadline=Deadline(2))
    released.set()
    (request,) = proxy.requests
    sent = set(ids_of(request))
    assert {id_ for id_, result in results.items() if result is Unanswered} >= sent
    assert set(results.values()) <= {Unanswered, NotTried}


def test_a_server_that_comes_back_gets_all(
    subject: Subject, proxy: FaultProxy, opensearch: OpenSearchServer
) -> None:
    """Stopped after the first of three requests and started while the sink waits: nothing lost."""

    def stop(request: Request, forward: Forward) -> Reply:
        opensearch.stop()
        return forward(request)

    def wait(seconds: float) -> None:
        opensearch.start()

    first, *_ = ops = [subject.put(f"{n}", b'{"number":%d}' % n) for n in range(2_500)]
    proxy.fail(stop, about=lambda request: first.id not in ids_of(request))
    try:
        results = subject.write(*ops, deadline=Deadline(300, sleep=wait))
    finally:
        opensearch.start()
    assert results == {op.id: WRITTEN for op in ops}
    assert len(subject.read([op.id for op in ops])) == 2_500


def test_a_server_that_stays_away_costs_one_request_s_tries(
    subject: Subject, proxy: FaultProxy
) -> None:
    """What the first request could not write, the rest is not tried with."""
    proxy.fail(answer(503), times=None)
    ops = [subject.put(f"{n}") for n in range(5_000)]
    assert set(subject.write(*ops).values()) == {Unavailable}
    assert len(proxy.requests) == module.TRIES


# What is told.


def test_an_error_holds_its_cause(subject: Subject, proxy: FaultProxy) -> None:
    """A trace shows what OpenSearch or the network said."""
    told = b'{"error":{"type":"rejected_execution_exception","reason":"busy"},"status":429}'
    for fault, word in ((answer(429, told), "busy"), (cut_before, "RemoteDisconnected")):
        proxy.fail(fault, times=None)
        (outcome,) = subject.sink.write([subject.put("1")], patient())
        assert isinstance(outcome.result, Unavailable | Throttled)
        assert word in "".join(format_exception(outcome.result))
        proxy.heal()


def test_documents_are_never_logged(
    subject: Subject, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Not by the client library at its most talkative, nor in a trace of any error."""
    caplog.set_level(logging.DEBUG)
    said = b'{"text":"secret"'
    for fault in (None, answer(503), answer(200, said + b"}"), answer(200, said), cut_after):
        if fault:
            proxy.fail(fault, times=None)
        for outcome in subject.sink.write(
            [subject.put("1", b'{"text":"secret"}'), subject.put("2", b'{"number":"secret"}')],
            patient(),
        ):
            if isinstance(outcome.result, Exception):
                caplog.handler.stream.write("".join(format_exception(outcome.result)))
        proxy.heal()
    assert "HTTP" in caplog.text  # something was logged
    assert "secret" not in caplog.text
