"""Keys that wait on a queue for their sink."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.keys import Source
from sync.errors import Misconfigured, Throttled, Unavailable
from sync.recovery.parking import (
    LIFETIME_S,
    LONGEST_DELAY_S,
    SAME_AGE_S,
    Parked,
    ParkedMessage,
    Parking,
    expiry,
)
from sync.writing.metrics import Metrics
from tests.doubles.clocks import ManualClock
from tests.records import CORE, core_keys

QUEUE = "https://queue"


class Sqs:
    """Keeps what is sent; *failing* entries are refused, *error* refuses all."""

    def __init__(self, *, error: Exception | None = None, failing: tuple[str, ...] = ()) -> None:
        self.calls: list[Any] = []
        self._error = error
        self._failing = failing

    def send_message_batch(self, **call: Any) -> Mapping[str, Any]:
        if self._error:
            raise self._error
        self.calls.append(call)
        failed = [
            {"Id": n, "Code": "InternalError", "Message": "try later", "SenderFault": False}
            for n in self._failing
        ]
        return {"Failed": failed} if failed else {}

    @property
    def entries(self) -> list[Any]:
        return [entry for call in self.calls for entry in call["Entries"]]

    @property
    def messages(self) -> list[ParkedMessage]:
        return [ParkedMessage.read(entry["MessageBody"]) for entry in self.entries]


def parking(sqs: Sqs, *, delay_s: float = 40.0, clock: ManualClock | None = None) -> Parking:
    return Parking(QUEUE, {"sqs": sqs}.__getitem__, clock or ManualClock(), delay_s=delay_s)


def key(n: int = 1, *, after: int = 0, width: int = 0, since_s: float | None = None) -> Parked:
    return Parked(Source(CORE, core_keys("A", str(n).rjust(width, "0"))), after, since_s)


def test_a_message_says_sink_keys_and_versions() -> None:
    """And no body: items are read anew when their time comes."""
    sqs = Sqs()
    assert list(parking(sqs).park("memory", [key(1, after=5), key(2, after=6)])) == []
    (message,) = sqs.messages
    now = 1_800_000_000.0
    keys = key(1, after=5, since_s=now), key(2, after=6, since_s=now)
    assert message == ParkedMessage("memory", keys, 0, now)


def test_a_key_that_was_parked_before_keeps_its_age() -> None:
    """Else a sink whose own worker parks would be asked for ever, and never more rarely."""
    sqs, clock = Sqs(), ManualClock()
    old, older = clock.now - 1_000, clock.now - 2_000
    keys = [key(1, since_s=old), key(2), key(3, since_s=older), key(4, since_s=old)]
    assert list(parking(sqs, clock=clock).park("memory", keys)) == []
    ages = {m.youngest: [k.source.keys["SK"]["S"] for k in m.keys] for m in sqs.messages}
    assert ages == {clock.now: ["2"], old: ["1", "4", "3"]}
    assert [k.since_s for k in sqs.messages[1].keys] == [old, old, older]
    fresh, aged = (entry["DelaySeconds"] for entry in sqs.entries)
    assert fresh <= 61
    assert aged >= 250


@given(st.lists(st.floats(0, LIFETIME_S), min_size=1, max_size=30))
def test_keys_of_very_different_ages_do_not_share_a_message(ages: list[float]) -> None:
    """What waits for a day is not tried as often as what came just now."""
    sqs, clock = Sqs(), ManualClock()
    keys = [key(n, since_s=clock.now - age) for n, age in enumerate(ages)]
    assert list(parking(sqs, clock=clock).park("memory", keys)) == []
    assert sorted(k.source.keys["SK"]["S"] for m in sqs.messages for k in m.keys) == sorted(
        k.source.keys["SK"]["S"] for k in keys
    )
    for message in sqs.messages:
        waited = [clock.now - (k.since_s or 0) for k in message.keys]
        assert max(waited) <= 4 * min(waited) + SAME_AGE_S + 1e-6


def test_keys_of_another_age_are_given_back_too() -> None:
    """Whoever parks them knows them by what was given."""
    sqs = Sqs(failing=("1",))
    keys = [key(1), key(2, since_s=1.0)]
    assert [k for k, _ in parking(sqs).park("memory", keys)] == [key(2, since_s=1.0)]


def test_a_batch_of_keys_takes_one_call() -> None:
    """A failing sink must not cost a call for each record."""
    sqs = Sqs()
    assert list(parking(sqs).park("memory", [key(n) for n in range(100)])) == []
    assert len(sqs.calls) == 1


def test_long_keys_are_spread_over_messages_that_fit() -> None:
    """None is lost, none doubled, and each call is below the limit."""
    sqs = Sqs()
    keys = [key(n, width=1000) for n in range(3_000)]
    assert list(parking(sqs).park("memory", keys)) == []
    assert [k.source for message in sqs.messages for k in message.keys] == [k.source for k in keys]
    for call in sqs.calls:
        assert sum(len(entry["MessageBody"]) for entry in call["Entries"]) <= 250_000


@pytest.mark.parametrize(("over", "messages"), [(0, 1), (1, 2)])
def test_keys_that_fill_a_message_to_the_byte_share_it(over: int, messages: int) -> None:
    """One byte more makes two messages; each key counts with its table and its age."""
    sqs, clock = Sqs(), ManualClock()
    aged = [key(n, since_s=clock.now - 0.5) for n in range(3)]
    fresh = ParkedMessage("memory", (*aged, key(4, since_s=clock.now)), 0, clock.now)
    filled = key(4, width=250_000 - len(fresh.body()) + 1 + over, since_s=clock.now)
    assert list(parking(sqs, clock=clock).park("memory", [*aged, filled])) == []
    assert len(sqs.messages) == messages
    sizes = [len(entry["MessageBody"]) for entry in sqs.entries]
    assert sizes == [250_000] if messages == 1 else sum(sizes) > 250_000


def test_a_call_has_ten_messages_at_most() -> None:
    """SQS takes no more, however small they are."""
    sqs, clock = Sqs(), ManualClock()
    keys = [key(n, since_s=clock.now - 100 * 5**n) for n in range(11)]  # each of another age
    assert list(parking(sqs, clock=clock).park("memory", keys)) == []
    assert [len(call["Entries"]) for call in sqs.calls] == [10, 1]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url=QUEUE), Unavailable),
        (ClientError({"Error": {"Code": "RequestThrottled"}}, "SendMessageBatch"), Throttled),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessageBatch"), Misconfigured),
    ],
)
def test_keys_that_cannot_be_sent_are_given_back(error: Exception, kind: type[Exception]) -> None:
    """With the reason, so that their records can come again."""
    given_back = list(parking(Sqs(error=error)).park("memory", [key(1), key(2)]))
    assert [k for k, _ in given_back] == [key(1), key(2)]
    assert {(type(cause), str(cause)) for _, cause in given_back} == {(kind, f"parking: {error}")}


def test_a_call_that_fails_harms_no_other() -> None:
    """The keys of the next one are parked."""

    class FailsOnce(Sqs):
        def send_message_batch(self, **call: Any) -> Mapping[str, Any]:
            answer = super().send_message_batch(**call)
            if len(self.calls) == 1:
                raise EndpointConnectionError(endpoint_url=QUEUE)
            return answer

    sqs = FailsOnce()
    keys = [key(n, width=1000) for n in range(300)]  # more than one call holds
    given_back = [k.source for k, _ in parking(sqs).park("memory", keys)]
    first, second = ([k.source for k in message.keys] for message in sqs.messages)
    assert (given_back, first + second) == (first, [k.source for k in keys])


def test_entries_that_sqs_refuses_are_given_back() -> None:
    """SendMessageBatch answers 200 and names them, each with its cause."""
    sqs = Sqs(failing=("0",))
    given_back = list(parking(sqs).park("memory", [key(1), key(2)]))
    assert [k for k, _ in given_back] == [key(1), key(2)]
    assert {str(cause) for _, cause in given_back} == {"parking: InternalError: try later"}


@given(st.floats(0.5, 900), st.floats(0, LIFETIME_S))
def test_the_delay_grows_and_is_never_shorter_than_the_least(least: float, waited: float) -> None:
    """A request without an answer has to be over when the key is tried again."""
    sqs, clock = Sqs(), ManualClock()
    message = ParkedMessage("memory", (key(),), 1, clock.now - waited)
    waiting = parking(sqs, delay_s=least, clock=clock)
    assert list(waiting.again(message, message.keys)) == []
    delay = sqs.entries[0]["DelaySeconds"]
    assert min(LONGEST_DELAY_S, max(least, waited / 4)) <= delay <= LONGEST_DELAY_S
    assert delay <= max(least, waited / 4) * 1.5 + 2


def test_parking_again_keeps_the_first_time_and_counts() -> None:
    """So that two weeks end, whatever happens on the way."""
    sqs, clock = Sqs(), ManualClock()
    waiting = parking(sqs, clock=clock)
    message = ParkedMessage("memory", (key(),), 3, clock.now)
    clock.now += LIFETIME_S - 1
    assert not waiting.expired(message.since_s)
    assert list(waiting.again(message, message.keys)) == []
    assert sqs.messages[0].since_s == message.since_s
    assert sqs.messages[0].tries == 4
    clock.now += 2
    assert waiting.expired(sqs.messages[0].since_s)


def test_fourteen_days_less_an_hour_are_not_over_until_they_are() -> None:
    """To the second: SQS drops a message after fourteen days without a word."""
    clock = ManualClock()
    waiting = parking(Sqs(), clock=clock)
    assert not waiting.expired(clock.now - LIFETIME_S)
    assert waiting.expired(clock.now - LIFETIME_S - 1)
    assert LIFETIME_S == 14 * 24 * 3600 - 3600


def test_the_letter_of_an_expired_key_says_what_still_fails() -> None:
    """With that error as its cause."""
    down = Unavailable("503")
    expired = expiry(down)
    assert str(expired) == "parked for 14 days, and still: 503"
    assert expired.__cause__ is down


@pytest.mark.parametrize(("waited_s", "least_s"), [(0, 40), (160, 40), (400, 100), (10**6, 900)])
@pytest.mark.parametrize("jitter", [1.0, 1.5])
def test_a_delay_is_a_quarter_of_the_wait_and_up_to_half_as_much_again(
    waited_s: float, least_s: float, jitter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never below what a lost request may take, nor above what SQS can."""
    monkeypatch.setattr("sync.recovery.parking.random.uniform", lambda *ends: ends[jitter != 1.0])
    sqs, clock = Sqs(), ManualClock()
    list(parking(sqs, clock=clock).park("memory", [key(since_s=clock.now - waited_s)]))
    (entry,) = sqs.entries
    assert entry["DelaySeconds"] == min(900, least_s * jitter)


