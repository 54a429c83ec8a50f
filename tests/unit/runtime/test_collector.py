"""The collector of garbage, paused."""

import gc

import pytest

from sync.runtime.collector import paused_collector


def test_there_are_no_collections_in_its_block() -> None:
    assert gc.isenabled()
    with paused_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collections_go_on_after_an_error() -> None:
    with pytest.raises(LookupError), paused_collector():
        raise LookupError
    assert gc.isenabled()


def test_it_may_be_used_within_another() -> None:
    with paused_collector():
        with paused_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
