"""Sinks that can be read: what they hold is compared with ops, and every document is found."""

import json
from itertools import islice
from typing import Any, cast

import pytest

from sync.errors import Misconfigured, Retry
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import reading as opensearch_reading
from sync.sinks.typesense import reading as typesense_reading
from sync.writing.comparing import Comparable, Differs
from tests.contract.sinks import Subject, ask, patient
from tests.fault_proxy import FaultProxy, answer

READABLE = ("memory", "opensearch", "typesense")
IDS = ["a", "b|c", "a%20b", "a b", "a,b", "a]b", 'a"b', "a&&b", "é", "..", "-1", "a`b", "x" * 512]
LONG = "1234567890123456789012345678901234567.8"

readable = pytest.mark.parametrize("subject", READABLE, indirect=True)


def sink_of(subject: Subject) -> Comparable:
    assert isinstance(subject.sink, Comparable)
    return subject.sink


def compared(subject: Subject, *ops: Any) -> dict[str, Differs | None]:
    return {op.id: differs for op, differs in sink_of(subject).compare(ops, patient())}


def walked(subject: Subject, start: str | None = None) -> list[str]:
    return [id_ for id_, _ in sink_of(subject).ids(subject.target, start, patient())]


def refreshed(subject: Subject) -> None:
    """The first step of a walk; without it OpenSearch does not find what was just written."""
    walked(subject)


@readable
def test_what_was_written_does_not_differ(subject: Subject) -> None:
    """Whatever the id, and at once: no refresh is waited for."""
    ops = [subject.put(id_, b'{"text":"a","number":1.5}') for id_ in IDS]
    subject.write(*ops)
    assert compared(subject, *ops, subject.delete("absent")) == dict.fromkeys([*IDS, "absent"])


@readable
def test_missing_extra_and_different_documents_are_told_apart(subject: Subject) -> None:
    """And of a different one the fields that differ are named, never their values."""
    subject.write(subject.put("kept"), subject.put("other", b'{"text":"a","number":1}'))
    assert compared(
        subject,
        subject.put("absent"),
        subject.delete("kept"),
        subject.put("other", b'{"text":"b","number":1}'),
    ) == {
        "absent": Differs("missing"),
        "kept": Differs("extra"),
        "other": Differs("different", ("text",)),
    }


@readable
def test_a_field_more_or_less_differs(subject: Subject) -> None:
    """A null is a value: it is no absent field."""
    body = b'{"text":null,"number":2}'
    subject.write(subject.put("null", body), subject.put("two", b'{"text":"a","number":2}'))
    assert compared(subject, subject.put("null", body)) == {"null": None}
    assert compared(subject, subject.put("null", b'{"number":2}')) == {
        "null": Differs("different", ("text",))
    }
    assert compared(subject, subject.put("two", b'{"text":"a"}')) == {
        "two": Differs("different", ("number",))
    }


@readable
@pytest.mark.parametrize("number", ["1", LONG, "9007199254740993", "0.1", "1E+22", "-5"])
def test_numbers_are_compared_exactly(subject: Subject, number: str) -> None:
    """The same number in another spelling does not differ; one that differs in digit 38 does."""
    subject.write(subject.put("n", b'{"number":%b}' % number.encode()))
    assert compared(subject, subject.put("n", b'{"number":%b}' % number.encode())) == {"n": None}
    if number == "1":
        assert compared(subject, subject.put("n", b'{"number":1.0}')) == {"n": None}
    other = {LONG: LONG[:-1] + "9", "9007199254740993": "9007199254740992"}.get(number, "7")
    assert compared(subject, subject.put("n", b'{"number":%b}' % other.encode())) == {
        "n": Differs("different", ("number",))
    }


@pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)
def test_an_id_that_no_sink_takes_is_missing(subject: Subject) -> None:
    """It is not asked for: it could fail the request of all others."""
    long, surrogate = "x" * 513, "\ud800"
    assert compared(
        subject, subject.put(long), subject.delete(surrogate), subject.delete("absent")
    ) == {long: Differs("missing"), surrogate: None, "absent": None}


