"""Records in the shape in which Lambda hands them over."""

from datetime import UTC, datetime
from typing import Any

from local.delivery.records import Record
from tests.records import core_keys, stream_record
from tests.unit.local.delivery.lanes import STREAM, record


def from_stream(**more: Any) -> dict[str, Any]:
    """What becomes of a record that boto3 returned."""
    raw = {
        "eventID": "e",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime(2027, 1, 15, 8, 0, 0, 900_000, tzinfo=UTC),
            "Keys": {"PK": {"B": b"\x00\xff"}},
            "OldImage": {
                "PK": {"B": b"\x00\xff"},
                "set": {"BS": [b"a", b"bc"]},
                "deep": {"L": [{"M": {"x": {"B": b"deep"}}}, {"N": "1E+2"}, {"NULL": True}]},
                "text": {"S": "ไทย \ud800 \x00"},
            },
            "SequenceNumber": "100000000000000000001",
            "SizeBytes": 9,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        **more,
    }
    return Record.from_stream(raw, STREAM).event()


def test_a_stream_record_becomes_lambdas_event() -> None:
    """Names, source ARN, whole seconds, and base64 text for binary at any depth (WD)."""
    assert from_stream() == {
        "eventID": "e",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_800_000_000,
            "Keys": {"PK": {"B": "AP8="}},
            "OldImage": {
                "PK": {"B": "AP8="},
                "set": {"BS": ["YQ==", "YmM="]},
                "deep": {"L": [{"M": {"x": {"B": "ZGVlcA=="}}}, {"N": "1E+2"}, {"NULL": True}]},
                "text": {"S": "ไทย \ud800 \x00"},
            },
            "SequenceNumber": "100000000000000000001",
            "SizeBytes": 9,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": STREAM,
    }


def test_a_ttl_removal_keeps_who_did_it() -> None:
    """GetRecords writes Type and PrincipalId, the function reads type and principalId."""
    event = from_stream(userIdentity={"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"})
    assert event["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def test_each_reader_has_its_own_event() -> None:
    """A function that changes its event changes nothing that is delivered again."""
    one = record(1)
    one.event()["dynamodb"].clear()
    assert one.event()["dynamodb"]["SequenceNumber"] == one.sequence_number


def test_an_item_is_its_keys_whatever_their_order() -> None:
    """Two records speak of one item if their key attributes are equal, and only then."""
    keys = core_keys("p", "s")
    backwards = dict(reversed(keys.items()))
    assert Record(stream_record(keys)).item == Record(stream_record(backwards)).item
    assert Record(stream_record(keys)).item != Record(stream_record(core_keys("s", "p"))).item


def test_an_item_has_the_same_lane_in_every_process() -> None:
    """Lanes don't depend on Python's seeded hash, and all of them are used."""
    lanes = [record(1, item=f"i{number}").lane(4) for number in range(12)]
    assert lanes == [2, 3, 1, 0, 1, 0, 2, 3, 1, 0, 2, 3]
