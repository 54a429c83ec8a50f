"""The suite is worth what it catches: sinks with bugs seen in other systems have to fail it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.errors import Refused, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.sinks.opensearch import answers, request
from sync.sinks.opensearch import sink as module
from sync.writing.op import Done, Op, Outcome, Result
from tests.contract import test_sinks as laws
from tests.contract.sinks import Subject, of_memory

Plant = Callable[[pytest.MonkeyPatch], None]
Results = Sequence[Result]


def ignores_item_errors(patch: pytest.MonkeyPatch) -> None:
    """Reads the request's status alone."""
    reads_otherwise(patch, lambda results: [Done.WRITTEN for _ in results])


def tries_stale_again(patch: pytest.MonkeyPatch) -> None:
    """Takes a version conflict for a failure that may pass."""
    instead_of(patch, Done.STALE, Retry())


def tries_refused_again(patch: pytest.MonkeyPatch) -> None:
    """Takes a wrong document for a failure that may pass, and blocks all behind it."""
    instead_of(patch, Refused, Retry())


def instead_of(patch: pytest.MonkeyPatch, right: object, wrong: Result) -> None:
    reads_otherwise(
        patch, lambda results: [wrong if r is right or type(r) is right else r for r in results]
    )


def reads_otherwise(patch: pytest.MonkeyPatch, change: Callable[[Results], Results]) -> None:
    read = request.Request.read

    def planted(asked: request.Request, answer: Any) -> request.Answered:
        found = read(asked, answer)
        return replace(found, results=change(found.results))

    patch.setattr(request.Request, "read", planted)


def looks_under_index_only(patch: pytest.MonkeyPatch) -> None:
    """Finds no error of a delete, since those stand under "delete"."""
    judge = answers.item_result

    def planted(kind: str, item: Any) -> Result:
        return judge(kind, item) if kind == "index" else Done.WRITTEN

    patch.setattr(request, "item_result", planted)


def drops_versions(patch: pytest.MonkeyPatch) -> None:
    """Lets win what arrives last."""
    encode = request.encode

    def planted(op: Op, prefix: str) -> bytes:
        version = b',"version":%d,"version_type":"external_gte"' % op.version
        return encode(op, prefix).replace(version, b"")

    patch.setattr("sync.sinks.opensearch.sink.encode", planted)


def wants_higher_versions(patch: pytest.MonkeyPatch) -> None:
    """Calls a redelivered op stale."""
    encode = request.encode

    def planted(op: Op, prefix: str) -> bytes:
        return encode(op, prefix).replace(b"external_gte", b"external")

    patch.setattr("sync.sinks.opensearch.sink.encode", planted)


def swallows_throttling(patch: pytest.MonkeyPatch) -> None:
    """Goes on after a 429 as if all were done."""
    send = module.OpenSearch._send

    def planted(sink: module.OpenSearch, group: list[request.Line], deadline: Deadline) -> Results:
        try:
            return send(sink, group, deadline)
        except Throttled:
            return [Done.WRITTEN for _ in group]

    patch.setattr(module.OpenSearch, "_send", planted)


def believes_short_answers(patch: pytest.MonkeyPatch) -> None:
    """Takes what the answer does not mention for done."""
    read = request.Request.read

    def planted(asked: request.Request, answer: Any) -> request.Answered:
        try:
            return read(asked, answer)
        except Unavailable:
            return request.Answered([Done.WRITTEN for _ in asked._lines], (), ())

    patch.setattr(request.Request, "read", planted)


def gives_up_at_once(patch: pytest.MonkeyPatch) -> None:
    """Tries nothing twice."""
    patch.setattr(module, "TRIES", 1)


def an_outage(fault: str) -> Callable[[Subject], None]:
    return lambda subject: laws.test_an_outage_hands_everything_back(subject, laws.FAULTS[fault])


def a_moment(fault: str) -> Callable[[Subject], None]:
    return lambda subject: laws.test_a_moment_s_trouble_is_got_over(subject, laws.FAULTS[fault])


@pytest.mark.parametrize("subject", ["opensearch"], indirect=True)
@pytest.mark.parametrize(
    ("plant", "law"),
    [
        (ignores_item_errors, laws.test_a_refused_document_is_refused_alone),
        (ignores_item_errors, laws.test_an_older_put_is_stale),
        (tries_stale_again, laws.test_an_older_put_is_stale),
        (tries_refused_again, laws.test_a_refused_document_is_refused_alone),
        (looks_under_index_only, laws.test_an_older_delete_is_stale),
        (drops_versions, laws.test_an_older_put_is_stale),
        (drops_versions, laws.test_a_delete_is_remembered),
        (wants_higher_versions, laws.test_redelivery_changes_nothing),
        (swallows_throttling, an_outage("429")),
        (believes_short_answers, an_outage("few-items")),
        (believes_short_answers, an_outage("no-items")),
        (gives_up_at_once, a_moment("503")),
    ],
)
def test_a_planted_bug_breaks_a_law(
    subject: Subject,
    plant: Plant,
    law: Callable[[Subject], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A law that the sink keeps (test_sinks shows it) fails once the bug is in."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        law(subject)


class Forgetful(Memory):
    """Gives no outcome for the last op."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        return list(super().write(ops, deadline))[:-1]


class Stuttering(Memory):
    """Gives each outcome twice."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
        for outcome in super().write(ops, deadline):
            yield from (outcome, outcome)


class Merging(Memory):
    """Keeps the fields that a newer body lacks."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
        for op in ops:
            old = self.documents.get((op.target, op.id))
            yield from super().write([op], deadline)
            if old and op.body:
                self.documents[op.target, op.id] = old[:-1] + b"," + op.body[1:]


class Rounding(Memory):
    """Keeps 15 digits of a number."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
        for outcome in super().write(ops, deadline):
            for key, body in self.documents.items():
                self.documents[key] = body.replace(b"678901234567890123456789", b"0" * 24)
            yield outcome


class Resurrecting(Memory):
    """Forgets a delete at once."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
        for outcome in super().write(ops, deadline):
            if outcome.op.body is None:
                del self._versions[outcome.op.target, outcome.op.id]
            yield outcome


@pytest.mark.parametrize(
    ("wrong", "law"),
    [
        (Forgetful, laws.test_what_is_put_is_there),
        (Stuttering, laws.test_what_is_put_is_there),
        (Merging, laws.test_a_later_put_replaces_the_whole_document),
        (Rounding, laws.test_bodies_are_kept_exactly),
        (Resurrecting, laws.test_a_delete_is_remembered),
    ],
)
def test_a_wrong_sink_breaks_a_law(wrong: type[Memory], law: Callable[[Subject], None]) -> None:
    """A sink that does not keep a promise fails the law which states it."""
    with pytest.raises(AssertionError):
        law(of_memory(wrong(), versioned=True))
