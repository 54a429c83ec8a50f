"""What every sink promises (`Sink` in sync/writing/sink.py)."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.errors import Refused, Retry
from sync.runtime.deadline import Deadline
from sync.writing.op import Done, Op
from tests.contract.sinks import OVER_HTTP, REFUSING, VERSIONED, Subject, parse
from tests.fault_proxy import Fault, answer, cut_after, cut_before, cut_within

WRITTEN, STALE = Done.WRITTEN, Done.STALE

versioned = pytest.mark.parametrize("subject", VERSIONED, indirect=True)
refusing = pytest.mark.parametrize("subject", REFUSING, indirect=True)
over_http = pytest.mark.parametrize("subject", OVER_HTTP, indirect=True)

IDS = [
    "plain",
    "a b",
    "a/b",
    "../a",
    "100%25",
    "a|b",
    "_id",
    'quote"back\\slash',
    "line\nbreak\ttab",
    "zażółć ☃ 🛩️",
    "x" * 512,
    "é" * 256,
]
BODIES = [
    b'{"number":12345678901234567890123456789012345678}',
    b'{"number":-0.12345678901234567890123456789012345678}',
    b'{"number":9.9999999999999999999999999999999999999E+125}',
    b'{"number":1E-130}',
    b'{"number":0}',
    '{"text":"zażółć ☃ 🛩️ \u2028"}'.encode(),
    b'{"text":"line\\nbreak \\u0000 \\"quoted\\" \\ud83d\\ude00"}',
    b'{"text":["a","b"],"number":null}',
    b"{}",
]


def test_what_is_put_is_there(subject: Subject) -> None:
    """A put leaves its body under its id, and nothing under another."""
    assert subject.write(subject.put("1", b'{"text":"one"}')) == {"1": WRITTEN}
    assert subject.read(["1", "2"]) == {"1": {"text": "one"}}


def test_a_later_put_replaces_the_whole_document(subject: Subject) -> None:
    """Fields that the newer body lacks are gone."""
    subject.write(subject.put("1", b'{"text":"one","number":1}', version=1))
    assert subject.write(subject.put("1", b'{"text":"two"}', version=2)) == {"1": WRITTEN}
    assert subject.holds("1") == {"text": "two"}


def test_what_is_deleted_is_gone(subject: Subject) -> None:
    """A delete leaves nothing under its id, and the rest as it was."""
    subject.write(subject.put("1"), subject.put("2"))
    assert subject.write(subject.delete("1", version=2)) == {"1": WRITTEN}
    assert subject.read(["1", "2"]) == {"2": {"text": "a"}}


def test_a_deleted_document_can_be_put_again(subject: Subject) -> None:
    """What a delete leaves behind does not refuse a newer put."""
    subject.write(subject.put("1", version=1))
    subject.write(subject.delete("1", version=2))
    assert subject.write(subject.put("1", b'{"text":"b"}', version=3)) == {"1": WRITTEN}
    assert subject.holds("1") == {"text": "b"}


def test_deleting_what_is_not_there_is_harmless(subject: Subject) -> None:
    """A delete of an unknown id is written, alone and among others."""
    assert subject.write(subject.delete("none")) == {"none": WRITTEN}
    assert subject.write(subject.delete("neither"), subject.put("1")) == {
        "neither": WRITTEN,
        "1": WRITTEN,
    }


def test_redelivery_changes_nothing(subject: Subject) -> None:
    """The same ops written twice leave what writing them once does, and are written both times."""
    ops = subject.put("1", version=5), subject.delete("2", version=6)
    assert subject.write(*ops) == {"1": WRITTEN, "2": WRITTEN}
    assert subject.write(*ops) == {"1": WRITTEN, "2": WRITTEN}
    assert subject.read(["1", "2"]) == {"1": {"text": "a"}}


def test_nothing_to_write_is_nothing_done(subject: Subject) -> None:
    """No ops, no outcomes."""
    assert subject.write() == {}


def test_one_write_takes_thousands_of_ops(subject: Subject) -> None:
    """5,000 ops have an outcome each, however the sink cuts them."""
    ids = [f"{n}" for n in range(5_000)]
    results = subject.write(*(subject.put(id_, b'{"number":%b}' % id_.encode()) for id_ in ids))
    assert results == dict.fromkeys(ids, WRITTEN)
    assert subject.read(ids) == {id_: {"number": int(id_)} for id_ in ids}


@pytest.mark.parametrize("id_", IDS, ids=ascii)
def test_every_id_is_kept_as_it_is(subject: Subject, id_: str) -> None:
    """An id means the same to the sink and to its readers, and can be deleted again."""
    subject.write(subject.put(id_, version=1))
    assert subject.holds(id_) == {"text": "a"}
    subject.write(subject.delete(id_, version=2))
    assert subject.holds(id_) is None


def test_bodies_are_kept_exactly(subject: Subject) -> None:
    """Numbers keep their 38 digits, text every character."""
    ids = {f"{n}": body for n, body in enumerate(BODIES)}
    assert subject.write(*(subject.put(*pair) for pair in ids.items())) == dict.fromkeys(
        ids, WRITTEN
    )
    held = subject.read(list(ids))
    assert held == {id_: parse(body) for id_, body in ids.items()}
    assert held["1"]["number"] == Decimal("-0.12345678901234567890123456789012345678")


def test_no_time_left_still_gives_every_outcome(subject: Subject) -> None:
    """With a deadline that has passed, each op is either written or handed back."""
    results = subject.write(*(subject.put(f"{n}") for n in range(3)), deadline=Deadline(0))
    written = {id_ for id_, result in results.items() if result is WRITTEN}
    assert all(result is WRITTEN or issubclass(result, Retry) for result in results.values())
    assert set(subject.read(list(results))) == written


@versioned
def test_an_older_put_is_stale(subject: Subject) -> None:
    """A put below the stored version says so, and changes nothing."""
    subject.write(subject.put("1", b'{"text":"new"}', version=2))
    assert subject.write(subject.put("1", b'{"text":"old"}', version=1)) == {"1": STALE}
    assert subject.holds("1") == {"text": "new"}


@versioned
def test_an_older_delete_is_stale(subject: Subject) -> None:
    """A delete below the stored version says so, and changes nothing."""
    subject.write(subject.put("1", version=2))
    assert subject.write(subject.delete("1", version=1)) == {"1": STALE}
    assert subject.holds("1") == {"text": "a"}


@versioned
def test_a_delete_is_remembered(subject: Subject) -> None:
    """A put older than the delete that came before it does not bring the document back."""
    subject.write(subject.delete("1", version=2))
    assert subject.write(subject.put("1", version=1)) == {"1": STALE}
    assert subject.holds("1") is None


@versioned
def test_an_equal_version_is_written(subject: Subject) -> None:
    """Neither a put nor a delete loses against its own version, which redelivery brings again."""
    subject.write(subject.put("1", version=7))
    assert subject.write(subject.put("1", b'{"text":"b"}', version=7)) == {"1": WRITTEN}
    assert subject.write(subject.delete("1", version=7)) == {"1": WRITTEN}
    assert subject.holds("1") is None


@versioned
@pytest.mark.parametrize("version", [0, 1_800_000_000 * 10**9 + 999_999_999, 2**63 - 1])
def test_versions_span_a_long(subject: Subject, version: int) -> None:
    """The lowest, a usual and the highest version are all kept."""
    assert subject.write(subject.put("1", version=version)) == {"1": WRITTEN}
    assert subject.write(subject.put("1", b"{}", version=version)) == {"1": WRITTEN}
    if version:
        assert subject.write(subject.put("1", version=version - 1)) == {"1": STALE}


@versioned
def test_staleness_concerns_one_op_alone(subject: Subject) -> None:
    """Of a batch only what is older is stale."""
    subject.write(subject.put("1", version=5), subject.put("2", version=5))
    ops = subject.put("1", version=4), subject.delete("2", version=6), subject.put("3", version=1)
    assert subject.write(*ops) == {"1": STALE, "2": WRITTEN, "3": WRITTEN}


@refusing
def test_a_refused_document_is_refused_alone(subject: Subject) -> None:
    """What the destination will never take is told, and the ops around it are written."""
    assert subject.refuses
    ops = subject.put("1"), subject.put("bad", subject.refuses), subject.delete("2")
    assert subject.write(*ops) == {"1": WRITTEN, "bad": Refused, "2": WRITTEN}
    assert subject.read(["1", "bad"]) == {"1": {"text": "a"}}


FAULTS: dict[str, Fault] = {
    "429": answer(429, b'{"error":{"type":"rejected_execution_exception","reason":"busy"}}'),
    "500": answer(500, b"oops", "text/plain"),
    "503": answer(503, b"<html>Service Unavailable</html>", "text/html"),
    "503-empty": answer(503),
    "503-list": answer(503, b"[]"),
    "504": answer(504, b'{"message":null}'),
    "408": answer(408),
    "cut-before": cut_before,
    "cut-after": cut_after,
    "cut-within": cut_within,
    "not-json": answer(200, b'{"items":[{"index":'),
    "empty": answer(200),
    "text": answer(200, b"welcome", "text/plain"),
    "other-json": answer(200, b"[1]"),
    "no-items": answer(200, b'{"errors":false}'),
    "few-items": answer(200, b'{"errors":false,"items":[]}'),
}


@over_http
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_an_outage_hands_everything_back(subject: Subject, fault: Fault) -> None:
    """No op is called written or refused without the destination's word; later all are written."""
    assert subject.proxy
    ops = [subject.put("1", version=2), subject.delete("2", version=2)]
    subject.proxy.fail(fault, times=None)
    outcomes = list(subject.sink.write(ops, Deadline(60, sleep=lambda _: None)))
    assert [op.id for op in ops] == sorted(outcome.op.id for outcome in outcomes)
    assert all(isinstance(outcome.result, Retry) for outcome in outcomes)
    subject.proxy.heal()
    assert subject.write(*ops) == {"1": WRITTEN, "2": WRITTEN}
    assert subject.read(["1", "2"]) == {"1": {"text": "a"}}


