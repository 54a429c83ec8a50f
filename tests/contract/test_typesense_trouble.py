"""A Typesense that is busy, silent or away: what is tried again, and how long is waited."""

import threading
from typing import Any

import pytest

from local.servers.loopback import free_port
from local.servers.typesense import TypesenseServer
from sync.errors import Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.sink import BUSY_S, TRIES
from sync.writing.op import Done, Op
from tests.contract.sinks import Subject
from tests.contract.typesense_sinks import direct_of, writes
from tests.doubles.clocks import ManualClock
from tests.fault_proxy import (
    Fault,
    FaultProxy,
    answer,
    cut_after,
    cut_before,
    hold,
)

pytestmark = pytest.mark.parametrize("subject", ["typesense"], indirect=True)

WRITTEN = Done.WRITTEN
NOT_READY = b'{"message": "Not Ready or Lagging"}'
RATE_LIMITED = b'{"message": "Rate limit exceeded or blocked"}'


@pytest.fixture
def server(typesense: TypesenseServer) -> TypesenseServer:
    return typesense


@pytest.fixture
def sink(subject: Subject) -> Typesense:
    assert isinstance(subject.sink, Typesense)
    return subject.sink


def slept(sink: Typesense, *ops: Op, seconds: float) -> tuple[list[Any], list[float]]:
    """The results of a write with *seconds*, and how long it paused each time."""
    clock = ManualClock()
    deadline = Deadline(seconds, clock=clock.monotonic, sleep=clock.sleep)
    return [result for _, result in sink.write(ops, deadline)], clock.slept


@pytest.mark.parametrize(
    "busy", [answer(503, NOT_READY), answer(429, RATE_LIMITED)], ids=["503", "429"]
)
def test_a_busy_server_is_left_alone_for_a_while(
    subject: Subject, proxy: FaultProxy, sink: Typesense, busy: Fault
) -> None:
    """10 to 60 s, at random, where there is time for it."""
    proxy.fail(busy, times=2)
    results, pauses = slept(sink, subject.put("1"), seconds=600)
    assert results == [WRITTEN]
    assert len(pauses) == 2
    assert all(BUSY_S[0] <= pause <= BUSY_S[1] for pause in pauses)
    assert pauses[0] != pauses[1]


def test_without_time_a_busy_server_is_asked_once(
    subject: Subject, proxy: FaultProxy, sink: Typesense
) -> None:
    """The op is handed back at once, to be parked."""
    proxy.fail(answer(503, NOT_READY), times=None)
    results, pauses = slept(sink, subject.put("1"), seconds=15)
    assert [type(result).__mro__[1] for result in results] == [Throttled]
    assert pauses == []
    assert len(writes(proxy)) == 1


@pytest.mark.parametrize("fault", [cut_before, cut_after, answer(504), answer(200, b"?")])
def test_a_lost_answer_is_waited_out_before_another_try(
    subject: Subject, proxy: FaultProxy, sink: Typesense, fault: Fault
) -> None:
    """The request may take effect for a while yet, on top of what is tried again."""
    proxy.fail(fault, times=1)
    results, pauses = slept(sink, subject.put("1"), seconds=600)
    assert results == [WRITTEN]
    assert pauses == [sink.effect_s]


def test_a_lost_answer_without_time_to_wait_is_handed_back(
    subject: Subject, proxy: FaultProxy, sink: Typesense
) -> None:
    """Though it was written: nobody knows. Its key is parked, and the item read anew."""
    proxy.fail(cut_after, times=1)
    results, pauses = slept(sink, subject.put("1"), subject.delete("2"), seconds=15)
    assert [type(result).__mro__[1] for result in results] == [Unavailable] * 2
    assert pauses == []
    assert subject.holds("1")
    assert len(writes(proxy)) == 1


def test_a_refused_connection_is_tried_again_soon(
    subject: Subject, server: TypesenseServer
) -> None:
    """The request never left, so nothing is to be waited out."""
    with direct_of(server, f"http://127.0.0.1:{free_port()}") as sink:
        results, pauses = slept(sink, subject.put("1"), seconds=15)
    assert [type(result) for result in results] == [Unavailable]
    assert "ConnectError" in str(results[0])
    assert len(pauses) == TRIES - 1
    assert all(pause < 1 for pause in pauses)


def test_a_server_that_is_silent_costs_its_timeout(
    subject: Subject, proxy: FaultProxy, server: TypesenseServer
) -> None:
    """And the op is handed back."""
    released = threading.Event()
    proxy.fail(hold(released), times=None)
    try:
        with direct_of(server, proxy.url, timeout_s=1.0) as sink:
            (found,) = sink.write([subject.put("1")], Deadline(1.5))
    finally:
        released.set()
    assert isinstance(found.result, Unavailable)
    assert "ReadTimeout" in str(found.result)


def test_no_request_outlives_the_deadline(subject: Subject, proxy: FaultProxy) -> None:
    """A timeout is cut to what is left."""
    released = threading.Event()
    proxy.fail(hold(released), times=None)
    try:
        (found,) = subject.sink.write([subject.put("1")], Deadline(1.5))  # 20 s without
    finally:
        released.set()
    assert isinstance(found.result, Unavailable)
    assert "ReadTimeout" in str(found.result)


def test_a_server_that_is_down_costs_the_tries_of_one_request(
    subject: Subject, proxy: FaultProxy
) -> None:
    """Of 5,000 ops; the client's own tries, three for each, are off."""
    proxy.fail(cut_before, times=None)
    ops = [subject.put(f"{n}") for n in range(4_000)]
    found = subject.write(*ops, *(subject.delete(f"d{n}") for n in range(1_000)))
    assert all(issubclass(result, Unavailable) for result in found.values())
    assert len(writes(proxy)) == TRIES
