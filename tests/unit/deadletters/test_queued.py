"""Messages of a sink's own queue that failed too often become rows of their documents."""

import json

import pytest

from sync.aws.keys import Source
from sync.lanes.messages import Action, pack
from sync.writing.op import Op
from tests.doubles.account import TYPESENSE_LETTERS, Account
from tests.records import CORE, core_keys
from tests.unit.deadletters.test_consumer import DONE

QUEUED = TYPESENSE_LETTERS.rpartition("/")[2]


def image(n: int) -> Source:
    """An item that Typesense has a document of."""
    partition = f"IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N{n}"
    return Source(CORE, core_keys(partition, "IMG#1"))


def actions(*ops: Op) -> str:
    """The body of a message of the Typesense queue."""
    ((body, _),) = pack((op, Action.of(op).text()) for op in ops)
    return body


def test_a_redriven_message_of_actions_becomes_a_row_for_each_document(account: Account) -> None:
    """So that a replay brings their keys in line; what they hold is for people to read."""
    put = Op("typesense", image(1), "aircraft_images", "one", b'{"url":"a"}', 7)
    gone = Op(
        "typesense", image(2), "aircraft_images", "two", None, account.clock.time_ns() + 10**15
    )
    assert account.consume(actions(put, gone), queue=QUEUED) == DONE
    one, two = sorted(account.rows(), key=lambda row: str(row["document_id"]))
    assert {(row["kind"], row["sink"], row["model"]) for row in (one, two)} == {
        ("queued", "typesense", "RegistrationImage")
    }
    assert [(row["target"], row["table"], row["keys"]) for row in (one, two)] == [
        ("aircraft_images", CORE, image(n).keys) for n in (1, 2)
    ]
    assert "received 6 times" in one["error"]
    assert one["after"] == account.clock.time_ns() + 40 * 10**9  # its last request may be under way
    assert two["after"] == gone.version
    assert json.loads(account.call("dlq show", id=one["id"])["body"]["document"]) == {"url": "a"}


def test_messages_of_one_document_are_one_row_that_counts(account: Account) -> None:
    """A worker that fails for a week fails it with every change."""
    for version in (7, 8):
        op = Op("typesense", image(1), "aircraft_images", "one", b"{}", version)
        account.consume(actions(op), queue=QUEUED, message_id=f"m{version}")
    assert [row["seen"] for row in account.rows()] == [2]


UNREADABLE = "not a message of actions: "


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no JSON", UNREADABLE),
        ('{"schema":99,"actions":[]}', "a message of schema 99; this is 1"),
        ('{"schema":1,"actions":[]}', "the message contains no action"),
        ('{"schema":1,"actions":[{"action":"merge"}]}', UNREADABLE),
        ('{"kind": "quarantined", "schema": 1}', UNREADABLE),
        ('{"sink": "opensearch", "keys": [], "schema": 1, "tries": 0, "since": 0}', UNREADABLE),
    ],
)
def test_a_message_of_actions_that_cannot_be_read_is_kept_whole(
    body: str, why: str, account: Account
) -> None:
    """A newer release may have written it, of which this one knows only whose queue it was."""
    assert account.consume(body, queue=QUEUED) == DONE
    (row,) = account.rows()
    assert (row["kind"], row["sink"]) == ("unknown", "typesense")
    assert row["error_class"] == "RecordError"
    assert row["error"].startswith(why)
    shown = account.call("dlq show", id=row["id"])["body"]
    assert shown == (body if body.startswith("no") else json.loads(body))


def test_actions_on_the_queue_of_the_topic_are_kept_whole(account: Account) -> None:
    """They came there by a mistake in the template: that shows, and nothing is lost."""
    body = actions(Op("typesense", image(1), "aircraft_images", "one", b"{}", 7))
    account.consume(body)
    (row,) = account.rows()
    assert (row["kind"], account.call("dlq show", id=row["id"])["body"]) == (
        "unknown",
        json.loads(body),
    )
