"""Each wait lies above what it waits for, whatever the timeouts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import ConfigError
from sync.runtime import waits
from sync.service import Service
from sync.sinks.opensearch.mapping import GC_DELETES_S
from tests.doubles.clocks import ManualClock
from tests.settings import ENV

TIMEOUTS = st.floats(0.1, 300.0)  # what settings allow


EFFECTS = TIMEOUTS.map(waits.effect_s)
SOME_SINKS = st.fixed_dictionaries({"a": EFFECTS}, optional={"b": EFFECTS})
SINKS: st.SearchStrategy[dict[str, float]] = st.just({}) | SOME_SINKS


@given(TIMEOUTS)
def test_an_effect_may_outlast_its_caller(timeout_s: float) -> None:
    """A caller gives up after its timeout; the server works on for as long again at most."""
    assert waits.effect_s(timeout_s) == 2 * timeout_s


@given(SINKS)
def test_a_parked_key_waits_for_every_sinks_requests(sinks: dict[str, float]) -> None:
    """No request that was under way when it was parked is under way when it is resynced."""
    delay_s = waits.park_delay_s(sinks, None)
    assert all(delay_s > effect_s for effect_s in sinks.values())


@given(SOME_SINKS, st.floats(0.0, 1.0))
def test_a_delay_that_breaks_the_order_is_refused(sinks: dict[str, float], share: float) -> None:
    """The error names the setting, the sink and its time."""
    longest = max(sinks, key=lambda sink: sinks[sink])
    lasts_s = sinks[longest]
    with pytest.raises(ConfigError, match=f"PARK_DELAY_S .* request of {longest} may"):
        waits.park_delay_s(sinks, lasts_s * share)
    assert waits.park_delay_s(sinks, lasts_s * 1.01) == lasts_s * 1.01


@given(TIMEOUTS, st.integers(1, 1000))
def test_a_message_comes_again_after_its_last_attempts_requests(
    timeout_s: float, receives: int
) -> None:
    """And within what SQS allows, 12 hours."""
    lasts_s = waits.effect_s(timeout_s)
    again_s = waits.again_s(lasts_s, receives)
    assert lasts_s < again_s <= 43_200
    assert waits.again_s(lasts_s, receives + 1) >= again_s


def test_a_tombstone_outlives_every_request() -> None:
    """With the longest timeout that the settings of OpenSearch allow."""
    assert waits.effect_s(300.0) < GC_DELETES_S


@pytest.mark.parametrize(
    ("env", "delay_s"),
    [
        ({}, 41.0),
        ({"OPENSEARCH_TIMEOUT_S": "30"}, 61.0),
        ({"TYPESENSE_TIMEOUT_S": "50"}, 101.0),
        ({"OPENSEARCH_TIMEOUT_S": "1", "TYPESENSE_TIMEOUT_S": "1"}, 17.0),
        ({"PARK_DELAY_S": "300"}, 300.0),
    ],
    ids=str,
)
def test_the_service_computes_it_from_its_sinks(env: dict[str, str], delay_s: float) -> None:
    """From the sink at the end of a queue, too, and from calls of AWS."""
    given = {**ENV, **env}
    if "PARK_DELAY_S" not in env:
        given.pop("PARK_DELAY_S", None)
    service = Service(given, lambda _: None, ManualClock())
    assert service.park_delay_s == delay_s


def test_a_service_with_a_delay_that_is_too_short_does_not_start() -> None:
    """No record is taken on with it."""
    env = {**ENV, "OPENSEARCH_TIMEOUT_S": "30", "PARK_DELAY_S": "40"}
    with pytest.raises(ConfigError, match="PARK_DELAY_S is 40: it has to be longer than the 60 s"):
        Service(env, lambda _: None, ManualClock())
