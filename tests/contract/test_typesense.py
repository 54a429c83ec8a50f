"""What Typesense refuses, what it says about us, and what it is sent."""

import json
import logging
from collections.abc import Callable, Sequence
from traceback import format_exception
from typing import Any

import pytest
from typesense import Client

from local.servers.typesense import TypesenseServer
from sync.errors import Misconfigured, Refused, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense, answers
from sync.sinks.typesense import sink as module
from sync.sinks.typesense.client import Connection
from sync.sinks.typesense.sink import TRIES
from sync.writing.op import Done, Op
from tests.contract.sinks import Subject, patient
from tests.contract.typesense_sinks import (
    TIMEOUT_S,
    direct_of,
    failing,
    ids_of,
    settings_of,
    writes,
)
from tests.fault_proxy import (
    Fault,
    FaultProxy,
    Forward,
    Reply,
    Request,
    answer,
    cut_before,
    rewrite,
)

pytestmark = pytest.mark.parametrize("subject", ["typesense"], indirect=True)

WRITTEN = Done.WRITTEN
FORBIDDEN = b'{"message": "Forbidden - a valid `x-typesense-api-key` header must be sent."}'


@pytest.fixture
def server(typesense: TypesenseServer) -> TypesenseServer:
    return typesense


def imports(proxy: FaultProxy) -> list[list[str]]:
    """The ids of the documents of each import."""
    return [ids for ids in map(ids_of, proxy.requests) if ids]


def outcome(subject: Subject, *ops: Op, deadline: Deadline | None = None) -> dict[str, Any]:
    return {op.id: result for op, result in subject.sink.write(ops, deadline or patient())}


# Single documents.


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"number":"secret"}', "Field `number` must be a float."),
        (b'{"number":["secret"]}', "Field `number` must be a float."),
        (b'{"number":1e400}', "not JSON"),
        (b'{"number":', "no JSON object"),
        (b'{"text":"a"}{"text":"secret"}', "not JSON"),
        (b'{"text":"\xff"}', "not JSON"),
        (b'{"text":"\\ud800"}', "not JSON"),
        (b'{"text":' * 20_000 + b'"secret"' + b"}" * 20_000, "depth limit"),
        (b"[1]", "no JSON object"),
        (b"", "no JSON object"),
        (b'{"text":"a"}\n{"id":"2","text":"secret"}', "more than one line"),
    ],
    ids=ascii,
)
def test_a_wrong_document_is_refused_alone_and_not_quoted(
    subject: Subject, body: bytes, told: str
) -> None:
    """The error names the field, and holds none of the document's values."""
    found = outcome(subject, subject.put("1"), subject.put("bad", body), subject.put("2"))
    refused = found.pop("bad")
    assert isinstance(refused, Refused)
    assert told in str(refused)
    assert "secret" not in str(refused)
    assert found == {"1": WRITTEN, "2": WRITTEN}
    assert subject.read(["1", "bad", "2"]) == {"1": {"text": "a"}, "2": {"text": "a"}}


def test_a_document_that_is_refused_keeps_what_was_there(subject: Subject) -> None:
    """Its older state stays, and can be deleted."""
    subject.write(subject.put("1", b'{"number":1}'))
    assert subject.write(subject.put("1", b'{"number":"x"}')) == {"1": Refused}
    assert subject.holds("1") == {"number": 1}


def test_a_document_of_an_open_model_is_held_whole(subject: Subject) -> None:
    """With attributes that no schema declares, of any type, and of names that are the server's."""
    bodies = {
        "1": b'{"text":"a","id":"of the item","extra":{"a":[1,"b",null]},"more":1}',
        "2": b'{"text":"b","extra":"a text now","more":[true,{"deep":1.5}]}',
    }
    written = subject.write(*(subject.put(id_, body) for id_, body in bodies.items()))
    assert set(written.values()) == {WRITTEN}
    for id_, body in bodies.items():
        assert subject.holds(id_) == json.loads(body)


