"""What OpenSearch refuses, what it says about us, and what it is sent."""

import itertools
import json
from dataclasses import replace
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import ConfigDict

from local.servers.opensearch import OpenSearchServer
from sync.errors import Misconfigured, Refused, Throttled, Unavailable
from sync.model.fields import Text
from sync.model.model import Model
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import OpenSearch, request
from sync.sinks.opensearch import sink as module
from sync.sinks.opensearch.mapping import GC_DELETES_S, index_body
from sync.writing.op import Done, Op
from tests.contract.sinks import SOURCE, Subject, ask, ids_of, patient, text_of
from tests.fault_proxy import (
    FaultProxy,
    Forward,
    Reply,
    Request,
    answer,
)

pytestmark = pytest.mark.parametrize("subject", ["opensearch"], indirect=True)

WRITTEN = Done.WRITTEN


# What the real server says of single documents.


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"unknown":1}', "strict_dynamic_mapping_exception"),
        (b'{"number":"secret"}', "failed to parse field [number]"),
        (b'{"text":{"a":"secret"}}', "failed to parse field [text]"),
        (b'{"text":"%b"}' % (b"secret" * 6_000), "immense term"),
        (b'{"number":1e400}', "failed to parse field [number]"),
        (b'{"number":', "json_e_o_f_exception"),
        (b'{"text":"a"}{"text":"b"}', "illegal_argument_exception"),
        (b'{"text":"a","text":"b"}', "json_parse_exception"),
        (b'{"text":"\xff"}', "json_parse_exception"),
        (b'{"":1}', "illegal_argument_exception"),
        (b'{"_id":"x"}', "failed to parse field [_id]"),
        (b"[1]", "not_x_content_exception"),
        (b"", "parse"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_wrong_document_is_refused_alone_and_not_quoted(
    subject: Subject, body: bytes, told: str
) -> None:
    """The error names type and field, and holds none of the document's values."""
    ops = subject.put("1"), subject.put("bad", body), subject.put("2")
    (outcome,) = [o for o in subject.sink.write(ops, patient()) if o.result is not WRITTEN]
    assert outcome.op.id == "bad"
    assert isinstance(outcome.result, Refused)
    assert told.lower() in str(outcome.result).lower()
    assert "secret" not in str(outcome.result)
    assert len(str(outcome.result)) < 1_000
    assert set(subject.read(["1", "bad", "2"])) == {"1", "2"}


@pytest.mark.parametrize(
    ("id_", "version", "told"),
    [
        ("x" * 513, 1, "513 bytes"),
        ("é" * 257, 1, "514 bytes"),
        ("", 1, "0 bytes"),
        ("\ud800", 1, "surrogate"),
        ("1", -1, "version -1"),
        ("1", 2**63, "version 9223372036854775808"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_would_fail_the_whole_request_is_never_sent(
    subject: Subject, proxy: FaultProxy, id_: str, version: int, told: str
) -> None:
    """An id or version that OpenSearch rejects a request over is refused before it is sent."""
    bad = subject.put(id_, version=version)
    others = [subject.put("a"), subject.delete("b")]
    outcomes = {o.op.id: o.result for o in subject.sink.write([bad, *others], patient())}
    assert told in str(outcomes.pop(id_))
    assert outcomes == {"a": WRITTEN, "b": WRITTEN}
    assert len(proxy.requests) == 1


def test_a_body_can_not_smuggle_actions_in(subject: Subject) -> None:
    """A body with a line break, which would start another action, is refused."""
    subject.write(subject.put("victim"))
    smuggled = b'{"text":"a"}\n{"delete":{"_index":"%b","_id":"victim"}}' % subject.target.encode()
    assert subject.write(subject.put("1", smuggled)) == {"1": Refused}
    assert set(subject.read(["1", "victim"])) == {"victim"}


def test_a_huge_body_is_refused_before_it_is_sent(subject: Subject, proxy: FaultProxy) -> None:
    """What no request can hold is told apart from what could wait for another try."""
    body = b'{"text":"%b"}' % (b"a" * 10_000_000)
    assert subject.write(subject.put("1", body)) == {"1": Refused}
    assert proxy.requests == []


def test_a_rejected_request_is_halved_down_to_the_op_at_fault(
    subject: Subject, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever check of ours misses, the real server's 400 is pinned to one op of a hundred."""
    encode = request.encode

    def unchecked(op: Op, prefix: str) -> bytes:
        return encode(op, prefix).replace(b'"version":77', b'"version":9223372036854775808')

    monkeypatch.setattr("sync.sinks.opensearch.sink.encode", unchecked)
    ops = [subject.put(f"{n}", version=77 if n == 41 else 1) for n in range(100)]
    assert subject.write(*ops) == {f"{n}": Refused if n == 41 else WRITTEN for n in range(100)}
    assert set(subject.read([op.id for op in ops])) == {op.id for op in ops} - {"41"}
    assert len(proxy.requests) < 20


def test_two_ops_at_fault_are_both_found(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halving goes on after the first find."""
    encode = request.encode

    def spoiled(op: Op, prefix: str) -> bytes:
        return encode(op, prefix).replace(b":77,", b":-1,")

    monkeypatch.setattr("sync.sinks.opensearch.sink.encode", spoiled)
    ops = [subject.put(f"{n}", version=77 if n in (0, 9) else 1) for n in range(10)]
    assert subject.write(*ops) == {f"{n}": Refused if n in (0, 9) else WRITTEN for n in range(10)}


# What the real server says about us.


def test_a_missing_alias_is_ours_to_mend(subject: Subject, opensearch: OpenSearchServer) -> None:
    """Puts and deletes for it are handed back, other targets are written, no index appears."""
    missing = f"{subject.target}missing"
    for bodies in ([b"{}", None], [None], [b"{}"]):
        ops = [Op("opensearch", SOURCE, missing, f"{n}", b, 1) for n, b in enumerate(bodies)]
        results = subject.write(*ops, subject.put("other"))
        assert results.pop("other") is WRITTEN
        assert set(results.values()) == {Misconfigured}
        with pytest.raises(HTTPError, match="404"):
            ask(f"{opensearch.url}/{missing}", method="GET")


def test_an_index_is_no_alias(subject: Subject) -> None:
    """Documents are not written past the alias."""
    op = Op("opensearch", SOURCE, f"{subject.target}-v1", "1", b"{}", 1)
    assert subject.write(op) == {"1": Misconfigured}


def test_a_closed_index_is_ours_to_mend(subject: Subject, index: str) -> None:
    """Its 400 is not the document's fault; once open, the op is written."""
    ask(f"{index}/_close")
    assert subject.write(subject.put("1"), subject.delete("2")) == dict.fromkeys(
        "12", Misconfigured
    )
    ask(f"{index}/_open?wait_for_active_shards=1")
    assert subject.write(subject.put("1"), subject.delete("2")) == dict.fromkeys("12", WRITTEN)


@pytest.mark.parametrize(
    ("block", "result"),
    [("read_only", Misconfigured), ("write", Misconfigured), ("read_only_allow_delete", Throttled)],
)
def test_a_blocked_index_takes_nothing_for_now(
    subject: Subject, index: str, block: str, result: type
) -> None:
    """A block set by hand is ours; the flood stage's (a full disk) asks for less."""
    ask(f"{index}/_settings", {f"index.blocks.{block}": True}, method="PUT")
    results = subject.write(subject.put("1"))
    ask(f"{index}/_settings", {f"index.blocks.{block}": None}, method="PUT")
    assert results == {"1": result}
    assert subject.write(subject.put("1")) == {"1": WRITTEN}


def test_an_alias_without_a_write_index_is_ours_to_mend(
    subject: Subject, opensearch: OpenSearchServer
) -> None:
    """Half a reindex, with the alias on two indexes, quarantines nothing."""
    second = f"{opensearch.url}/{subject.target}-v2"
    ask(second, {"aliases": {subject.target: {}}}, method="PUT")
    results = subject.write(subject.put("1"), subject.delete("2"))
    ask(second, method="DELETE")
    assert results == {"1": Misconfigured, "2": Misconfigured}


def test_a_missing_pipeline_is_ours_to_mend(subject: Subject, index: str) -> None:
    """The index's settings are no document's fault."""
    ask(f"{index}/_settings", {"index.default_pipeline": "none-such"}, method="PUT")
    assert subject.write(subject.put("1")) == {"1": Misconfigured}


@pytest.mark.parametrize("status", [400, 405, 406, 415])
def test_a_rejection_that_no_op_explains_is_ours_to_mend(
    subject: Subject, proxy: FaultProxy, status: int
) -> None:
    """If even a request without effect is rejected, no op is refused."""
    proxy.fail(answer(status, b'{"error":"no"}'), times=None)
    ops = [subject.put(f"{n}") for n in range(10)]
    assert subject.write(*ops) == dict.fromkeys([op.id for op in ops], Misconfigured)


def test_the_request_without_effect_has_none(
    subject: Subject, proxy: FaultProxy, index: str
) -> None:
    """What is sent to learn whose fault a rejection is leaves even a document of its id alone."""
    subject.write(subject.put("-"))
    before = ask(f"{index}/_doc/-", method="GET")
    proxy.fail(answer(400), times=None, about=lambda request: ids_of(request) != [])
    assert subject.write(subject.put("1")) == {"1": Refused}
    assert b'"update"' in text_of(proxy.requests[-1])
    assert ask(f"{index}/_doc/-", method="GET") == before


# How much is sent at once.


def test_a_hundred_ops_are_one_request(subject: Subject, proxy: FaultProxy) -> None:
    """One batch of the stream costs one round trip."""
    subject.write(*(subject.put(f"{n}") for n in range(100)))
    assert [(r.method, urlsplit(r.path).path) for r in proxy.requests] == [("POST", "/_bulk")]


def test_requests_hold_a_thousand_ops_at_most(subject: Subject, proxy: FaultProxy) -> None:
    """Each op is sent once, in order."""
    ops = [subject.delete(f"{n}") for n in range(2_500)]
    subject.write(*ops)
    sent = [ids_of(request) for request in proxy.requests]
    assert [len(ids) for ids in sent] == [1_000, 1_000, 500]
    assert list(itertools.chain(*sent)) == [op.id for op in ops]


def test_requests_hold_five_megabytes_at_most(subject: Subject, proxy: FaultProxy) -> None:
    """Large documents go in several requests; one that is larger goes alone."""
    text = [[f"{n:030000}"] * 33 for n in range(6)]  # below Lucene's 32,766 bytes a term
    ops = [subject.put(f"{n}", json.dumps({"text": t}).encode()) for n, t in enumerate(text)]
    ops.append(subject.put("6", json.dumps({"text": text[0] * 6}).encode()))
    assert set(subject.write(*ops).values()) == {WRITTEN}
    assert [ids_of(request) for request in proxy.requests] == [list("01234"), ["5"], ["6"]]


def test_a_request_too_large_is_sent_in_halves(subject: Subject, proxy: FaultProxy) -> None:
    """What the server's 413 allows is found by halving; an op too large by itself is refused."""

    def small_server(request: Request, forward: Forward) -> Reply:
        return Reply(413) if len(text_of(request)) > 1_000 else forward(request)

    proxy.fail(small_server, times=None)
    large = subject.put("large", b'{"text":"%b"}' % (b"a" * 2_000))
    ops = [subject.put(f"{n}") for n in range(50)]
    results = subject.write(*ops[:20], large, *ops[20:])
    assert results.pop("large") is Refused
    assert results == {op.id: WRITTEN for op in ops}


def test_the_real_server_s_limit_is_understood(subject: Subject) -> None:
    """A server with a small limit gets everything that fits it, in pieces that do."""
    with OpenSearchServer(settings={"http.max_content_length": "10kb"}) as small:
        ask(f"{small.url}/small-v1", {"aliases": {"small": {}}}, method="PUT")
        sink = OpenSearch.from_env({"OPENSEARCH_ENDPOINT": small.url, "OPENSEARCH_AUTH": "none"})
        bodies = [b'{"text":"%b"}' % (b"a" * size) for size in (1_000, 20_000, *[1_000] * 40)]
        puts = [subject.put(f"{n}", body) for n, body in enumerate(bodies)]
        ops = [replace(op, target="small") for op in puts]
        results = {outcome.op.id: outcome.result for outcome in sink.write(ops, patient())}
    assert isinstance(results.pop("1"), Refused)
    assert set(results.values()) == {WRITTEN}


def test_requests_are_compressed(subject: Subject, proxy: FaultProxy) -> None:
    """The body is gzip both ways, and much smaller than its text."""
    subject.write(*(subject.put(f"{n}") for n in range(100)))
    (request,) = proxy.requests
    assert request.header("content-encoding") == "gzip"
    assert request.header("accept-encoding") == "gzip"
    assert len(request.body) * 5 < len(text_of(request))


@pytest.mark.parametrize("refresh", ["false", "true", "wait_for"])
def test_refresh_is_asked_for_once_a_request(
    subject: Subject, proxy: FaultProxy, index: str, refresh: str
) -> None:
    """As a parameter of the request, and what it wrote can then be searched."""
    ask(f"{index}/_settings", {"index.refresh_interval": "100ms"}, method="PUT")
    env = {
        "OPENSEARCH_ENDPOINT": proxy.url,
        "OPENSEARCH_AUTH": "none",
        "OPENSEARCH_REFRESH": refresh,
    }
    subject.sink = OpenSearch.from_env(env)
    subject.write(subject.put("1"), subject.put("2"))
    (request,) = proxy.requests
    assert dict(parse_qsl(urlsplit(request.path).query)) == {
        "require_alias": "true",
        "refresh": refresh,
        "timeout": "10000ms",
    }
    assert b"refresh" not in text_of(request)
    if refresh != "false":
        assert ask(f"{index}/_count")["count"] == 2


# Models that take every attribute.


def test_an_open_model_takes_what_comes(subject: Subject, opensearch: OpenSearchServer) -> None:
    """A whole number and then a fraction, a text that looks like a date and then one that doesn't;
    and documents of models without a single field."""

    class Open(Model):
        model_config = ConfigDict(extra="allow")

    alias = f"open-{subject.target}"
    assert isinstance(subject.sink, OpenSearch)
    assert subject.sink.prepare(alias, index_body([Open.document_schema()])) == "created"
    first = {"n": 1, "text": "2026-11-23", "list": [1, 2], "map": {"a": 1}, "flag": True}
    later = {"n": 1.5, "text": "no date", "list": [0.5], "map": {"a": 2.5}, "flag": False}
    documents = {str(n): Open.read(values) for n, values in enumerate((first, later), 1)}
    ops = [
        Op("opensearch", SOURCE, alias, id_, each.document(), 1) for id_, each in documents.items()
    ]
    assert [o.result for o in subject.sink.write(ops, patient())] == [WRITTEN, WRITTEN]
    for id_, values in (("1", first), ("2", later)):
        found = ask(f"{opensearch.url}/{alias}/_doc/{id_}", method="GET")["_source"]
        assert found == values


# What one index, or one document, costs the others.


def test_an_index_whose_shards_are_nowhere_holds_up_no_other(
    subject: Subject, opensearch: OpenSearchServer
) -> None:
    """The server waits for them for half of the request's time; what is beside it is written."""
    lost = f"lost-{subject.target}"
    nowhere = {"index.routing.allocation.require._name": "no-such-node"}
    body = {"settings": nowhere, "aliases": {lost: {"is_write_index": True}}}
    url = f"{opensearch.url}/{lost}-v1"
    ask(f"{url}?wait_for_active_shards=0&timeout=1s", body, method="PUT")
    op = Op("opensearch", SOURCE, lost, "1", b'{"text":"a"}', 1)
    deadline = Deadline(module.MARGIN_S + 2)
    outcomes = {o.op: o.result for o in subject.sink.write([op, subject.put("1")], deadline)}
    ask(url, method="DELETE")
    assert outcomes.pop(subject.put("1")) is WRITTEN
    (trouble,) = outcomes.values()
    assert isinstance(trouble, Unavailable)
    assert trouble.of_target
    assert "unavailable_shards_exception" in str(trouble)


def test_deletes_are_remembered_longer_than_a_request_may_last(
    subject: Subject, opensearch: OpenSearchServer
) -> None:
    """An index that was made with OpenSearch's own minute is told so by the next `prepare`."""

    class Thing(Model):
        text: Text

    alias = f"kept-{subject.target}"
    assert isinstance(subject.sink, OpenSearch)
    body = index_body([Thing.document_schema()])
    brief = {**body, "settings": {"number_of_shards": 1, "gc_deletes": "60s"}}
    results = [subject.sink.prepare(alias, each) for each in (brief, body, body)]
    assert results == ["created", "extended", "unchanged"]
    (index,) = ask(f"{opensearch.url}/{alias}/_settings", method="GET").values()
    assert index["settings"]["index"]["gc_deletes"] == f"{GC_DELETES_S}s"
    assert subject.sink.effect_s < GC_DELETES_S


def test_a_firewall_that_dislikes_a_document_holds_up_no_other(
    subject: Subject, proxy: FaultProxy
) -> None:
    """The document alone is refused, and the error says what stood in the way."""

    def firewall(request: Request, forward: Forward) -> Reply:
        return Reply(403, b"blocked") if b"<script>" in text_of(request) else forward(request)

    proxy.fail(firewall, times=None)
    ops = [subject.put(f"{n}") for n in range(20)]
    bad = subject.put("bad", b'{"text":"<script>"}')
    outcomes = {o.op.id: o.result for o in subject.sink.write([*ops, bad], patient())}
    refused = outcomes.pop("bad")
    assert isinstance(refused, Refused)
    assert "403" in str(refused)
    assert set(outcomes.values()) == {WRITTEN}
