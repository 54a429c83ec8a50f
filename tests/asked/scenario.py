"""Each function does all that it ever does, in an account in this process."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, Final
from unittest import mock

from sync.aws.keys import Source
from sync.errors import Refused, Retry, Unavailable
from sync.lanes.messages import Action, pack
from sync.recovery.parking import Parked, ParkedMessage
from sync.runtime.deadline import Deadline
from sync.sinks.default_image import Entity
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.sink import Client as OpenSearchClient
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.client import Connection
from sync.sinks.typesense.settings import Settings as TypesenseSettings
from sync.writing.comparing import Compared, Walk
from sync.writing.op import Op, Outcome
from sync.writing.shadows import Places
from tests.asked import Ask
from tests.doubles.account import ACTING, ENV, TYPESENSE_QUEUE, Account
from tests.records import CORE, PRODUCTS, core_keys, stream_record
from tests.settings import REGION

QUEUE: Final = TYPESENSE_QUEUE.rpartition("/")[2]
LARGE: Final = "x" * 300_000  # too large for a message
NAMES: Final = {"type_designator": "C172", "manufacturer": "CESSNA", "model": "172"}
PRODUCT: Final = {"productId": {"S": "p"}}

Keys = Mapping[str, Mapping[str, Any]]
Way = Callable[[str, Keys], object]
"""Has a function bring the sinks in line with one item of a table."""

_numbers = count(1)


class Failing(Memory):
    """Answers every op with *error*."""

    def __init__(self, error: Refused | Retry) -> None:
        super().__init__()
        self._error = error

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        return [Outcome(op, self._error) for op in ops]


class HandsOn(Memory):
    """Has *sink* write and read what the stand-in of an account is to write and read."""

    def __init__(self, sink: OpenSearch | Typesense) -> None:
        super().__init__()
        self._sink = sink

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        return self._sink.write(ops, deadline)

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        return self._sink.compare(ops, deadline)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        return self._sink.ids(target, start, deadline)

    def places(self, target: str) -> Places:
        return self._sink.places(target)

    def shadow(self, target: str, schema: Mapping[str, Any], deadline: Deadline) -> Places:
        return self._sink.shadow(target, schema, deadline)

    def swap(self, target: str, live: str, deadline: Deadline) -> Places:
        return self._sink.swap(target, live, deadline)

    def drop(self, target: str, shadow: str) -> Places:
        return self._sink.drop(target, shadow)


class Unreached:
    """OpenSearch's client, where nobody answers: what is asked for is asked for all the same."""

    def bulk(self, body: bytes, timeout_s: float) -> Any:
        raise Unavailable("no answer")

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        raise Unavailable("no answer")


class Empty(Unreached):
    """OpenSearch's client, where each alias has an index of one shard without documents."""

    def __init__(self) -> None:
        self.at = Places("x-v1", None)

    def places(self, alias: str) -> Places:
        return self.at

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places:
        self.at = Places("x-v1", "x-v2")
        return self.at

    def swap(self, alias: str, live: str) -> Places:
        self.at = Places("x-v2", "x-v1")
        return self.at

    def drop(self, alias: str, shadow: str) -> Places:
        self.at = Places("x-v2", None)
        return self.at

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> Any:
        return {"docs": [{"_id": id_, "found": False} for id_ in ids]}

    def shards(self, alias: str, timeout_s: float) -> Any:
        return {"shards": [[{"index": f"{alias}-v1", "shard": 0}]]}

    def refresh(self, alias: str, timeout_s: float) -> None:
        pass

    def search(self, index: str, shard: int, query: Mapping[str, Any], timeout_s: float) -> Any:
        return {"timed_out": False, "_shards": {"successful": 1}, "hits": {"hits": []}}


def asked() -> frozenset[Ask]:
    """What they ask meanwhile. Call it within `moto.mock_aws()`."""
    account = Account()
    ways = (_stream(account), _resync(account), _by_hand(account), _backfill(account))
    for n, way in enumerate(ways):
        _derived(account, way, n)
        _documents(account, way)
    _typesense(account)
    _dead_letters(account)
    _commands(account)
    return frozenset(account.asked.asks)


# ── The ways into the sinks ───────────────────────────────────────────────────────────────────────


