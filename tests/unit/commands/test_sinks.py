"""Resync and replay, for the sinks that are reached by a queue or that derive rows."""

import json
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import Refused, Unavailable
from sync.lanes.messages import Action, pack
from sync.models.core.faa_link import FaaLink
from sync.sinks.default_image import Entity
from sync.writing.ids import document_id
from sync.writing.op import Op
from tests.doubles.account import TYPESENSE_LETTERS, TYPESENSE_QUEUE, Account
from tests.doubles.sinks import Failing
from tests.doubles.trouble import letter
from tests.records import CORE, core_keys, stream_record
from tests.unit.commands.test_status import metric

ENTITY = Entity("SYSTEM", "ICAO", "C172")
REGISTRATION = core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1")
LINK = core_keys("FAA#LINKS", "MFR_MDL_CODE#0560901#SN#1")
COUNTER = core_keys("ICAO#MATCHER", "TYPE#C172#CESSNA#172")


def put(account: Account, keys: Any, **texts: str) -> None:
    attributes = {name: {"S": text} for name, text in texts.items()}
    account.dynamodb.put_item(TableName=CORE, Item={**keys, **attributes})


def item(account: Account, keys: Any) -> Any:
    return account.dynamodb.get_item(TableName=CORE, Key=keys).get("Item")


def delete(account: Account, keys: Any) -> None:
    account.dynamodb.delete_item(TableName=CORE, Key=keys)


def images(account: Account, *numbers: int) -> list[Any]:
    """Puts images of the entity, and gives their keys."""
    for n in numbers:
        put(account, ENTITY.row(f"IMG#{n}"), **ENTITY._asdict())
    return [ENTITY.row(f"IMG#{n}") for n in numbers]


def pointed(account: Account) -> tuple[str | None, str | None]:
    """The image that the default row names, and the one that readers find."""
    rows = item(account, ENTITY.row("DEFAULT")), item(account, ENTITY.lookup)
    pointer, lookup = (row and row["image"]["S"] for row in rows)
    return pointer, lookup


def register(account: Account, name: str = "DOE") -> None:
    put(account, REGISTRATION, registration="N1", n_number="1", name=name)


def registered(account: Account) -> Any:
    """The name that Typesense has of the aircraft."""
    found = account.typesense.documents.values()
    return [json.loads(document)["name"] for document in found]


def link(account: Account) -> None:
    put(account, LINK, type_designator="C172", manufacturer="CESSNA", model="172")


def count(account: Account) -> str | None:
    counter = item(account, COUNTER)
    return str(counter["count"]["N"]) if counter else None


@pytest.mark.parametrize("by_key", [False, True])
def test_a_resync_serves_every_sink(by_key: bool, account: Account) -> None:
    """Whatever the stream missed: documents behind a queue, pointers and counters."""
    register(account)
    link(account)
    keys = [REGISTRATION, LINK, *images(account, 1, 3, 2)]
    answer = account.call("resync", table=CORE, **({"keys": keys} if by_key else {}))
    assert answer["counts"] == {"written": 5}
    account.work()
    assert registered(account) == ["DOE"]
    assert count(account) == "1"
    assert pointed(account) == ("IMG#3", "IMG#3")
    again = account.call("resync", table=CORE)
    # The counter, the pointer and its copy are rows of the table too, and of no sink.
    assert again["counts"] == {"written": 5, "unmatched": 3}
    assert (count(account), pointed(account)) == ("1", ("IMG#3", "IMG#3"))


def test_a_resync_of_absent_items_takes_them_back(account: Account) -> None:
    """For each sink by keys alone; the entity's other images are looked at."""
    register(account)
    link(account)
    images(account, 1, 2)
    account.call("resync", table=CORE)
    account.work()
    gone = [REGISTRATION, LINK, ENTITY.row("IMG#2")]
    for keys in gone:
        delete(account, keys)
    account.clock.now += 1
    assert account.call("resync", table=CORE, keys=gone)["counts"] == {"written": 3}
    account.work()
    assert (registered(account), count(account)) == ([], None)
    assert pointed(account) == ("IMG#1", "IMG#1")


