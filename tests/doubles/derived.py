"""Tables that the service derives rows in, and clients that count calls and fail where told."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ReadTimeoutError

from sync.aws.keys import Source
from sync.models.core.faa_link import IcaoType
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage, Entity
from sync.writing.ids import document_id
from sync.writing.op import Op, Outcome
from sync.writing.sink import Sink
from tests.doubles.clocks import ManualClock
from tests.doubles.in_process import mock_aws
from tests.records import CORE, core_keys
from tests.tables import create_table

FAMILY = IcaoType.target
PARTS = ("type_designator", "manufacturer", "model")
CONTRIBUTIONS = "stream-sync-test-contributions"

R = TypeVar("R")
_names = count(1)


class Killed(BaseException):
    """The process is gone: nothing of this service may catch it."""


Fault = Callable[[str, Callable[[], Any]], Any]
"""Takes the name of a call and the call itself; makes it, or not, and answers or raises."""


def no_fault(_name: str, call: Callable[[], Any]) -> Any:
    return call()


def killed_before(_name: str, _call: Callable[[], Any]) -> Any:
    raise Killed


def killed_after(_name: str, call: Callable[[], Any]) -> Any:
    call()
    raise Killed


def lost_request(_name: str, _call: Callable[[], Any]) -> Any:
    raise ReadTimeoutError(endpoint_url="dynamodb")


def lost_answer(_name: str, call: Callable[[], Any]) -> Any:
    call()
    raise ReadTimeoutError(endpoint_url="dynamodb")


class Watched:
    """A client whose calls are counted by name, and go through *fault*."""

    def __init__(self, client: Any, fault: Fault = no_fault) -> None:
        self.client = client
        self.fault = fault
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, Mapping[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if not callable(method):
            return method

        def call(**request: Any) -> Any:
            self.calls[name] += 1
            self.requests.append((name, request))
            return self.fault(name, lambda: method(**request))

        return call

    def __call__(self, service: str) -> Any:
        """As the `Clients` that a sink takes."""
        assert service == "dynamodb"
        return self


class Tables:
    """A core table and one of contributions, of names of their own, in *client*'s DynamoDB."""

    def __init__(self, client: Any) -> None:
        self.client = client
        number = next(_names)
        self.core = f"{CORE}-{number}"
        self.contributions = f"{CONTRIBUTIONS}-{number}"
        for name, keys in ((self.core, ("PK", "SK")), (self.contributions, ("id",))):
            create_table(client, name, *keys)

    def counters(self, fault: Fault = no_fault) -> tuple[Counters, Watched]:
        """A sink of its own, as another container has, and the client it uses."""
        client = Watched(self.client, fault)
        return Counters(client, contributions=self.contributions, counters=self.core), client

    def images(self, fault: Fault = no_fault) -> tuple[DefaultImage, Watched]:
        client = Watched(self.client, fault)
        return DefaultImage(client, self.core), client

    def rows(self, table: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def held(self) -> dict[IcaoType, int]:
        """What each counter row holds, by what its attributes say that it counts."""
        held = {}
        for row in self.rows(self.core):
            if row["PK"] == {"S": "ICAO#MATCHER"}:
                counted = IcaoType(*(row[name]["S"] for name in PARTS))
                assert row["SK"]["S"] == counted.sort_key
                held[counted] = int(row["count"]["N"])
        return held

    def contributing(self) -> dict[IcaoType, int]:
        """How many contributions name each counter."""
        rows = self.rows(self.contributions)
        return dict(Counter(IcaoType.at(row["counter"]["S"]) for row in rows if "counter" in row))

    def put(self, keys: Mapping[str, Any], **attributes: str) -> None:
        values = {name: {"S": value} for name, value in attributes.items()}
        self.client.put_item(TableName=self.core, Item={**keys, **values})

    def delete(self, keys: Mapping[str, Any]) -> None:
        self.client.delete_item(TableName=self.core, Key=keys)

    def get(self, keys: Mapping[str, Any]) -> dict[str, Any] | None:
        answer = self.client.get_item(TableName=self.core, Key=keys, ConsistentRead=True)
        return answer.get("Item")  # type: ignore[no-any-return]

    def image(self, entity: Entity) -> tuple[str | None, str | None]:
        """The image that an entity's default row names, and the one that readers are told."""
        rows = self.get(entity.row("DEFAULT")), self.get(entity.lookup)
        pointer, lookup = (row["image"]["S"] if row else None for row in rows)
        return pointer, lookup

    def images_of(self, entity: Entity) -> list[str]:
        """The sort keys of an entity's images."""
        return sorted(
            row["SK"]["S"]
            for row in self.rows(self.core)
            if row["PK"]["S"] == entity.partition and row["SK"]["S"].startswith("IMG#")
        )


@cache
def _client() -> Any:
    return boto3.client("dynamodb", "us-east-1")


@contextmanager
def in_process() -> Iterator[Tables]:
    """Tables in an account in this process."""
    with mock_aws():
        yield Tables(_client())


def one_by_one(call: Callable[[str], R], names: Iterable[str], /) -> Iterator[tuple[str, R]]:
    """Write sinks in turn, not in threads, so that requests come in the same order every time."""
    return ((name, call(name)) for name in names)


def counted(n: int) -> IcaoType:
    return IcaoType(f"C{n}", "CESSNA / Reims", f"{n} #ü")


def link(n: int) -> Source:
    return Source(CORE, core_keys("FAA#LINKS", f"MFR_MDL_CODE#05609{n}#SN#{n}"))


def says(n: int, what: IcaoType | None, version: int) -> Op:
    """An op: link *n* contributes to *what*."""
    source = link(n)
    id_ = document_id(source.keys, ["PK", "SK"])
    return Op("counters", source, FAMILY, id_, what.body() if what else None, version)


def look(entity: Entity, version: int = 1) -> Op:
    """An op: the entity's images changed."""
    source = Source(CORE, entity.row("IMG#1"))
    return Op("default_image", source, "default_images", entity.op_id, entity.body(), version)


def patient() -> Deadline:
    """A minute of its own, which only pauses use up: a busy machine costs no test its time."""
    clock = ManualClock()
    return Deadline(60, clock=clock.monotonic, sleep=clock.sleep)


def write(sink: Sink, ops: Iterable[Op], deadline: Deadline | None = None) -> list[Any]:
    """The results in the order of *ops*: Done, or the class of the error."""
    ops = list(ops)
    outcomes: list[Outcome] = list(sink.write(ops, deadline or patient()))
    results = {(op.target, op.id): result for op, result in outcomes}
    assert len(outcomes) == len(ops) == len(results)
    found = [results[op.target, op.id] for op in ops]
    return [type(result) if isinstance(result, Exception) else result for result in found]


def at_random(seed: int, *faults: Fault, often: float = 0.2) -> Fault:
    """One of *faults*, every now and then."""
    chance = random.Random(seed)

    def fault(name: str, call: Callable[[], Any]) -> Any:
        return (chance.choice(faults) if chance.random() < often else no_fault)(name, call)

    return fault


def at(number: int, fault: Fault) -> Fault:
    """*fault* at call *number*, the first being 0."""
    calls = count()
    return lambda name, call: (fault if next(calls) == number else no_fault)(name, call)
