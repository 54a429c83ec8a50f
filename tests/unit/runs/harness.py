"""Runs in an account in this process: its queue delivers, calls fail, workers die."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from sync.runs.rows import Run, Segment
from sync.runtime.deadline import Deadline
from tests.doubles.account import Account
from tests.records import CORE, PRODUCTS
from tests.settings import REGION

VISIBILITY_S: Final = 360.0  # as in serverless.yml
MOST_DELIVERIES: Final = 400


class Crash(BaseException):
    """The worker is gone."""


@dataclass
class Message:
    id: str
    body: str
    visible_at: float


class Line:
    """An account with a runs queue.

    *before* and *after* are called around each call of AWS that a worker makes, with service,
    method and request; they may raise, or change the world.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.clock = account.clock
        self.messages: list[Message] = []
        self.before: Callable[[str, str, Any], None] = lambda *_: None
        self.after: Callable[[str, str, Any], None] = lambda *_: None
        self.delivered = 0
        self.died = 0  # workers
        self.working = False
        clients = account.clients
        account.clients = lambda service: _Client(self, service, clients(service))
        account.service = account.fresh()

    def start(self, table: str = PRODUCTS, **payload: Any) -> str:
        id_: str = self.account.call("backfill start", table=table, **payload)["id"]
        return id_

    def run(self, id_: str) -> Run:
        run = self.account.service.runs_table.run(id_)
        assert run is not None
        return run

    def segments(self, id_: str) -> list[Segment]:
        return self.account.service.runs_table.segments(id_, Deadline(60))

    def counts(self, id_: str) -> dict[str, int]:
        """The totals that are not 0."""
        totals = self.account.call("backfill show", id=id_)["run"]["totals"]
        return {name: n for name, n in totals.items() if n and name != "units"}

    def send(self, entries: Iterable[Any]) -> dict[str, Any]:
        """SQS takes messages of the runs queue."""
        for entry in entries:
            visible_at = self.clock.now + entry["DelaySeconds"]
            self.messages.append(Message(uuid4().hex, entry["MessageBody"], visible_at))
        return {}

    def deliver(self, message: Message) -> bool:
        """Hand *message* to a worker: whether it is done with. A worker that dies is replaced."""
        self.delivered += 1
        record = {
            "messageId": message.id,
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:runs",
            "body": message.body,
            "attributes": {},
        }
        working, self.working = self.working, True
        try:
            failures = self.account.handle({"Records": [record]})["batchItemFailures"]
        except Crash:
            self.died += 1
            self.account.service = self.account.fresh()
            failures = [message.id]
        finally:
            self.working = working
        if failures:
            message.visible_at = self.clock.now + VISIBILITY_S
            return False
        if message in self.messages:
            self.messages.remove(message)
        return True

    def step(self) -> bool:
        """Deliver the message that is visible first, and then; False if there is none."""
        if not self.messages:
            return False
        first = min(self.messages, key=lambda each: each.visible_at)
        self.clock.now = max(self.clock.now, first.visible_at)
        self.deliver(first)
        return True

    def rest(self) -> None:
        """Deliver until no message is left, nor a parked key."""
        while self.step() or self.account.parked:
            assert self.delivered < MOST_DELIVERIES, "messages without end"
            if not self.messages and self.account.parked:
                self.clock.now += 1_000
                self.account.resync()

    def put(self, *ids: str, name: str = "Kettle") -> None:
        for id_ in ids:
            self.account.put(id_, name={"S": name}, price={"N": "5"})

    def table(self) -> dict[str, str]:
        """The names of the products, by id."""
        pages = self.account.boto("dynamodb").get_paginator("scan").paginate(TableName=PRODUCTS)
        items = (item for page in pages for item in page["Items"])
        return {item["productId"]["S"]: item["name"]["S"] for item in items}

    def sink(self) -> dict[str, str]:
        """The names of the documents, by id."""
        documents = self.account.memory.documents.items()
        return {id_: json.loads(body)["name"] for (_, id_), body in documents if body is not None}


class _Client:
    def __init__(self, line: Line, service: str, client: Any) -> None:
        self._line = line
        self._service = service
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(**given: Any) -> Any:
            if self._line.working:
                self._line.before(self._service, name, given)
            to_us = given.get("QueueUrl", "").endswith("/runs")
            answer = self._line.send(given["Entries"]) if to_us else found(**given)
            if self._line.working:
                self._line.after(self._service, name, given)
            return answer

        return call


def during_scan(number: int, act: Callable[[], object]) -> Callable[..., None]:
    """Does *act* before scan *number* of the products."""
    scans = []

    def befall(_service: str, method: str, given: Any) -> None:
        if method == "scan" and given["TableName"] == PRODUCTS:
            scans.append(given)
            if len(scans) == number:
                act()

    return befall


def asked(line: Line, *methods: str) -> list[Any]:
    """The requests of *methods* that workers make to the application's tables from now on."""
    found: list[Any] = []

    def note(_service: str, called: str, given: Any) -> None:
        if called in methods and given["TableName"] in (CORE, PRODUCTS):
            found.append(given)

    line.before = note
    return found