def test_one_line_that_fails_is_tried_again_alone(subject: Subject, proxy: FaultProxy) -> None:
    """The others of its import are not written twice."""
    proxy.fail(failing("3"), about=lambda request: "3" in ids_of(request))
    assert set(subject.write(*(subject.put(f"{n}") for n in range(6))).values()) == {WRITTEN}
    assert [sorted(ids) for ids in imports(proxy)] == [list("012345"), ["3"]]


def test_one_line_that_keeps_failing_is_handed_back_alone(
    subject: Subject, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after it is still written: the server is not down."""
    monkeypatch.setattr(module, "MAX_OPS", 3)
    proxy.fail(failing("1"), times=None, about=lambda request: "1" in ids_of(request))
    found = subject.write(*(subject.put(f"{n}") for n in range(9)), subject.delete("x"))
    assert found.pop("1") is Unavailable
    assert set(found.values()) == {WRITTEN}
    assert imports(proxy).count(["1"]) == TRIES - 1


@pytest.mark.parametrize("id_", [".", "..", "*", "a`b", "...", "?x", "#", "%2E%2E", "||"])
def test_an_id_is_never_a_way_through_the_url(subject: Subject, id_: str) -> None:
    """Taken for one, a delete of `..` deletes the collection, and `*` all of its documents."""
    subject.write(subject.put("kept"), subject.put(id_))
    assert subject.holds(id_)
    assert subject.write(subject.delete(id_)) == {id_: WRITTEN}
    assert subject.write(subject.delete(id_)) == {id_: WRITTEN}
    assert subject.read(["kept", id_]) == {"kept": {"text": "a"}}


def test_a_delete_s_404_without_ignore_not_found_is_done(
    subject: Subject, proxy: FaultProxy
) -> None:
    """As servers before 26 have it; a missing collection is something else."""
    proxy.fail(answer(404, b'{"message":"Could not find a document with id: 1"}'))
    assert subject.write(subject.delete("1")) == {"1": WRITTEN}
    assert len(writes(proxy)) == 1


# What is about us.


def test_a_wrong_key_is_told_and_read_again(server: TypesenseServer, subject: Subject) -> None:
    """After the secret was changed the next write has the new key, without a new container."""
    keys = iter(["wrong"] * (TRIES + 1) + [server.api_key])
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection(settings_of(server.url), next(keys)))
        return made[-1]

    sink = Typesense(connect, TIMEOUT_S)
    (first,) = sink.write([subject.put("1")], patient())
    assert isinstance(first.result, Misconfigured)
    assert "401 Forbidden" in str(first.result)
    (second,) = sink.write([subject.put("1")], patient())
    made[-1].close()
    assert second.result is WRITTEN
    assert subject.holds("1") == {"text": "a"}


def test_a_missing_alias_concerns_its_own_ops(
    subject: Subject, client: Client, proxy: FaultProxy
) -> None:
    """It is not created by a write; ops of other collections are written."""
    stray = Op("typesense", subject.put("1").source, "stray", "s", b"{}", 1)
    gone = Op("typesense", subject.put("1").source, "stray", "gone", None, 1)
    found = outcome(subject, stray, gone, subject.put("1"))
    for id_ in ("s", "gone"):
        assert isinstance(found[id_], Misconfigured)
        assert str(found[id_]) == "404 there is no alias stray"
        assert found[id_].of_target
    assert found["1"] is WRITTEN
    assert [each["name"] for each in client.collections.retrieve()] == ["contract_v1"]
    assert len(writes(proxy)) == 1


def test_the_key_is_nowhere_told(
    subject: Subject, proxy: FaultProxy, server: TypesenseServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the log nor in a trace, whatever fails; nor are documents and ids."""
    faults: list[Fault] = [cut_before, answer(401, FORBIDDEN), answer(503), answer(200, b"x")]
    with (
        direct_of(server, proxy.url) as sink,
        caplog.at_level(logging.DEBUG),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(server, "api_key", "hunter2hunter2")
        for fault in faults:
            proxy.fail(fault, times=None)
            put = subject.put("an id", b'{"text":"some text"}')
            for _, result in sink.write([put, subject.delete("another id")], patient()):
                assert isinstance(result, Unavailable | Throttled | Misconfigured)
                assert "hunter2" not in "".join(format_exception(result))
            assert any(request.header("x-typesense-api-key") for request in proxy.requests)
            proxy.heal()
    assert "hunter2" not in caplog.text
    assert "some text" not in caplog.text


# Requests.


def test_imports_keep_to_their_limits(subject: Subject, proxy: FaultProxy) -> None:
    """Of count and bytes; all are upserts that never change a value to fit."""
    body = b'{"text":"%b"}' % (b"x" * 300_000)
    found = subject.write(*(subject.put(f"{n}", body) for n in range(20)))
    assert set(found.values()) == {WRITTEN}
    assert all(len(request.body) <= module.MAX_BYTES for request in proxy.requests)
    assert len(writes(proxy)) == 4
    for request in writes(proxy):
        assert "action=upsert" in request.path
        assert "dirty_values=reject" in request.path


def test_a_request_too_large_is_halved(subject: Subject, proxy: FaultProxy) -> None:
    """Until the document is found that is too large by itself, for what stands in between."""

    def at_most(request: Request, forward: Forward) -> Reply:
        return Reply(413) if len(request.body) > 2_000 else forward(request)

    proxy.fail(at_most, times=None)
    large = subject.put("large", b'{"text":"%b"}' % (b"x" * 3_000))
    found = subject.write(*(subject.put(f"{n}") for n in range(100)), large)
    assert found.pop("large") is Refused
    assert set(found.values()) == {WRITTEN}


def shorter(body: bytes) -> bytes:
    return body.rpartition(b"\n")[0]


def swapped(body: bytes) -> bytes:
    return b"\n".join(reversed(body.split(b"\n")))


@pytest.mark.parametrize("change", [shorter, swapped])
def test_an_answer_that_does_not_fit_is_not_believed(
    subject: Subject, proxy: FaultProxy, change: Any
) -> None:
    """Each line of an import's answer is held against the document that was sent."""
    proxy.fail(rewrite(change), times=None, about=lambda request: "/import" in request.path)
    hurried = Deadline(15, sleep=lambda _: None)  # too short for another try
    ops = subject.put("1"), subject.put("2", b'{"number":"x"}')
    found = outcome(subject, *ops, deadline=hurried)
    assert [id_ for id_, result in found.items() if not isinstance(result, Unavailable)] == []


# Planted bugs.


def ignoring(told: str, ops: Sequence[Op]) -> list[Any]:
    """Does not look at the errors of lines."""
    return [WRITTEN for _ in answers.read_import(told, ops)]


def failing_all(told: str, ops: Sequence[Op]) -> list[Any]:
    """Takes one bad line for a failed import."""
    results = answers.read_import(told, ops)
    bad = [result for result in results if result is not WRITTEN]
    return bad[:1] * len(ops) or list(results)


def believing(told: str, ops: Sequence[Op]) -> list[Any]:
    """Takes what a short answer leaves out for done."""
    lines = told.split("\n")
    return [*answers.read_import(told, ops[: len(lines)]), *[WRITTEN] * (len(ops) - len(lines))]


def one_bad_line(subject: Subject, proxy: FaultProxy) -> None:
    test_a_wrong_document_is_refused_alone_and_not_quoted(
        subject, b'{"number":"x"}', "Field `number` must be a float."
    )


def a_short_answer(subject: Subject, proxy: FaultProxy) -> None:
    test_an_answer_that_does_not_fit_is_not_believed(subject, proxy, shorter)


@pytest.mark.parametrize(
    ("planted", "law"),
    [(ignoring, one_bad_line), (failing_all, one_bad_line), (believing, a_short_answer)],
)
def test_a_planted_bug_breaks_a_law(
    subject: Subject,
    proxy: FaultProxy,
    planted: Callable[..., list[Any]],
    law: Callable[[Subject, FaultProxy], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tests above are worth something."""
    monkeypatch.setattr(module, "read_import", planted)
    with pytest.raises(AssertionError):
        law(subject, proxy)