@readable
def test_a_walk_finds_every_document(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of the last instant, page by page, and without one of another target."""
    monkeypatch.setattr(opensearch_reading, "MOST_IDS", 4)
    subject.write(*(subject.put(id_) for id_ in IDS))
    assert sorted(walked(subject)) == sorted(IDS)


@readable
def test_an_empty_target_has_no_ids(subject: Subject) -> None:
    """Nor has a sample of it any."""
    assert walked(subject) == []
    assert sink_of(subject).sample(subject.target, 5, patient()) == []


@readable
@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_walk_goes_on_where_another_ended(subject: Subject, stop: int) -> None:
    """Documents that were deleted, written anew or added meanwhile hide none of the others."""
    ids = [f"{n}" for n in range(9)]
    subject.write(*(subject.put(id_) for id_ in ids))
    first = list(islice(sink_of(subject).ids(subject.target, None, patient()), stop))
    seen = [id_ for id_, _ in first]
    subject.write(subject.delete(seen[0], version=2), subject.put("8", version=2))
    subject.write(subject.put("new", version=2))
    refreshed(subject)
    rest = walked(subject, first[-1][1])
    assert {*seen, *rest} >= {*ids, "new"}
    if stop > 1:
        assert len(rest) < 10  # it did not start anew


@pytest.mark.parametrize("subject", ["typesense"], indirect=True)
def test_a_walk_whose_place_was_deleted_starts_anew(subject: Subject) -> None:
    """Rather twice than never."""
    ids = [f"{n}" for n in range(9)]
    subject.write(*(subject.put(id_) for id_ in ids))
    first = list(islice(sink_of(subject).ids(subject.target, None, patient()), 7))
    subject.write(*(subject.delete(f"{n}") for n in range(2, 7)))
    assert walked(subject, first[-1][1]) == ["0", "1", "7", "8"]


@readable
def test_samples_differ_and_in_time_show_everything(subject: Subject) -> None:
    """A sample that always saw the same documents would never find what is wrong elsewhere."""
    ids = {f"{n}" for n in range(60)}
    subject.write(*(subject.put(id_) for id_ in ids))
    refreshed(subject)
    samples = [sink_of(subject).sample(subject.target, 20, patient()) for _ in range(60)]
    assert all(len(sample) == len(set(sample)) <= 20 for sample in samples)
    assert len({tuple(sorted(sample)) for sample in samples}) > 30
    assert set().union(*samples) == ids
    assert set(sink_of(subject).sample(subject.target, 100, patient())) == ids


@pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)
def test_a_missing_target_is_named(subject: Subject) -> None:
    """It is a setting to correct: not an index without documents."""
    gone = subject.put("a")
    object.__setattr__(gone, "target", "nowhere")
    with pytest.raises(Misconfigured, match="nowhere"):
        list(sink_of(subject).compare([gone], patient()))
    with pytest.raises(Misconfigured, match="nowhere"):
        list(sink_of(subject).ids("nowhere", None, patient()))
    with pytest.raises(Misconfigured, match="nowhere"):
        sink_of(subject).sample("nowhere", 1, patient())


@pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)
def test_a_server_that_is_down_is_no_empty_one(subject: Subject, proxy: FaultProxy) -> None:
    """Each way of reading raises."""
    subject.write(subject.put("a"))
    proxy.fail(answer(503, b'{"message":"Not Ready or Lagging"}'), times=100)
    with pytest.raises(Retry):
        compared(subject, subject.put("a"))
    with pytest.raises(Retry):
        walked(subject)
    with pytest.raises(Retry):
        sink_of(subject).sample(subject.target, 1, patient())


@pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)
def test_without_time_nothing_is_asked(subject: Subject, proxy: FaultProxy) -> None:
    """A caller without time is told so at once."""
    with pytest.raises(Retry, match="no time is left"):
        list(sink_of(subject).compare([subject.put("a")], Deadline(0)))
    assert proxy.requests == []


@pytest.mark.parametrize("subject", ["opensearch"], indirect=True)
def test_all_shards_are_walked_and_sampled(subject: Subject, index: str) -> None:
    """Each has sequence numbers of its own."""
    ask(index, method="DELETE")
    ask(
        index,
        {
            "settings": {"number_of_shards": 3, "number_of_replicas": 0},
            "aliases": {subject.target: {}},
        },
        method="PUT",
    )
    ids = {f"{n}" for n in range(50)}
    subject.write(*(subject.put(id_) for id_ in ids))
    assert sorted(walked(subject)) == sorted(ids)
    seen = {
        id_ for _ in range(40) for id_ in sink_of(subject).sample(subject.target, 20, patient())
    }
    assert seen == ids


@pytest.mark.parametrize("subject", ["opensearch"], indirect=True)
def test_a_walk_starts_anew_where_the_alias_was_moved(subject: Subject, index: str) -> None:
    """The numbers of one index say nothing of another."""
    subject.write(*(subject.put(f"{n}") for n in range(3)))
    ((_, place),) = islice(sink_of(subject).ids(subject.target, None, patient()), 2, None)
    base, _, name = index.rpartition("/")
    ask(f"{base}/{subject.target}-v2", {"aliases": {}}, method="PUT")
    moves = [
        {"remove": {"index": name, "alias": subject.target}},
        {"add": {"index": f"{subject.target}-v2", "alias": subject.target}},
    ]
    ask(f"{base}/_aliases", {"actions": moves})
    subject.write(subject.put("there"))
    refreshed(subject)
    assert walked(subject, place) == ["there"]


@pytest.mark.parametrize("subject", ["typesense"], indirect=True)
def test_an_answer_cut_short_is_no_end(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents that were not asked for show that an answer is not ours."""
    subject.write(subject.put("a"), subject.put("b"))
    reader = cast(Any, subject.sink)._client
    monkeypatch.setattr(reader, "documents", lambda *_: [{"id": "b"}])
    with pytest.raises(Retry, match="not asked for"):
        compared(subject, subject.put("a"))


def test_the_server_s_limit_of_a_page_is_kept() -> None:
    """Typesense answers 422 to more (0.24.1)."""
    assert typesense_reading.MOST_READ == 250


@pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)
def test_many_documents_are_read_in_several_requests(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are compared."""
    monkeypatch.setattr(opensearch_reading, "MOST_READ", 2)
    monkeypatch.setattr(typesense_reading, "MOST_READ", 2)
    ops = [subject.put(f"{n}", json.dumps({"number": n}).encode()) for n in range(5)]
    subject.write(*ops[:4])
    assert compared(subject, *ops) == {**dict.fromkeys("0123"), "4": Differs("missing")}
