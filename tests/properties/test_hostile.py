"""Whatever arrives between sound events: no sound one is lost, none raises, and each is told of."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.runtime.jsontext import compact
from tests.lengths import cases
from tests.properties.hostile import World, altered, messages, product, records

pytestmark = pytest.mark.soak
MANY = settings(
    max_examples=cases(100, 2000),
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
BODIES = {
    f"{queue} {n}": (queue, body)
    for queue, bodies in messages().items()
    for n, body in enumerate(bodies)
}


@pytest.mark.parametrize("kind", range(len(records())))
@MANY
@given(st.data())
def test_a_stream_record_that_was_altered_costs_no_other(kind: int, data: Any) -> None:
    """Those around it are written; it is written itself, wanted by nobody, or kept as a letter."""
    world = World()
    odd = data.draw(altered(records()[kind]))
    event = {"Records": [product("before"), odd, product("after")]}
    assert world.handle(event) == {"batchItemFailures": []}
    held = {id_ for _, id_ in world.search.documents}
    assert {"before", "after"} <= held
    for message in world.cloud.published:
        message.encode()
        assert message.count('"record":') or '"payload":' in message


@pytest.mark.parametrize("kind", BODIES)
@MANY
@given(st.data())
def test_a_message_that_was_altered_costs_no_other(kind: str, data: Any) -> None:
    """It is handled, kept, or comes again alone, to end in the dead-letter queue; no other does."""
    queue, sound = BODIES[kind]
    world = World()
    odd = compact(data.draw(altered(sound)))
    again = world.receive(queue, [compact(sound), odd, compact(sound)])
    assert again <= ({"m1"} if "dead" not in queue else set())


@pytest.mark.parametrize("queue", sorted({queue for queue, _ in BODIES.values()}))
@MANY
@given(st.data())
def test_a_text_that_is_no_message_costs_no_other(queue: str, data: Any) -> None:
    """Cut, or with other characters in between."""
    _, body = BODIES[f"{queue} 0"]
    sound = compact(body)
    at, length = data.draw(st.integers(0, len(sound))), data.draw(st.integers(0, 20))
    odd = sound[:at] + data.draw(st.text(max_size=5) | st.just("\ud800")) + sound[at + length :]
    again = World().receive(queue, [sound, odd, sound])
    assert again <= ({"m1"} if "dead" not in queue else set())


@MANY
@given(st.data())
def test_a_given_up_batch_that_was_altered_is_kept(data: Any) -> None:
    """Each record that can be made out has its row; the rest stays whole."""
    world = World()
    payload = {"Records": data.draw(altered([product("a"), product("b")]))}
    document = {
        "requestContext": {"condition": "c", "approximateInvokeCount": 4},
        "timestamp": "2026-11-21T08:00:00.000Z",
        "payload": compact(payload),
    }
    world.cloud.objects["aws/lambda/one"] = compact(
        data.draw(altered(document) | st.just(document))
    ).encode()
    held = {"bucket": {"name": "b"}, "object": {"key": "aws/lambda/one", "size": 1}}
    assert world.receive("dead letters", [json.dumps({"Records": [{"s3": held}]})]) == set()
    assert world.cloud.rows
