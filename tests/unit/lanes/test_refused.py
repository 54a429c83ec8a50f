"""What SQS answers about single messages of a call, and what is made of it."""

from typing import Any

import pytest

from sync.errors import Misconfigured, Unavailable
from sync.runtime.deadline import Deadline
from sync.writing.op import Done
from tests.doubles.clocks import ManualClock
from tests.doubles.fifo import Fifo
from tests.unit.lanes.test_sender import put, write

TRIED = "sending to the queue of typesense"


class Refusing(Fifo):
    """Answers the first entries of calls with these refusals, one for each call."""

    def __init__(self, *refusals: dict[str, Any]) -> None:
        super().__init__()
        self.refusals = list(refusals)

    def send_message_batch(self, **call: Any) -> Any:
        answer = super().send_message_batch(**call)
        if self.refusals:
            refused = answer["Successful"].pop(0)
            answer["Failed"] = [{**refused, **self.refusals.pop(0)}]
        return answer


@pytest.mark.parametrize(
    ("refusal", "kind", "message", "calls"),
    [
        ({"Code": "Invalid", "Message": "no", "SenderFault": True}, Misconfigured, "no", 1),
        ({"Code": "Busy", "Message": "later", "SenderFault": False}, Unavailable, "later", 3),
        ({"Code": "Busy"}, Unavailable, "", 3),
    ],
)
def test_a_refusal_says_whose_fault_it_is(
    refusal: dict[str, Any], kind: type[Exception], message: str, calls: int
) -> None:
    """Ours is told at once, and the queue's after three tries; with its code and message."""
    fifo = Refusing(*[refusal] * 3)
    ((_, error),) = write(fifo, put("1"))
    assert type(error) is kind
    assert str(error) == f"{TRIED}: {refusal['Code']}: {message}"
    assert len(fifo.calls) == calls


def test_what_is_our_fault_is_tried_again_beside_what_is_not() -> None:
    """Only a call that is refused for our fault alone is the last; the other message is sent."""
    ours = {"Code": "Invalid", "SenderFault": True}
    fifo = Refusing(ours, ours)
    first = iter([["1"]])
    fifo.trouble = lambda moment, _: next(first, []) if moment == "before" else ()
    outcomes = write(fifo, put(0), put(1))
    assert [len({entry["MessageGroupId"] for entry in call}) for call in fifo.calls] == [2, 2]
    assert {op.id: type(result) for op, result in outcomes} == {"0": Misconfigured, "1": Done}


def test_an_answer_without_a_message_is_told_as_such() -> None:
    """It may be in the queue or not."""

    class Forgetful(Fifo):
        def send_message_batch(self, **call: Any) -> Any:
            super().send_message_batch(**call)
            return {"Successful": [], "Failed": []}

    ((_, error),) = write(Forgetful(), put("1"))
    assert str(error) == f"{TRIED}: the message is missing in the response"


def test_without_time_each_op_is_told_so() -> None:
    """And nothing is sent."""
    fifo = Fifo()
    outcomes = write(fifo, put("1"), put("2"), deadline=Deadline(0))
    assert [str(error) for _, error in outcomes] == ["no time is left"] * 2
    assert fifo.calls == []


def test_waits_between_tries_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a tenth of a second; there are three tries in all."""
    monkeypatch.setattr("sync.runtime.retry.random.uniform", lambda _least, most: most)
    clock = ManualClock()
    deadline = Deadline(60, clock=clock.monotonic, sleep=clock.sleep)
    write(Refusing(*[{"Code": "Busy"}] * 3), put("1"), deadline=deadline)
    assert clock.slept == [0.1, 0.2]
