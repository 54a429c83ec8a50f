"""Dead letters that need nobody, calls that died, and what is erased on request."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from sync.deadletters.row import CLOCKS_NS, DISCARDED, OPEN, REPLAYED, Row, merged
from sync.errors import ConfigError, Refused, Unanswered, Unavailable
from sync.recovery.parking import LIFETIME_S
from sync.recovery.state import GONE, state_of
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Op, Outcome
from tests.doubles.account import BUCKET, Account
from tests.doubles.trouble import SOUND, failing, letter, one_letter, poison
from tests.records import PRODUCTS, stream_record

# Letters close by themselves.


def test_a_letter_whose_item_was_corrected_closes(account: Account) -> None:
    """And its document is what the item says."""
    one_letter(account)
    account.put("p", **SOUND)
    answer = account.call("recover")
    assert (answer["looked_at"], answer["counts"]) == (1, {"replayed": 1})
    assert account.document("p")["name"] == "Kettle"
    assert account.rows() == []


def test_a_letter_whose_item_is_gone_closes(account: Account) -> None:
    """Its older document goes with it."""
    one_letter(account)
    assert account.call("recover")["counts"] == {"replayed": 1}
    assert account.rows() == []


def test_a_letter_whose_item_is_what_it_was_waits_for_a_person(account: Account) -> None:
    """To try it every quarter of an hour would be noise: nothing has changed."""
    record = poison()
    account.consume(letter(record))
    image = record["dynamodb"]["NewImage"]
    account.put("p", **{n: v for n, v in image.items() if n != "productId"})
    for _ in range(2):
        assert account.call("recover")["results"] == []
    (row,) = account.rows()
    assert row["replays"] == 0


def test_a_letter_whose_item_is_wrong_otherwise_says_so_once(account: Account) -> None:
    """It is tried with each new state of the item, once."""
    one_letter(account)
    account.put("p", name={"S": "x"})
    assert [account.call("recover")["counts"] for _ in range(2)] == [{"failed": 1}, {}]
    (row,) = account.rows()
    assert (row["error"], row["replays"]) == ("not a valid Product: price: Field required", 1)


def test_a_letter_of_a_long_outage_closes_once_it_is_over(account: Account) -> None:
    """The item had no part in it: it need not change."""
    sink = failing(account, Unavailable("down"))
    account.put("p", **SOUND)
    keys = {"productId": {"S": "p"}}
    account.handle({"Records": [stream_record(keys, SOUND, table=PRODUCTS)]})
    account.clock.now += LIFETIME_S + 1
    account.resync()
    account.consume(*account.letters())
    assert len(account.rows()) == 1
    sink.error = None
    account.clock.now += 600
    assert account.call("recover")["counts"] == {"replayed": 1}
    assert account.document("p")["name"] == "Kettle"


def test_a_letter_whose_sink_did_not_answer_is_tried_again(account: Account) -> None:
    """That may have passed; what was sent unanswered is parked as well."""
    one_letter(account)
    account.put("p", **SOUND)
    sink = failing(account, Unanswered("no answer"))
    assert account.call("recover")["counts"] == {"failed": 1}
    assert [m.keys[0].source.keys for m in account.parked] == [{"productId": {"S": "p"}}]
    sink.error = None
    account.clock.now += 900
    assert account.call("recover")["counts"] == {"replayed": 1}


@given(st.permutations(["a", "b", "c"]), st.permutations(["x", "y"]))
def test_a_state_does_not_depend_on_the_order_of_names_and_sets(
    members: list[str], names: list[str]
) -> None:
    """The stream and a reading may give two."""

    def item(members: list[str], names: list[str]) -> Any:
        values = {"x": {"SS": members}, "y": {"L": [{"M": {"z": {"NS": members}}}]}}
        return {name: values[name] for name in names}

    assert state_of(item(members, names)) == state_of(item(["a", "b", "c"], ["x", "y"]))


def test_a_state_tells_items_apart() -> None:
    """Values, types, names, the order of lists, and being there."""
    items: list[Any] = [
        None,
        {},
        {"a": {"S": "1"}},
        {"a": {"N": "1"}},
        {"b": {"S": "1"}},
        {"a": {"L": [{"S": "1"}, {"S": "2"}]}},
        {"a": {"L": [{"S": "2"}, {"S": "1"}]}},
    ]
    assert len({state_of(item) for item in items}) == len(items)
    assert state_of(None) == GONE


# Merging letters.

VERSION = 10 * CLOCKS_NS


def row(version: int, name: str, **values: Any) -> Row:
    return Row("id", "quarantined", "2026", "2026", version=version, letter=name, **values)


@pytest.mark.parametrize(
    ("known", "version", "opens"),
    [
        (row(VERSION, "a", status=REPLAYED, wrote=VERSION + CLOCKS_NS), VERSION, True),
        (row(VERSION, "a", status=REPLAYED, wrote=VERSION + CLOCKS_NS), VERSION - 1, False),
        (row(VERSION, "a", status=REPLAYED, wrote=VERSION), VERSION, True),
        (row(VERSION, "a", status=DISCARDED), VERSION, False),
        (row(VERSION, "a", status=DISCARDED), VERSION + 1, True),
    ],
)
def test_a_resolved_row_opens_for_what_its_resolution_does_not_cover(
    known: Row, version: int, opens: bool
) -> None:
    """What a replay wrote is as new as its version, give or take what clocks are off."""
    found = merged(known, row(version, "b", state="s"))
    assert (found is not None) == opens
    if found is not None:
        assert (found.status, found.resolved_at, found.letter) == (OPEN, None, "b")


def test_a_refusal_of_what_a_replay_wrote_knows_the_item_s_state() -> None:
    """The worker of a queue has no item; the replay had."""
    known = row(VERSION, "a", status=REPLAYED, wrote=VERSION, state="read")
    assert getattr(merged(known, row(VERSION, "b")), "state", "") == "read"
    assert getattr(merged(known, row(VERSION + 1, "b")), "state", "") is None


@given(st.permutations([1, 2, 3, 4]))
def test_the_newest_letter_stays_whatever_the_order(order: list[int]) -> None:
    """Its body, and the longest wait of all."""
    known: Row | None = None
    for n in order:
        known = merged(known, row(n, f"l{n}", body=str(n), after=5 - n)) or known
    assert known is not None
    assert (known.body, known.version, known.after, known.seen) == ("4", 4, 4, 4)


def test_a_letter_that_comes_again_changes_nothing() -> None:
    """SNS, SQS and Lambda deliver at least once."""
    assert merged(row(1, "a"), row(1, "a")) is None


# Calls that die.


class Dying(Memory):
    """The machine is gone while it writes."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        raise KeyboardInterrupt