def test_a_default_image_is_mended_by_any_key_of_its_entity(account: Account) -> None:
    """Also where no image is left, and so none is found by its table: what a hand has spoilt."""
    put(account, ENTITY.row("DEFAULT"), **ENTITY._asdict(), image="IMG#9")
    put(account, ENTITY.lookup, **ENTITY._asdict(), image="IMG#9")
    by_table = account.call("resync", table=CORE, sink="default_image")
    assert (by_table["counts"], pointed(account)) == ({"unmatched": 2}, ("IMG#9", "IMG#9"))
    keys = [ENTITY.row("IMG#")]
    by_key = account.call("resync", table=CORE, sink="default_image", keys=keys)
    assert (by_key["counts"], pointed(account)) == ({"written": 1}, (None, None))


@pytest.mark.parametrize(
    ("error", "verdict"), [(Refused("no"), "failed"), (Unavailable("503"), "parked")]
)
def test_images_of_one_entity_share_their_op_and_its_verdict(
    error: Any, verdict: str, account: Account
) -> None:
    """Or all but one of them were taken for written."""
    keys = images(account, 1, 2, 3)
    account.images = sink = Failing(error)
    account.service = account.fresh()
    answer = account.call("resync", table=CORE, keys=keys, sink="default_image")
    assert answer["counts"] == {verdict: 3}
    assert sorted(one["keys"]["SK"]["S"] for one in answer["failures"]) == [
        f"IMG#{n}" for n in (1, 2, 3)
    ]
    assert [len(ops) for ops in sink.calls] == [1]


def redriven(account: Account) -> str:
    """The id of the row of an action that its queue gave up on; it tells of an older name."""
    op = Op(
        "typesense",
        Source(CORE, REGISTRATION),
        "registry",
        document_id(REGISTRATION, ["PK", "SK"]),
        b'{"registration":"N1","n_number":"1","name":"ROE"}',
        version=7,
    )
    ((body, _),) = pack([(op, Action.of(op).text())])
    account.consume(body, queue=TYPESENSE_LETTERS.rpartition("/")[2])
    (row,) = account.rows()
    account.clock.now += 60  # its last request is over
    return str(row["id"])


def test_a_replay_of_a_redriven_action_sends_what_the_table_says(account: Account) -> None:
    """By its lane, behind what came since; never what the message held."""
    id_ = redriven(account)
    register(account, "DOE")
    (result,) = account.call("dlq replay", ids=[id_])["results"]
    assert result["result"] == "replayed"
    assert result["why"].startswith("sent anew, as the table has it")
    assert registered(account) == []
    account.work()
    assert registered(account) == ["DOE"]


def test_a_replay_of_a_redriven_action_deletes_what_is_gone(account: Account) -> None:
    """Its document may be there since the action was sent."""
    register(account)
    account.call("resync", table=CORE)
    account.work()
    delete(account, REGISTRATION)
    id_ = redriven(account)
    assert account.call("dlq replay", ids=[id_])["counts"] == {"replayed": 1}
    account.work()
    assert registered(account) == []


def test_a_message_that_nobody_could_read_says_what_covers_it(account: Account) -> None:
    """Its keys are unknown, its sink is not."""
    account.consume("noise", queue=TYPESENSE_LETTERS.rpartition("/")[2])
    (result,) = account.call("dlq replay", all=True)["results"]
    assert result["result"] == "no keys"
    assert result["why"] == "resync the tables of its sink with --sink typesense, then discard it"


