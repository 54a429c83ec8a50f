"""Document ids and versions."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import RecordError, Refused
from sync.writing.ids import MAX_ID_BYTES, check_id, document_id
from sync.writing.versions import HIGHEST, stream_version

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def ids(hash_key: str, range_key: str) -> str:
    return document_id({"SK": {"S": range_key}, "PK": {"S": hash_key}}, ("PK", "SK"))


def test_the_order_of_the_keys_is_the_tables() -> None:
    """A record's keys come in any order."""
    assert ids("a b", "c|d/é") == "a%20b|c%7Cd%2F%C3%A9"
    assert document_id({"id": {"N": "1E+3"}}, ("id",)) == "1000"


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_different_keys_have_different_ids(a: str, b: str, c: str, d: str) -> None:
    """Whatever characters they hold, the joint included."""
    assert (ids(a, b) == ids(c, d)) == ((a, b) == (c, d))


@given(TEXTS, TEXTS)
def test_an_id_can_be_read_back(a: str, b: str) -> None:
    """As long as it is not too long."""
    found = ids(a, b)
    if "|" in found:
        assert tuple(map(unquote, found.split("|"))) == (a, b)


def test_a_long_key_becomes_its_digest() -> None:
    """OpenSearch takes 512 bytes."""
    exact, longer = ids("a" * (MAX_ID_BYTES - 2), "b"), ids("a" * (MAX_ID_BYTES - 1), "b")
    assert len(exact) == MAX_ID_BYTES
    assert len(longer) == 64
    assert longer != ids("a" * MAX_ID_BYTES, "b")


def test_a_missing_key_is_named() -> None:
    """The model's keys are not the table's."""
    with pytest.raises(RecordError, match="'SK'"):
        document_id({"PK": {"S": "a"}}, ("PK", "SK"))


@pytest.mark.parametrize("document_id", ["a", "é" * (MAX_ID_BYTES // 2), " \n|"])
def test_a_sink_takes_ids_of_up_to_512_bytes(document_id: str) -> None:
    """Whatever they hold."""
    check_id(document_id)


@pytest.mark.parametrize(
    ("document_id", "why"),
    [
        ("", "the id has 0 bytes"),
        ("é" * (MAX_ID_BYTES // 2) + "a", "the id has 513 bytes"),
        ("a\ud800", "half of a surrogate pair"),
    ],
)
def test_an_id_that_no_sink_takes_is_refused(document_id: str, why: str) -> None:
    """OpenSearch fails a whole request over one such id."""
    with pytest.raises(Refused, match=why):
        check_id(document_id)


SECONDS, NUMBERS = st.integers(1, 9 * 10**9), st.integers(0, 10**40)


@given(SECONDS, NUMBERS)
def test_a_version_fits_a_signed_long(second: int, number: int) -> None:
    """Until the year 2255."""
    assert 0 < stream_version(second, number) <= HIGHEST


@given(SECONDS, NUMBERS, NUMBERS)
def test_a_later_second_has_the_higher_version(second: int, a: int, b: int) -> None:
    """Whatever the sequence numbers end in."""
    assert stream_version(second, a) < stream_version(second + 1, b)


@given(SECONDS, NUMBERS, st.integers(1, 10**6))
def test_within_a_second_the_sequence_number_decides(second: int, a: int, more: int) -> None:
    """As long as its last nine digits do not roll over."""
    if a % 10**9 + more < 10**9:
        assert stream_version(second, a) < stream_version(second, a + more)
