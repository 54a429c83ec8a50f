"""The sink is told aliases, and writes under the names of the collections behind them."""

import threading

import pytest
from typesense import Client

from local.servers.typesense import TypesenseServer
from sync.errors import Misconfigured, Unanswered, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import client as module
from sync.writing.op import Done, Op
from tests.contract.sinks import SOURCE, Subject, patient
from tests.contract.typesense_sinks import direct_of, held, make_target, writes
from tests.fault_proxy import Fault, FaultProxy, Request, answer, cut_after, hold

WRITTEN = Done.WRITTEN
TARGETS = [f"planes{n}" for n in range(5)]
of_typesense = pytest.mark.parametrize("subject", ["typesense"], indirect=True)


def asks(request: Request) -> bool:
    return request.path.startswith("/aliases")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks its alias up."""
    monkeypatch.setattr(module, "KNOWN_S", 0.0)


def test_what_was_written_outlives_a_restart(typesense: TypesenseServer, client: Client) -> None:
    """The server does again what its log says; it loses what was written by way of an alias whose
    turn had not come yet."""
    with direct_of(typesense, typesense.url) as sink:
        for target in TARGETS:
            make_target(client, target)
        ops = [
            Op("typesense", SOURCE, target, f"{n}", b"{}", 1)
            for target in TARGETS
            for n in range(20)
        ]
        assert {outcome.result for outcome in sink.write(ops, patient())} == {WRITTEN}
    typesense.stop(grace_s=0)
    typesense.start()
    assert [len(held(client, target)) for target in TARGETS] == [20] * 5


@of_typesense
def test_an_alias_that_moves_is_followed(subject: Subject, client: Client, forgetful: None) -> None:
    """Without a new container, a second later."""
    subject.write(subject.put("1"))
    client.collections.create({"name": "contract_v2", "fields": [{"name": "x", "type": "auto"}]})
    client.aliases.upsert("contract", {"collection_name": "contract_v2"})
    assert subject.write(subject.put("2"), subject.delete("3")) == {"2": WRITTEN, "3": WRITTEN}
    assert set(held(client, "contract_v1")) == {"1"}
    assert set(held(client, "contract_v2")) == {"2"}


@of_typesense
def test_aliases_are_asked_for_once_for_many_requests(subject: Subject, proxy: FaultProxy) -> None:
    """A hundred deletes are a hundred requests, and one question each second."""
    subject.write(*(subject.delete(f"{n}") for n in range(100)))
    assert len(writes(proxy)) == 100
    assert len([request for request in proxy.requests if asks(request)]) < 10


@of_typesense
@pytest.mark.parametrize(
    "fault",
    [
        *(answer(status) for status in (408, 413, 429, 500, 503, 504)),
        *(answer(200, body) for body in (b"", b"x", b"[1]", b"{}", b'{"aliases":[{"name":1}]}')),
        cut_after,
    ],
)
def test_a_question_that_fails_is_no_write_that_may_have_taken_effect(
    subject: Subject, proxy: FaultProxy, fault: Fault, forgetful: None
) -> None:
    """Nothing is sent without the answer; one failure is got over, a lasting one handed back, and
    neither is waited out like a lost write."""
    proxy.fail(fault, about=asks)
    assert subject.write(subject.put("1")) == {"1": WRITTEN}
    proxy.heal()
    proxy.fail(fault, times=None, about=asks)
    ((_, result),) = subject.sink.write([subject.put("2")], patient())
    assert isinstance(result, Exception)
    assert not isinstance(result, Unanswered)
    assert writes(proxy) == []


@of_typesense
def test_a_question_takes_of_the_write_s_own_time(subject: Subject, proxy: FaultProxy) -> None:
    """A server that is silent costs no more than one timeout."""
    released = threading.Event()
    proxy.fail(hold(released), times=None, about=asks)
    try:
        ((_, result),) = subject.sink.write([subject.put("1")], Deadline(0.6))
    finally:
        released.set()
    assert isinstance(result, Unavailable)
    assert not isinstance(result, Unanswered)
    assert writes(proxy) == []


@of_typesense
def test_a_collection_is_no_alias(subject: Subject, client: Client, proxy: FaultProxy) -> None:
    """A typo that is the name of a collection is not written to."""
    op = Op("typesense", SOURCE, "contract_v1", "1", b"{}", 1)
    ((_, result),) = subject.sink.write([op], patient())
    assert isinstance(result, Misconfigured)
    assert result.of_target
    assert str(result) == "404 there is no alias contract_v1"
    assert writes(proxy) == []
