"""Requests that are sent again in halves, and what each document's outcome says in the end."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from sync.errors import Misconfigured, Refused, Throttled, Unanswered, Unavailable
from sync.model.fields import Text
from sync.model.model import Model
from sync.runtime.waits import effect_s
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch import sink as module
from sync.sinks.opensearch.answers import Rejected
from sync.sinks.opensearch.mapping import index_body
from sync.sinks.opensearch.request import encode, harmless_update
from sync.writing.op import Done, Op
from tests.unit.sinks.opensearch.test_sink import (
    Asked,
    Clock,
    Destination,
    about,
    always,
    put,
    sink,
    write,
)


class Scripted(Destination):
    """Raises the next of *errors* at each request; takes the rest. A request takes *took_s*."""

    def __init__(self, clock: Clock, took_s: float, *errors: Exception | None) -> None:
        left: Iterator[Exception | None] = iter(errors)

        def behaviour(_asked: Asked) -> None:
            clock.pass_(took_s)
            if (error := next(left, None)) is not None:
                raise error

        super().__init__(behaviour)


def test_what_may_yet_take_effect_is_never_called_untried() -> None:
    """Its first request was sent, and nobody knows what became of it."""
    clock = Clock()
    silent = Scripted(clock, 9.9, Unanswered("no answer"))
    assert write(silent, [put(n) for n in range(4)], clock.deadline(10)) == {
        f"{n}": Unanswered for n in range(4)
    }
    assert len(silent.requests) == 1


def test_each_document_is_told_the_failure_of_its_own_last_request() -> None:
    """The first half met another than the second, which was sent with the first request alone."""
    clock = Clock()
    busy = Scripted(clock, 4.9, Unanswered("no answer"), Throttled("busy"))
    assert write(busy, [put(n) for n in range(4)], clock.deadline(10)) == {
        "0": Throttled,
        "1": Throttled,
        "2": Unanswered,
        "3": Unanswered,
    }


def test_what_was_not_sent_again_is_told_why_the_try_ended() -> None:
    """A server that goes away while a bad document is looked for."""
    clock = Clock()
    away = Scripted(clock, 4.9, Rejected(400, "no"), Unavailable("down"))
    outcomes = sink(away).write([put(n) for n in range(4)], clock.deadline(10))
    assert {o.op.id: str(o.result) for o in outcomes} == dict.fromkeys("0123", "down")


def test_a_server_that_answers_in_between_is_not_silent() -> None:
    """Two documents that take too long, next to one another: the others are written at once."""
    slow = Destination(about("1", "2", error=lambda: Unanswered("no answer")))
    results = write(slow, [put(n) for n in range(8)], Clock().deadline(50))
    assert {id_ for id_, result in results.items() if result is Unanswered} == {"1", "2"}
    assert [[id_ for _, _, id_ in asked] for asked in slow.requests[:9]] == [
        *([*"01234567"], [*"0123"], [*"4567"], [*"01"], [*"23"]),
        *(["0"], ["1"], ["2"], ["3"]),
    ]


@pytest.mark.parametrize("seconds", [2 * module.MARGIN_S, 2 * module.MARGIN_S - 0.01])
def test_a_request_is_sent_if_it_has_a_moment(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is its retry: as much as is kept to read an answer."""
    monkeypatch.setattr(module, "full_jitter", lambda _retry: 0.0)
    destination = Scripted(Clock(), 0, Throttled("busy"))
    (outcome,) = sink(destination).write([put(1)], Clock().deadline(seconds))
    if seconds == 2 * module.MARGIN_S:
        assert outcome.result is Done.WRITTEN
        assert destination.timeouts == [module.MARGIN_S] * 2
    else:
        assert destination.timeouts == []


@pytest.mark.parametrize(("status", "of_target"), [(400, True), (403, False), (404, True)])
def test_what_no_document_explains_is_ours_to_mend(status: int, of_target: bool) -> None:
    """403 is about our access to the whole domain; anything else may be about one index."""
    closed = Destination(always(Rejected(status, "no")))
    (outcome,) = sink(closed).write([put(1)], Clock().deadline(50))
    assert isinstance(outcome.result, Misconfigured)
    assert str(outcome.result) == f"even a harmless request fails: {status} no"
    assert outcome.result.of_target is of_target


def test_a_document_that_is_rejected_is_told_what_the_server_said() -> None:
    """Its error has the rejection as its cause."""
    rejected = Rejected(400, "no")
    picky = Destination(about("7", error=lambda: rejected))
    outcomes = sink(picky).write([put(n) for n in range(10)], Clock().deadline(50))
    (refused,) = [o.result for o in outcomes if o.result is not Done.WRITTEN]
    assert isinstance(refused, Refused)
    assert (str(refused), refused.__cause__) == ("400 no", rejected)


def of_version(version: int) -> Op:
    return replace(put(f"v{version}"), version=version)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (of_version(-1), "version -1 is not between 0 and 2^63 - 1"),
        (of_version(2**63), "version 9223372036854775808 is not between 0 and 2^63 - 1"),
        (
            put("large", body=b"x" * 10_000_001),
            "the body has 10,000,001 bytes, more than 10,000,000",
        ),
        (put("lines", body=b"{}\n{}"), "the body has more than one line"),
        (put(""), "the id has 0 bytes, not 1 to 512"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_fail_a_whole_request_is_refused_before(bad: Op, why: str) -> None:
    """By itself, with what is wrong with it; the others are written."""
    destination = Destination()
    outcomes = list(sink(destination).write([put(1), bad, put(2)], Clock().deadline(50)))
    assert [(o.op, str(o.result)) for o in outcomes if o.result is not Done.WRITTEN] == [(bad, why)]
    assert [o.op.id for o in outcomes if o.result is Done.WRITTEN] == ["1", "2"]
    assert len(destination.requests) == 1


@pytest.mark.parametrize(
    "op", [of_version(0), of_version(2**63 - 1), put("large", body=b"x" * 10_000_000)]
)
def test_what_is_just_within_the_limits_is_sent(op: Op) -> None:
    """OpenSearch takes it."""
    assert encode(op)


def test_a_harmless_update_changes_nothing() -> None:
    """No part of a document, and no document if there is none."""
    head, doc = harmless_update("things").splitlines()
    assert json.loads(head) == {"update": {"_index": "things", "_id": "-"}}
    assert json.loads(doc) == {"doc": {}}
    assert harmless_update("things").endswith(b"\n")


class Thing(Model):
    name: Text


class Prepared(Destination):
    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        return f"{alias} {schema['mappings']['dynamic']}"


def test_a_target_is_prepared_by_its_models_schema() -> None:
    """The alias, and the body of its index."""
    schema = OpenSearch.schema([Thing.document_schema()])
    assert schema == index_body([Thing.document_schema()])
    assert sink(Prepared()).prepare("things", schema) == "things strict"


def test_a_request_may_take_effect_for_a_while_after_it_ends() -> None:
    """Parked keys wait for longer than that (tests/unit/runtime/test_waits.py)."""
    assert OpenSearch(Destination, 3.0).effect_s == effect_s(3.0) > 3.0