@over_http
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_moment_s_trouble_is_got_over(subject: Subject, fault: Fault) -> None:
    """One failure is tried again within the write, and the op is written."""
    assert subject.proxy
    subject.write(subject.put("2"))
    subject.proxy.fail(fault, times=1)
    ops = subject.put("1", version=2), subject.delete("2", version=2)
    assert subject.write(*ops) == {"1": WRITTEN, "2": WRITTEN}
    assert subject.read(["1", "2"]) == {"1": {"text": "a"}}


@over_http
@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_is_about_us_is_never_a_document_s_fault(subject: Subject, status: int) -> None:
    """Missing rights or a wrong address are handed back, not quarantined."""
    assert subject.proxy
    subject.proxy.fail(answer(status, b'{"message":"no"}'), times=None)
    (result,) = subject.write(subject.put("1")).values()
    assert issubclass(result, Retry)


# Histories: states of a few ids in the order of their versions, None for "deleted".
histories = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9)), min_size=1, max_size=12
)
_examples = count(1)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[tuple[str, int | None]], list[slice]]:
    """A history, and the batches in which a stream brings it: in order, but for going back."""
    history = draw(histories)
    batches = []
    start = 0
    while start < len(history):
        end = min(len(history), start + draw(st.integers(1, 6)))
        batches.append(slice(start, end))
        start = end - (draw(st.integers(0, end)) if len(batches) < 6 else 0)
    return history, batches