def _stream(account: Account) -> Way:
    def way(table: str, keys: Keys) -> None:
        item = account.dynamodb.get_item(TableName=table, Key=keys).get("Item")
        new = {name: value for name, value in (item or {}).items() if name not in keys}
        plain = {name: dict(value) for name, value in keys.items()}
        record = stream_record(plain, new if item else None, table=table)
        account.handle({"Records": [record]})

    return way


def _resync(account: Account) -> Way:
    def way(table: str, keys: Keys) -> None:
        parked = Parked(Source(table, keys))
        _message(account, "resync", ParkedMessage(None, (parked,), 0, account.clock.now).body())

    return way


def _by_hand(account: Account) -> Way:
    return lambda table, keys: account.call("resync", table=table, keys=[keys])


def _backfill(account: Account) -> Way:
    def way(table: str, keys: Keys) -> None:
        account.call("backfill start", table=table, also=True)
        with mock.patch("sync.runs.backfill.PATIENCE", 0):
            _work_on_runs(account)
        acting = ACTING.set("runs")
        try:  # as if the item had vanished while its page was written
            list(account.service.resync.run([Parked(Source(table, keys))], Deadline(60)))
        finally:
            ACTING.reset(acting)

    return way


def _work_on_runs(account: Account) -> None:
    """Hands the messages of the runs queue to the function that reads it."""
    url, sqs = account.service.config.runs_queue_url, account.boto("sqs")
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        _message(account, "runs", message["Body"])


def _message(account: Account, queue: str, body: str) -> None:
    """Hands a message of *queue* to the function that reads it."""
    record = {
        "messageId": "message",
        "receiptHandle": "handle",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": "lane"},
    }
    account.handle({"Records": [record]})


# ── What happens to items ─────────────────────────────────────────────────────────────────────────


def _put(account: Account, table: str, keys: Keys, **texts: str) -> None:
    account.clock.now += 1
    attributes = {name: {"S": text} for name, text in texts.items()}
    account.dynamodb.put_item(TableName=table, Item={**keys, **attributes})


def _delete(account: Account, table: str, keys: Keys) -> None:
    account.clock.now += 1
    account.dynamodb.delete_item(TableName=table, Key=keys)


def _derived(account: Account, way: Way, n: int) -> None:
    """Links and images come and go, and what is derived of them."""
    link = core_keys("FAA#LINKS", f"MFR_MDL_CODE#0560{n}#SN#1")
    _put(account, CORE, link, **NAMES)
    way(CORE, link)
    _delete(account, CORE, link)
    way(CORE, link)
    entity = Entity("SYSTEM", "ICAO", f"C{n}")
    images = [entity.row(f"IMG#{number}") for number in (1, 2)]
    for image in images:  # of two the newer one is the default
        _put(account, CORE, image, **entity._asdict())
        way(CORE, image)
    for image in images:
        _delete(account, CORE, image)
        way(CORE, image)


def _documents(account: Account, way: Way) -> None:
    """Documents of both engines; a sink does not answer, and an item is wrong, and large."""
    account.memory = Failing(Unavailable("503"))
    account.service = account.fresh()
    _put(account, PRODUCTS, PRODUCT, name="Kettle", description=LARGE)  # and has no price
    way(PRODUCTS, PRODUCT)
    aircraft = core_keys("ICAO#AIRCRAFT", "TYPE#C172#CESSNA#172")
    _put(account, CORE, aircraft, **NAMES)
    way(CORE, aircraft)
    account.memory = HandsOn(OpenSearch(lambda: _unreached(account)))
    account.service = account.fresh()
    way(CORE, aircraft)
    account.memory = Memory()
    account.service = account.fresh()
    way(CORE, aircraft)


# ── Behind queues ─────────────────────────────────────────────────────────────────────────────────


def _typesense(account: Account) -> None:
    """A document that it does not take, by message and, being large, by its item; and a key that
    the secret does not hold."""
    aircraft = Source(CORE, core_keys("ICAO#AIRCRAFT", "TYPE#C172#CESSNA#172"))
    image = Source(CORE, Entity("SYSTEM", "REGISTRATION", "N1").row("IMG#1"))
    _put(account, CORE, aircraft.keys, **NAMES, description=LARGE)
    account.typesense = Failing(Refused("no such field"))
    account.service = account.fresh()
    _message(account, QUEUE, _actions(Op("typesense", image, "aircraft_images", "i", b"{}", 1)))
    for source in (aircraft, image):
        large = Op(
            "typesense",
            source,
            "icao_aircraft",
            "a",
            json.dumps({"description": LARGE}).encode(),
            1,
        )
        _message(account, QUEUE, _actions(large))
    settings = TypesenseSettings.from_env(ENV)
    account.typesense = HandsOn(
        Typesense(lambda: Connection(settings, settings.api_key(account.clients)))
    )
    account.service = account.fresh()
    _message(account, QUEUE, _actions(Op("typesense", image, "aircraft_images", "i", b"{}", 1)))
    account.typesense = Memory(versioned=False)
    account.service = account.fresh()
    _message(account, QUEUE, _actions(Op("typesense", image, "aircraft_images", "i", b"{}", 1)))
    _message(account, QUEUE, "not to be read, so that it comes again")


