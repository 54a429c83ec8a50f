"""Records, settings and answers for the delivery tests, and a hand that turns one lane."""

import json
from collections.abc import Sequence

from local.delivery.lane import Lane
from local.delivery.ports import Answered, Result
from local.delivery.records import Record
from local.delivery.settings import MappingSettings
from local.delivery.steps import Discard, Idle, Invoke, Wait
from tests.records import core_keys, stream_record

NOW = 1_800_000_000
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/label"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"

OK = Answered(b"null", request_id="ok")
ERROR = Answered(b'{"errorMessage": "boom"}', error="Unhandled", request_id="error")

Trace = list[list[int] | dict[str, list[int]]]


def record(number: int, *, item: str = "a", created_s: int = NOW, filler: int = 0) -> Record:
    keys = core_keys("P", item)
    new = {"filler": {"S": "x" * filler}}
    return Record(stream_record(keys, new, created_s=created_s, number=number))


def records(first: int, last: int, *, created_s: int = NOW) -> list[Record]:
    return [record(number, created_s=created_s) for number in range(first, last + 1)]


def mapping(**settings: object) -> MappingSettings:
    names = {"stream_arn": STREAM, "function_arn": FUNCTION, "batch_size": 10}
    return MappingSettings(**{**names, **settings})  # type: ignore[arg-type] # checked at run time


def lane(*offered: Record, now: float = NOW, **settings: object) -> Lane:
    one = Lane(mapping(**settings), "shard-1")
    one.offer(offered, now)
    return one


def numbers(some: Sequence[Record]) -> list[int]:
    return [int(one.sequence_number) for one in some]


def failed(*of: int) -> Answered:
    """The partial batch response that names the records with these numbers."""
    items = [{"itemIdentifier": f"{number:021d}"} for number in of]
    return Answered(json.dumps({"batchItemFailures": items}).encode(), request_id="partial")


def play(one: Lane, *results: Result, now: float = NOW) -> Trace:
    """Turn *one* until it is idle, giving *results* in turn and success after them.

    Returns the batches it invoked with, and what it discarded by condition, as numbers. Time
    jumps to the end of each wait.
    """
    left = list(results)
    trace: Trace = []
    while True:
        match one.next(now):
            case Invoke(batch):
                trace.append(numbers(batch))
                one.answered(left.pop(0) if left else OK, now)
            case Discard(discarded):
                condition = discarded.document["requestContext"]["condition"]
                trace.append({condition: numbers(discarded.records)})
                one.sent()
            case Wait(until):
                assert until > now, "a wait that is over at once would spin"
                now = until
            case Idle():
                return trace