def folded(ops: list[Op]) -> Iterator[Op]:
    """The last op of each id, as dispatch hands them to a sink."""
    return iter({op.id: op for op in ops}.values())


def as_ops(subject: Subject, history: list[tuple[str, int | None]]) -> tuple[list[Op], list[str]]:
    """The history's ops, and its ids: new ones for each example."""
    prefix = f"{next(_examples)}-"
    ops = [
        subject.delete(prefix + id_, version=version)
        if value is None
        else subject.put(prefix + id_, b'{"number":%d}' % value, version=version)
        for version, (id_, value) in enumerate(history, start=1)
    ]
    return ops, sorted({op.id for op in ops})


def end_of(ops: list[Op]) -> dict[str, object]:
    """What the sink has to hold after *ops*."""
    return {op.id: parse(op.body) for op in folded(ops) if op.body is not None}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(delivery=deliveries())
def test_any_redelivered_history_ends_where_the_table_did(
    subject: Subject, delivery: tuple[list[tuple[str, int | None]], list[slice]]
) -> None:
    """However often a stream goes back, what it brought last is what the sink holds."""
    history, batches = delivery
    ops, ids = as_ops(subject, history)
    for batch in batches:
        results = subject.write(*folded(ops[batch]))
        assert set(results.values()) <= ({WRITTEN, STALE} if subject.versioned else {WRITTEN})
    assert subject.read(ids) == end_of(ops)


@versioned
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories, data=st.data())
def test_any_order_ends_at_the_newest_version(
    subject: Subject, history: list[tuple[str, int | None]], data: st.DataObject
) -> None:
    """A versioned sink holds the newest state even if an older one arrives last."""
    ops, ids = as_ops(subject, history)
    for op in data.draw(st.permutations(ops)):
        subject.write(op)
    assert subject.read(ids) == end_of(ops)
