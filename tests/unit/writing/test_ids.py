"""Document ids and versions."""

from base64 import b64encode
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import RecordError, Refused
from sync.writing.ids import MAX_ID_BYTES, check_id, document_id, is_hash, keys_from
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


BINARY = st.binary(min_size=1, max_size=40).map(lambda raw: b64encode(raw).decode())


@given(TEXTS, st.integers(-(10**37), 10**37), BINARY)
def test_the_keys_of_an_id_are_found_by_their_types(text: str, number: int, binary: str) -> None:
    """Text, number and binary, as a sort key or alone."""
    for tag, value in (("N", f"{number}"), ("B", binary), ("S", f"{number}")):
        keys = {"PK": {"S": text}, "SK": {tag: value}}
        id_ = document_id(keys, ("PK", "SK"))
        if not is_hash(id_):
            assert keys_from(id_, {"PK": "S", "SK": tag}) == keys
        alone = {"id": {tag: value}}
        assert keys_from(document_id(alone, ("id",)), {"id": tag}) == alone


@pytest.mark.parametrize(
    "id_", ["", "a", "|", "a|", "|1", "a|1|2", "a|x", "a|1.0", "a|+1", "a|01", "a b|1", "%ff|1"]
)
def test_an_id_that_no_key_makes_has_none(id_: str) -> None:
    """Also one that only resembles the id of a key: it is another document."""
    assert keys_from(id_, {"PK": "S", "SK": "N"}) is None


def test_a_key_is_not_found_in_a_wrong_order() -> None:
    """The partition key comes first."""
    assert keys_from("7|a", {"PK": "N", "SK": "S"}) == {"PK": {"N": "7"}, "SK": {"S": "a"}}
    assert keys_from("7|a", {"SK": "S", "PK": "N"}) is None


def test_a_hash_is_told_by_its_form() -> None:
    """64 hexadecimal digits in lower case."""
    assert is_hash(document_id({"id": {"S": "x" * 513}}, ("id",)))
    assert not is_hash(document_id({"id": {"S": "x" * 512}}, ("id",)))
    assert [is_hash(id_) for id_ in ("a" * 63, "a" * 65, "A" * 64, "g" * 64)] == [False] * 4