def test_a_replay_goes_past_a_model_with_a_bug(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows stay open and tell of it; all others are replayed."""
    register(account)
    link(account)
    for n, keys in enumerate((REGISTRATION, LINK)):
        told = letter(stream_record(keys, {}, number=n + 1))
        account.consume({**told, "table": CORE, "sink": None}, message_id=f"m{n}")
    monkeypatch.setattr(FaaLink, "plan", lambda change: 1 / 0)
    answer = account.call("dlq replay", all=True)
    assert answer["counts"] == {"replayed": 1, "failed": 1}
    (row,) = account.rows()
    assert (row["model"], row["error_class"]) == ("FaaLink", "ModelBug")
    assert "ZeroDivisionError" in row["error"]


def noted(account: Account, name: str) -> Any:
    (sink,) = [sink for sink in account.call("status")["sinks"] if sink["sink"] == name]
    return sink


def test_what_a_queue_has_taken_is_not_said_to_be_written(account: Account) -> None:
    """The way into the queue and the sink behind it are told of by themselves."""
    register(account)
    account.call("resync", table=CORE)
    assert noted(account, "typesense queue")["last_success_at"] is not None
    assert noted(account, "typesense")["last_success_at"] is None
    account.clock.now += 5
    account.work()
    behind = noted(account, "typesense")
    assert (behind["last_success_at"], behind["lag_s"]) == (account.call("status")["at"], 5)


def test_a_sink_behind_a_queue_that_is_down_is_named(account: Account) -> None:
    """However well its queue does."""
    account.typesense = Failing(Unavailable("connection refused"))
    account.service = account.fresh()
    register(account)
    account.call("resync", table=CORE)
    account.work()
    account.clock.now += 5
    account.call("resync", table=CORE)  # which notes a success of the queue
    assert noted(account, "typesense")["breaker"].startswith("open until")
    assert noted(account, "typesense")["broken_by"] == "Unavailable: connection refused"
    assert noted(account, "typesense queue")["breaker"] == "closed"
    answer = account.call("status")
    assert answer["level"] == "yellow"
    assert "typesense does not answer" in answer["problems"][0]["what"]


@pytest.mark.parametrize(
    ("queue", "what"),
    [("typesense.fifo", "changes"), ("typesense-dead-letters.fifo", "dead letters")],
)
@pytest.mark.parametrize(("age_s", "level"), [(900, "green"), (901, "yellow")])
def test_a_sink_s_queue_that_stands_still_is_told(
    age_s: int, level: str, queue: str, what: str, account: Account
) -> None:
    """With what waits there; the sink itself may look well."""
    metric(account, "ApproximateAgeOfOldestMessage", age_s, QueueName=queue)
    register(account)
    account.call("resync", table=CORE)
    answer = account.call("status")
    assert answer["level"] == level
    assert [problem["what"].partition(":")[0] for problem in answer["problems"]] == (
        [f"{what} for typesense have waited for 901 s"] if level == "yellow" else []
    )
    waits = {(one["queue"], one["waiting"]): one["oldest_s"] for one in answer["queues"]}
    assert waits[queue, 1 if queue == "typesense.fifo" else 0] == age_s


def test_a_sink_s_queue_that_is_gone_hides_nothing_else(account: Account) -> None:
    """Its numbers are unknown, and a problem says so."""
    account.boto("sqs").delete_queue(QueueUrl=TYPESENSE_QUEUE)
    answer = account.call("status")
    assert answer["level"] == "yellow"
    assert "typesense.fifo" in answer["problems"][0]["what"]
    assert [one["waiting"] for one in answer["queues"]] == [None, 0]


def test_dead_letters_of_a_sink_behind_a_queue_are_counted_once(account: Account) -> None:
    """By its own name, which letters have."""
    redriven(account)
    assert noted(account, "typesense")["dead"] == 1
    assert noted(account, "typesense queue")["dead"] is None


def test_what_is_refused_behind_the_queue_again_opens_its_row_again(account: Account) -> None:
    """A replay ends with the queue: what Typesense says comes later, of the same document."""
    account.typesense = Failing(Refused("no such field"))
    account.service = account.fresh()
    register(account)
    account.call("resync", table=CORE)
    account.work()
    for seen in (1, 2):
        account.clock.now += 1
        account.consume(*account.letters(), message_id=f"m{seen}")
        (row,) = account.rows()
        assert (row["sink"], row["error_class"], row["seen"]) == ("typesense", "Refused", seen)
        account.clock.now += 1
        assert account.call("dlq replay", all=True)["counts"] == {"replayed": 1}
        account.clock.now += 1
        account.work()
    assert account.rows() == []