@pytest.mark.parametrize("sink", [None, "opensearch"])
def test_the_keys_of_a_call_that_died_are_parked(sink: str | None, account: Account) -> None:
    """Nobody calls again, and what it wrote may be older than what stood there."""
    account.put("p", **SOUND)
    account.memory = Dying()
    account.service = account.fresh()
    with pytest.raises(KeyboardInterrupt):
        account.call("resync", table=PRODUCTS, sink=sink)
    assert account.rows() == []  # it is no dead letter
    assert account.call("recover")["parked"] == 0  # it may be under way
    account.clock.now += 901
    assert account.call("recover")["parked"] == 1
    (message,) = account.parked
    assert (message.sink, message.keys[0].source.keys) == (sink, {"productId": {"S": "p"}})
    assert account.call("recover")["parked"] == 0


def test_what_ends_in_retry_is_parked(account: Account) -> None:
    """A person is told, and need not call again."""
    account.put("p", **SOUND)
    failing(account, Unanswered("no answer"))
    answer = account.call("resync", table=PRODUCTS, sink="opensearch")
    assert answer["counts"] == {"parked": 1}
    assert "no answer" in answer["failures"][0]["error"]
    assert [message.sink for message in account.parked] == ["opensearch"]


def test_what_a_resync_finds_refused_becomes_a_dead_letter(account: Account) -> None:
    """Or only who has called would know of it."""
    account.put("p", **SOUND)
    failing(account, Refused("mapping conflict"))
    assert account.call("resync", table=PRODUCTS)["counts"] == {"failed": 1}
    account.consume(*account.letters())
    (row,) = account.rows()
    assert (row["sink"], row["error"]) == ("opensearch", "mapping conflict")


def test_without_a_note_nothing_is_written(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the dead-letter table does not answer, a call could not be made good."""
    account.put("p", **SOUND)

    class Away:
        def put_item(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="dynamodb")

    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: Away())
    with pytest.raises(Exception, match="writing to"):
        account.call("resync", table=PRODUCTS)
    assert account.document("p") is None


# Erasing.


def test_what_letters_hold_of_an_item_is_erased(account: Account) -> None:
    """Body and trace, in the table and in the bucket; the row stays, and can be replayed."""
    id_ = one_letter(account)
    account.consume(letter(poison("other", number=8)), message_id="other")
    account.consume(letter(poison(text="x" * 300_000, number=9)), message_id="large")
    keys = [{"productId": {"S": "p"}}]
    assert len(account.boto("s3").list_objects_v2(Bucket=BUCKET)["Contents"]) == 1
    answer = account.call("dlq erase", table=PRODUCTS, keys=keys)
    assert answer == {"erased": [{"id": id_, "sink": "opensearch"}]}
    assert "Contents" not in account.boto("s3").list_objects_v2(Bucket=BUCKET)
    shown = account.call("dlq show", id=id_)
    assert (shown["body"], shown["row"]["trace"]) == (None, None)
    assert shown["row"]["erased_at"]
    other = [row["id"] for row in account.rows() if row["id"] != id_]
    assert account.call("dlq show", id=other[0])["body"] is not None
    account.put("p", **SOUND)
    assert account.call("dlq replay", ids=[id_])["counts"] == {"replayed": 1}


@pytest.mark.parametrize("keys", [[], [{"PK": {"S": "x"}}], [{"productId": {"S": ""}}]])
def test_a_key_that_is_none_is_not_erased(keys: Any, account: Account) -> None:
    """The error shows it."""
    with pytest.raises(ConfigError, match=json.dumps(keys[0])[:20] if keys else "needs 'keys'"):
        account.call("dlq erase", table=PRODUCTS, keys=keys)
