"""Messages of lanes: how much is in one, and what is none."""

import json
from typing import Any

import pytest

from sync.errors import RecordError
from sync.lanes.messages import Action, pack, read
from tests.records import core_keys
from tests.unit.lanes.things import op

EMPTY = '{"schema":1,"actions":[]}'
SOUND: Any = {
    "action": "upsert",
    "collection": "c",
    "id": "1",
    "version": 1,
    "source": {"table": "t", "keys": core_keys("THING", "1")},
}


def of(**changes: Any) -> str:
    """A message with one action, which is sound but for *changes*."""
    return json.dumps({"schema": 1, "actions": [{**SOUND, **changes}]})


def test_a_sound_action_is_read() -> None:
    """Those below differ from it in one place."""
    (action,) = read(of())
    assert (action.action, action.collection, action.id, action.version) == ("upsert", "c", "1", 1)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("", "JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"),
        ("[]", "TypeError('list indices must be integers or slices, not str')"),
        ("{}", "KeyError('schema')"),
        ('{"schema":1}', "KeyError('actions')"),
        ('{"schema":1,"actions":[{}]}', "KeyError('action')"),
        (of(action="patch"), "ValueError(\"neither an upsert nor a delete: 'patch'\")"),
        (
            of(action="delete", document="{}"),
            "ValueError(\"neither an upsert nor a delete: 'delete'\")",
        ),
        (
            of(document={}),
            "TypeError('the keys are malformed, or the document is not a string')",
        ),
        (
            of(source={"table": "t", "keys": None}),
            "TypeError('the keys are malformed, or the document is not a string')",
        ),
        (of(source={**SOUND["source"], "table": None}), "TypeError('expected a string')"),
        (of(id=1), "TypeError('expected a string')"),
        (of(collection=None), "TypeError('expected a string')"),
        (of(since=-1), "ValueError('no time between 1970 and 9999: -1.0')"),
    ],
)
def test_what_is_no_message_is_told_with_its_fault(body: str, cause: str) -> None:
    """The line of an unreadable message is all that a person has to go by."""
    with pytest.raises(RecordError) as told:
        read(body)
    assert str(told.value) == f"not a message of actions: {cause}"


def test_a_message_of_a_newer_release_is_told_with_both_schemas() -> None:
    """Its meaning isn't known here; the rest of it is not looked at."""
    with pytest.raises(RecordError) as told:
        read('{"schema":2,"actions":[{}]}')
    assert str(told.value) == "a message of schema 2; this is 1"


@pytest.mark.parametrize(("over", "messages"), [(0, 1), (1, 2)])
def test_actions_that_fill_a_message_to_the_byte_share_it(over: int, messages: int) -> None:
    """One byte more makes two messages; each has its ops, in order."""
    room = 250_000 - len(EMPTY) - len(",,")
    texts = ["x" * 1_000, "y" * 1_000, "z" * (room - 2_000 + over)]
    ops = [op(n, "") for n in range(3)]
    packed = list(pack(zip(ops, texts, strict=True)))
    assert [one for _, some in packed for one in some] == ops
    bodies = [body for body, _ in packed]
    assert len(bodies) == messages
    assert bodies[0].startswith('{"schema":1,"actions":[xxx')
    assert bodies[-1].endswith("zzz]}")
    assert sum(map(len, bodies)) == 250_000 + (0 if messages == 1 else len(EMPTY))


def test_an_action_travels_as_this_json() -> None:
    """Releases before and after this one read it."""
    (action,) = read(of(document='{"a":1}', since=7.5))
    assert json.loads(action.text()) == {**SOUND, "document": '{"a":1}', "since": 7.5}
    assert json.loads(Action.of(op(1, None)).text())["action"] == "delete"
