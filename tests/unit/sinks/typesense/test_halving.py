"""Requests to Typesense that are sent again in halves: one document may be the cause."""

from sync.errors import Misconfigured, Refused, Throttled, Unanswered, Unavailable
from sync.sinks.typesense.answers import Forbidden, TooLarge
from sync.writing.op import Done
from tests.unit.sinks.typesense.scripted import (
    EFFECT_S,
    Server,
    Trouble,
    delete,
    put,
    puts,
    scripted,
)


def about(bad: str, error: Exception) -> Trouble:
    """Every request with the document *bad* fails."""
    return lambda sent: error if bad in sent.ids else None


def test_a_request_that_is_too_large_is_halved() -> None:
    """Down to the document that is too large by itself; nothing is waited for."""
    large = TooLarge("413 too large")
    server = Server(about("2", large))
    results = server.write(*puts("01234"), delete("5"))
    refused = results.pop("2")
    assert isinstance(refused, Refused)
    assert (str(refused), refused.__cause__) == ("413 too large", large)
    assert results == dict.fromkeys("01345", Done.WRITTEN)
    assert server.sent == ["01234", "01", "234", "2", "34", "5"]
    assert server.clock.slept == []


def test_a_half_has_tries_of_its_own() -> None:
    """It is another request."""
    large, down = TooLarge("413"), Unavailable("down")
    server = Server(scripted(large, down, down, None))
    assert server.write(*puts("01")) == dict.fromkeys("01", Done.WRITTEN)
    assert server.sent == ["01", "0", "0", "0", "1"]


def test_a_half_that_fails_is_not_tried_again_with_the_other() -> None:
    """Its tries are over; and a server that is down for it is so for other requests."""
    large, down = TooLarge("413"), Unavailable("down")
    server = Server(scripted(large, down, down, down))
    assert server.write(*puts("01"), delete("2")) == {"0": down, "1": Done.WRITTEN, "2": down}
    assert server.sent == ["01", "0", "0", "0", "1"]


def test_a_lost_answer_is_followed_by_halves_once_it_is_over() -> None:
    """Half of them are written without the document that takes too long; what is left is parked."""
    slow = Unanswered("no answer")
    server = Server(about("2", slow), took_s=15.0)
    assert server.write(*puts("01234"), delete("5")) == {
        **dict.fromkeys("01", Done.WRITTEN),
        **dict.fromkeys("234", slow),
        "5": Done.WRITTEN,
    }
    assert [(sent.ids, sent.at_s) for sent in server.requests] == [
        ("01234", 0.0),
        ("01", EFFECT_S),
        ("234", EFFECT_S + 15.0),
        ("5", EFFECT_S + 30.0),
    ]


def test_a_silent_server_is_asked_three_times() -> None:
    """Whole, and in halves; other requests are not even tried."""
    first, left, right = (Unanswered(each) for each in ("first", "left", "right"))
    server = Server(scripted(first, left, right, *[first] * 9))
    results = server.write(*puts("01"), delete("2"), put("3", "others"))
    assert results == {"0": left, "1": right, "2": right, "3": right}
    assert server.sent == ["01", "0", "1"]


def test_halves_of_a_missing_collection_concern_it_alone() -> None:
    """Documents of other collections are written."""
    missing = Misconfigured("404", of_target=True)
    server = Server(scripted(Unanswered("no answer"), missing, missing))
    results = server.write(*puts("01"), delete("2"), put("3", "others"))
    assert results == {**dict.fromkeys("012", missing), "3": Done.WRITTEN}
    assert server.sent == ["01", "0", "1", "3"]


def test_without_time_to_wait_no_half_is_sent() -> None:
    """And nothing else: the server may be silent for all."""
    lost = Unanswered("no answer")
    server = Server(lambda _: lost)
    assert server.write(*puts("01"), delete("2"), seconds=39.0) == dict.fromkeys("012", lost)
    assert server.sent == ["01"]


def test_a_firewall_is_asked_in_halves_at_once() -> None:
    """It rejected the request, which has no effect; one document's text may be the cause."""
    blocked = Forbidden("403 blocked")
    server = Server(about("3", blocked), took_s=1.0)
    assert server.write(*puts("0123")) == {
        **dict.fromkeys("01", Done.WRITTEN),
        **dict.fromkeys("23", blocked),
    }
    assert server.sent == ["0123", "01", "23"]
    assert server.clock.slept == []
    assert server.closed == 2  # nor is the key to be trusted


def test_a_single_document_that_a_firewall_rejects_is_tried_again() -> None:
    """It can't be told from a key that is refused."""
    blocked = Forbidden("403 blocked")
    server = Server(about("3", blocked))
    assert server.write(put("3"), put("4")) == {"3": blocked, "4": Done.WRITTEN}
    assert server.write(put("3")) == {"3": blocked}
    assert server.sent == ["34", "3", "4", "3", "3", "3"]


def test_a_half_may_be_too_large_in_turn() -> None:
    """It is halved as any request."""
    slow, large = Unanswered("no answer"), TooLarge("413")
    server = Server(scripted(slow, large))
    assert server.write(*puts("0123")) == dict.fromkeys("0123", Done.WRITTEN)
    assert server.sent == ["0123", "01", "0", "1", "23"]


def test_a_half_of_one_document_that_is_too_large_is_refused() -> None:
    """With what the server said of it."""
    slow, large = Unanswered("no answer"), TooLarge("413 too large")
    server = Server(scripted(slow, large))
    results = server.write(*puts("01"))
    refused = results.pop("0")
    assert isinstance(refused, Refused)
    assert (str(refused), refused.__cause__) == ("413 too large", large)
    assert results == {"1": Done.WRITTEN}


def test_a_quarter_has_tries_of_its_own() -> None:
    """After a half that was too large."""
    slow, large, down = Unanswered("no answer"), TooLarge("413"), Unavailable("down")
    server = Server(scripted(slow, large, down, down, down))
    assert server.write(*puts("0123"), delete("4")) == {
        **dict.fromkeys("123", Done.WRITTEN),
        **dict.fromkeys("04", down),
    }
    assert server.sent == ["0123", "01", "0", "0", "0", "1", "23"]


def test_a_limit_on_one_line_is_no_reason_to_halve() -> None:
    """Only what is wrong with a whole request may be one document's fault."""
    throttled = Throttled("429")
    server = Server(lambda _: throttled)
    assert server.write(*puts("01")) == dict.fromkeys("01", throttled)
    assert server.sent == ["01"] * 3
