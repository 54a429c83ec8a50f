"""Bodies of dead letters in the bucket, and the pointers to them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sync.errors import Misconfigured, RecordError, Retry
from sync.recovery.bodies import Bodies, Payload, folder
from tests.doubles.account import client
from tests.doubles.in_process import mock_aws

BUCKET = "payloads"
KEY = "letters/row/one.json"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


def bodies(s3: Any, bucket: str = BUCKET) -> Bodies:
    return Bodies(bucket, {"s3": s3}.__getitem__)


def stored(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_what_is_kept_is_found_by_its_pointer(s3: Any) -> None:
    """As JSON; the pointer says how many bytes there are, however few characters they make."""
    payload = bodies(s3).keep(KEY, '{"name":"ż"}')
    assert payload == Payload(BUCKET, KEY, 13)
    assert bodies(s3).find(payload) == bodies(s3).fetch(payload) == '{"name":"ż"}'
    answer = s3.get_object(Bucket=BUCKET, Key=KEY)
    assert (answer["ContentType"], answer["Body"].read()) == (
        "application/json",
        '{"name":"ż"}'.encode(),
    )
    assert bodies(s3).keep(KEY, '{"name":"ż"}') == payload


def test_text_that_is_not_unicode_is_kept_and_found_as_escapes(s3: Any) -> None:
    """A malformed record is for people to read: nothing of it may stop its letter."""
    payload = bodies(s3).keep(KEY, '"\ud800"')
    assert bodies(s3).fetch(payload) == r'"\ud800"'
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b'"\xff"')
    assert bodies(s3).fetch(payload) == r'"\xff"'


def test_a_body_that_is_gone_is_none_and_told_of_when_it_is_asked_for(s3: Any) -> None:
    """Trying again helps as soon as somebody has restored it."""
    gone = Payload(BUCKET, KEY, 1)
    assert bodies(s3).find(gone) is None
    with pytest.raises(Misconfigured) as told:
        bodies(s3).fetch(gone)
    assert str(told.value) == f"s3://{BUCKET}/{KEY} is gone"


def test_removing_takes_one_body_or_all_of_a_row(s3: Any) -> None:
    """And none of a row whose id begins with the same letters; twice is harmless."""
    names = [f"{folder(id_)}{n}.json" for id_ in ("row", "row2") for n in range(2)]
    first, second, *others = [bodies(s3).keep(name, "{}") for name in names]
    for _ in range(2):
        bodies(s3).remove(first)
    assert stored(s3) == [second.key, *(other.key for other in others)]
    for _ in range(2):
        bodies(s3).remove_all("row")
    assert stored(s3) == [other.key for other in others] == ["letters/row2/0.json", *names[3:]]


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda gone: gone.keep(KEY, "{}"), "writing the body of a dead letter to S3"),
        (lambda gone: gone.find(Payload("gone", KEY, 1)), f"fetching s3://gone/{KEY}"),
        (lambda gone: gone.remove(Payload("gone", KEY, 1)), f"deleting s3://gone/{KEY}"),
        (lambda gone: gone.remove_all("row"), "deleting s3://gone/letters/row/"),
    ],
)
def test_what_s3_does_not_do_is_told_with_its_place(
    s3: Any, call: Callable[[Bodies], object], what: str
) -> None:
    """And with what S3 says, here that there is no such bucket."""
    with pytest.raises(Retry) as told:
        call(bodies(s3, bucket="gone"))
    assert str(told.value).startswith(f"{what}: An error occurred (NoSuchBucket)")


def test_a_pointer_survives_the_way_through_a_message() -> None:
    """Its size may have become a text."""
    payload = Payload(BUCKET, KEY, 5)
    assert payload.plain() == {"bucket": BUCKET, "key": KEY, "bytes": 5}
    assert Payload.read(payload.plain()) == payload
    assert Payload.read({**payload.plain(), "bytes": "5"}) == payload


@pytest.mark.parametrize("value", [None, {}, {"bucket": "b", "key": "k", "bytes": "many"}])
def test_what_is_no_pointer_is_told(value: Any) -> None:
    """With the beginning of what came instead."""
    with pytest.raises(RecordError) as told:
        Payload.read(value)
    assert str(told.value) == f"not a pointer to a payload: {value!r}"
    with pytest.raises(RecordError) as told:
        Payload.read("x" * 1_000)
    assert str(told.value) == f"not a pointer to a payload: '{'x' * 199}"
