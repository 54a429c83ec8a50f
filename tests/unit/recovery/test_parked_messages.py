"""Messages of parked keys: their JSON, their ages, and what is none."""

import json
from typing import Any

import pytest

from sync.errors import RecordError
from sync.recovery.parking import YEAR_10000_S, ParkedMessage, merged, moment
from tests.records import CORE, core_keys
from tests.unit.recovery.resyncing import key

SOUND = {"table": CORE, "keys": core_keys("THING", "1"), "after": 5}


def a_body(**changes: Any) -> str:
    """A message of one key, which is sound but for *changes*."""
    sound = {"schema": 1, "sink": "s", "tries": 0, "since": 0, "keys": [SOUND]}
    return json.dumps({**sound, **changes})


def test_a_sound_message_is_read() -> None:
    """Those below differ from it in one place."""
    message = ParkedMessage("s", (key(1, after=5, since_s=0.0),), 0, 0.0)
    assert ParkedMessage.read(a_body()) == message


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("", "JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"),
        ("[]", "TypeError('list indices must be integers or slices, not str')"),
        ("{}", "KeyError('schema')"),
        (a_body(sink=5), "TypeError('the sink is not a string')"),
        (a_body(keys=[{"table": CORE}]), "KeyError('keys')"),
        (a_body(keys=[{**SOUND, "keys": {}}]), "ValueError('malformed keys, or no table')"),
        (a_body(keys=[{**SOUND, "table": 5}]), "ValueError('malformed keys, or no table')"),
        (a_body(since=-1), "ValueError('no time between 1970 and 9999: -1.0')"),
        (
            a_body(keys=[{**SOUND, "since": 67_768_036_191_676_796}]),
            "ValueError('no time between 1970 and 9999: 6.77680361916768e+16')",
        ),
        (a_body(since=float("inf")), "ValueError('no time between 1970 and 9999: inf')"),
        (a_body(since=float("nan")), "ValueError('no time between 1970 and 9999: nan')"),
    ],
)
def test_what_is_no_message_is_told_with_its_fault(body: str, cause: str) -> None:
    """The line of an unreadable message is all that a person has to go by."""
    with pytest.raises(RecordError) as told:
        ParkedMessage.read(body)
    assert str(told.value) == f"not a message of parked keys: {cause}"


def test_a_message_is_json_that_an_older_release_reads() -> None:
    """Schema 1, unless it is for all sinks; a key's age only where it is not the message's."""
    keys = key(1, after=5), key(2, since_s=1.0), key(3, since_s=9.0)
    sent = ParkedMessage("memory", keys, 2, 9.0)
    assert json.loads(sent.body()) == {
        "schema": 1,
        "sink": "memory",
        "tries": 2,
        "since": 9.0,
        "keys": [
            {"table": CORE, "keys": core_keys("THING", "1"), "after": 5},
            {"table": CORE, "keys": core_keys("THING", "2"), "after": 0, "since": 1.0},
            {"table": CORE, "keys": core_keys("THING", "3"), "after": 0},
        ],
    }
    of_all = json.loads(ParkedMessage(None, (), 0, 9.0).body())
    assert (of_all["schema"], of_all["sink"]) == (2, None)


def test_what_was_sent_is_read_with_the_age_of_each_key() -> None:
    """Its own, or that of its message."""
    sent = ParkedMessage(None, (key(1, after=5), key(2, since_s=1.0)), 2, 9.0)
    keys = key(1, after=5, since_s=9.0), key(2, since_s=1.0)
    assert ParkedMessage.read(sent.body()) == ParkedMessage(None, keys, 2, 9.0)


def test_a_message_is_as_old_as_its_youngest_key() -> None:
    """Its delay follows from that; an empty one is as old as itself."""
    assert ParkedMessage("s", (key(1, since_s=1.0), key(2, since_s=5.0)), 0, 9.0).youngest == 5.0
    assert ParkedMessage("s", (key(1), key(2, since_s=5.0)), 0, 9.0).youngest == 9.0
    assert ParkedMessage("s", (), 0, 9.0).youngest == 9.0


def test_a_newer_message_is_refused_with_its_schema() -> None:
    """A rollback leaves it in its queue, and the line says why."""
    with pytest.raises(RecordError, match=r"^a message of schema 3; this is 2$"):
        ParkedMessage.read(a_body(schema=3, keys=[{}]))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (-0.1, ValueError),
        (YEAR_10000_S, ValueError),
        (float("inf"), ValueError),
        (float("nan"), ValueError),
        ("x", ValueError),
        (None, TypeError),
    ],
)
def test_what_is_no_moment_is_refused(value: Any, kind: type[Exception]) -> None:
    """Only what an ISO date can tell is one."""
    with pytest.raises(kind):
        moment(value)


def test_moments_reach_from_1970_to_9999() -> None:
    """Both ends included, and whole seconds as well as texts of numbers."""
    assert [moment(value) for value in (0, YEAR_10000_S - 1, "5")] == [0.0, YEAR_10000_S - 1, 5.0]


def test_copies_of_a_key_become_one() -> None:
    """The longest wait, and the oldest age, whichever message has it; none, if no copy has one."""
    one = key(1, after=5, since_s=3.0), key(2, after=5, since_s=1.0), key(4), key(5)
    two = key(1, after=4, since_s=2.0), key(2, after=6, since_s=4.0), key(4), key(5, since_s=7.0)
    both = merged(
        [ParkedMessage("s", one, 2, 3.0), ParkedMessage("s", (*two, key(3, since_s=9.0)), 7, 9.0)]
    )
    assert set(both.keys) == {
        key(1, after=5, since_s=2.0),
        key(2, after=6, since_s=1.0),
        key(3, since_s=9.0),
        key(4),
        key(5, since_s=7.0),
    }
    assert (both.sink, both.tries, both.since_s) == ("s", 7, 9.0)