@pytest.mark.parametrize("ages", [(100.0, 460.0, 461.0), (0.0, 60.0, 61.0)])
def test_keys_that_waited_four_times_as_long_and_a_minute_are_the_oldest_of_a_message(
    ages: tuple[float, float, float],
) -> None:
    """One second more makes another message."""
    sqs, clock = Sqs(), ManualClock()
    keys = [key(n, since_s=clock.now - age) for n, age in enumerate(ages)]
    assert list(parking(sqs, clock=clock).park("s", keys)) == []
    found = [[clock.now - (k.since_s or 0) for k in m.keys] for m in sqs.messages]
    assert found == [[*ages[:2]], [ages[2]]]


def test_keys_of_a_clock_that_is_ahead_share_a_message() -> None:
    """Whoever parked them first may have been in another function, or its clock was set back."""
    sqs, clock = Sqs(), ManualClock()
    keys = [key(n, since_s=clock.now + 100) for n in range(3)]
    assert list(parking(sqs, clock=clock).park("s", keys)) == []
    assert [len(message.keys) for message in sqs.messages] == [3]


def test_a_thousand_keys_are_one_message() -> None:
    """As many as a worker resyncs well within its time; one more makes another."""
    sqs = Sqs()
    list(parking(sqs).park("memory", [key(n) for n in range(1_001)]))
    assert [len(m.keys) for m in sqs.messages] == [1_000, 1]
    assert {call["QueueUrl"] for call in sqs.calls} == {QUEUE}


def test_what_is_parked_is_counted_for_its_sink() -> None:
    """Also what can't be sent: the alarm is about what waits, or should."""
    lines: list[str] = []
    clock = ManualClock()
    metrics = Metrics("test", clock, emit=lines.append)
    waiting = Parking(QUEUE, {"sqs": Sqs()}.__getitem__, clock, delay_s=40, metrics=metrics)
    list(waiting.park("memory", [key(1), key(2)]))
    list(waiting.again(ParkedMessage("memory", (), 1, clock.now), [key(3)]))
    metrics.flush()
    (line,) = map(json.loads, lines)
    assert (line["sink"], line["parked"]) == ("memory", 3)


def test_a_refused_entry_without_a_message_is_told_by_its_code() -> None:
    """The keys of that message alone are given back."""

    class Terse(Sqs):
        def send_message_batch(self, **call: Any) -> Mapping[str, Any]:
            return {"Failed": [{"Id": "1", "Code": "Busy"}]}

    clock = ManualClock()
    keys = [key(1, since_s=clock.now), key(2, since_s=clock.now - 10_000)]
    ((given_back, error),) = parking(Terse(), clock=clock).park("memory", keys)
    assert (given_back, str(error)) == (keys[1], "parking: Busy: ")
