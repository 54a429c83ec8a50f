"""Reading items back."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.aws.items import Items
from sync.aws.keys import Source
from sync.errors import Misconfigured, Throttled
from sync.runtime.deadline import Deadline
from tests.doubles.clocks import ManualClock
from tests.records import CORE, core_keys

Answer = Callable[[str, list[Any]], Mapping[str, Any]]


class DynamoDb:
    """Holds items by range key; *unprocessed* is how many keys each answer leaves."""

    def __init__(self, items: Mapping[str, Any], *, unprocessed: int = 0) -> None:
        self.items = items
        self.calls: list[Any] = []
        self._unprocessed = unprocessed

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N803
        self.calls.append(RequestItems)
        ((table, request),) = RequestItems.items()
        if table == "gone":
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no such table"}}
            raise ClientError(error, "BatchGetItem")  # type: ignore[arg-type]  # all that is read
        assert request["ConsistentRead"] is True
        assert len(request["Keys"]) <= 100
        keys = request["Keys"][self._unprocessed :]
        left = request["Keys"][: self._unprocessed]
        found = [self.items[k["SK"]["S"]] for k in keys if k["SK"]["S"] in self.items]
        answer: dict[str, Any] = {"Responses": {table: found}}
        if left:
            answer["UnprocessedKeys"] = {table: {"Keys": left}}
        return answer


def source(n: int, table: str = CORE) -> Source:
    return Source(table, core_keys("A", str(n)))


def item(n: int, **attributes: Any) -> Any:
    return {**core_keys("A", str(n)), **attributes}


def items(dynamodb: DynamoDb) -> Items:
    return Items({"dynamodb": dynamodb}.__getitem__)


def deadline(seconds: float = 30.0) -> Deadline:
    clock = ManualClock()
    return Deadline(seconds, clock=clock.monotonic, sleep=clock.sleep)


def test_items_and_absences_are_told_apart() -> None:
    """An absent item is an answer: its documents are to go."""
    found = items(DynamoDb({"1": item(1, name={"S": "x"})})).read(
        [source(1), source(2)], deadline()
    )
    assert found == {source(1): item(1, name={"S": "x"}), source(2): None}


def test_many_keys_take_few_requests() -> None:
    """A hundred a request; the same key once."""
    dynamodb = DynamoDb({str(n): item(n) for n in range(250)})
    sources = [source(n) for n in range(250)]
    found = items(dynamodb).read(sources + sources, deadline())
    assert found == {source(n): item(n) for n in range(250)}
    assert len(dynamodb.calls) == 3


def test_unprocessed_is_not_absent() -> None:
    """It is asked for again."""
    dynamodb = DynamoDb({str(n): item(n) for n in range(5)}, unprocessed=2)
    dynamodb._unprocessed = 2
    asked = dynamodb.batch_get_item

    def once(**call: Any) -> Any:
        answer = asked(**call)
        dynamodb._unprocessed = 0
        return answer

    dynamodb.batch_get_item = once  # type: ignore[method-assign]
    found = items(dynamodb).read([source(n) for n in range(5)], deadline())
    assert found == {source(n): item(n) for n in range(5)}


def test_what_stays_unprocessed_is_retry_not_absent() -> None:
    """Once time is up."""
    dynamodb = DynamoDb({}, unprocessed=1)
    found = items(dynamodb).read([source(1), source(2)], deadline(3.0))
    assert isinstance(found[source(1)], Throttled)
    assert found[source(2)] is None


def test_a_table_that_is_gone_spoils_its_own_items_only() -> None:
    """The error names it."""
    found = items(DynamoDb({"1": item(1)})).read([source(1, "gone"), source(1)], deadline())
    assert isinstance(found[source(1, "gone")], Misconfigured)
    assert "gone" in str(found[source(1, "gone")])
    assert found[source(1)] == item(1)


@pytest.mark.parametrize("value", [{"B": b"\x00\xff"}, {"BS": [b"a"]}, {"L": [{"B": b"a"}]}])
def test_binary_values_are_text_as_in_a_stream_record(value: Any) -> None:
    """One shape for the codec, wherever an item comes from."""
    found = items(DynamoDb({"1": item(1, data=value)})).read([source(1)], deadline())
    read = found[source(1)]
    assert isinstance(read, dict)
    json.dumps(read)  # bytes would not pass


def test_binary_keys_are_asked_for_as_bytes() -> None:
    """And found again in the answer."""

    class Binary(DynamoDb):
        def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N803
            assert RequestItems["t"]["Keys"] == [{"id": {"B": b"\x00"}}]
            return {"Responses": {"t": [{"id": {"B": b"\x00"}, "n": {"N": "1"}}]}}

    key = Source("t", {"id": {"B": "AA=="}})
    assert items(Binary({})).read([key], deadline()) == {
        key: {"id": {"B": "AA=="}, "n": {"N": "1"}}
    }


@pytest.mark.parametrize("written", ["1000", "1000.0", "1E3", "+1000", "01000"])
def test_a_number_is_found_however_it_is_written(written: str) -> None:
    """DynamoDB takes 1E3 for the key 1000 and answers with 1000; taken for another key, the item
    would seem to be gone, and a resync would delete its document."""

    class Numeric(DynamoDb):
        def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N803
            found = [
                {"n": {"N": "1000"}, "name": {"S": "alive"}}
                for key in RequestItems["t"]["Keys"]
                if Decimal(key["n"]["N"]) == 1000
            ]
            return {"Responses": {"t": found}}

    key = Source("t", {"n": {"N": written}})
    plain = Source("t", {"n": {"N": "1000"}})
    assert key == plain
    assert hash(key) == hash(plain)
    found = items(Numeric({})).read([key, plain], deadline())
    assert found == {key: {"n": {"N": "1000"}, "name": {"S": "alive"}}}