def _actions(op: Op) -> str:
    ((body, _),) = pack([(op, Action.of(op).fitting_text())])
    return body


def _dead_letters(account: Account) -> None:
    """The letters of all that went wrong, twice; and a batch that Lambda gave up on."""
    letters = account.letters()
    for _ in range(2):
        account.consume(*letters)
        letters = [letter.replace('"id":"', '"id":"again') for letter in letters]
    account.consume("not to be read", queue="typesense-dead-letters.fifo")
    account.give_up([stream_record({**PRODUCT}, {"name": {"S": LARGE}}, table=PRODUCTS)])


# ── What people ask for ───────────────────────────────────────────────────────────────────────────


def _commands(account: Account) -> None:
    """All of them, with dead letters and counters that differ; and what died half way."""
    link = core_keys("FAA#LINKS", "MFR_MDL_CODE#05601#SN#1")
    _put(account, CORE, link, **NAMES)
    for table in (CORE, PRODUCTS):
        account.call("resync", table=table)
    right = core_keys("ICAO#MATCHER", "TYPE#C172#CESSNA#172")
    account.dynamodb.delete_item(TableName=CORE, Key=right)
    wrong = {**core_keys("ICAO#MATCHER", "TYPE#C9#A#9"), "count": {"N": "9"}}
    account.dynamodb.put_item(TableName=CORE, Item=wrong)
    cursor = account.call("recount", repair=True)["cursor"]
    account.call("recount", repair=True, cursor=cursor)
    account.call("verify", repair=True)
    account.call("verify", sample=1)
    _verified(account)
    for row in account.rows():
        account.call("dlq show", id=row["id"])
    account.call("dlq replay", all=True)
    account.call("dlq erase", table=PRODUCTS, keys=[PRODUCT])
    account.call("dlq discard", ids=[account.rows()[0]["id"]], reason="noise")
    account.service.journal.begin([Parked(Source(PRODUCTS, PRODUCT))], None)
    account.clock.now += 1_000
    account.call("recover")
    account.call("status")
    _runs(account)
    with (
        mock.patch("sync.sinks.opensearch.client.Connection", return_value=_unreached(account)),
        mock.patch("sync.sinks.typesense.sink.aws_client", account.clients),
    ):
        account.call("mappings apply")


def _verified(account: Account) -> None:
    """What OpenSearch is asked for."""
    memory = account.memory
    account.memory = HandsOn(OpenSearch(lambda: account.asked.opensearch(Empty(), ACTING.get)))
    account.service = account.fresh()
    account.call("verify", sink="opensearch")
    reindexed = {"sink": "opensearch", "target": "products", "unverified": True}
    account.call("reindex", **reindexed)
    _work_on_runs(account)
    for more in ({}, {"drop": True}):
        account.call("reindex", **reindexed, **more)
    account.memory = memory
    account.service = account.fresh()


def _runs(account: Account) -> None:
    """A backfill of one model is paused and resumed, another waits for a sink and is cancelled."""
    id_ = account.call("backfill start", table=CORE, model="IcaoAircraft", also=True)["id"]
    account.call("backfill pause", id=id_)
    account.call("backfill resume", id=id_)
    _work_on_runs(account)
    account.call("backfill show", id=id_)
    account.call("backfill list")
    account.memory = Failing(Unavailable("503"))
    account.service = account.fresh()
    stopped = account.call("backfill start", table=CORE, also=True)["id"]
    _work_on_runs(account)
    account.call("backfill cancel", id=stopped)


def _unreached(account: Account) -> OpenSearchClient:
    client: OpenSearchClient = account.asked.opensearch(Unreached(), ACTING.get)
    return client
