"""The sinks under test. A sink gets the whole contract suite by being named in SINKS."""

import gzip
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from sync.aws.keys import Source
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.writing.op import Done, Op
from sync.writing.sink import Sink
from tests.asked import OPENSEARCH, to_opensearch
from tests.contract.typesense_sinks import direct_of, held, is_write, make_target
from tests.doubles.lane import Line, Queued
from tests.fault_proxy import FaultProxy, Request

if TYPE_CHECKING:
    from typesense import Client

    from local.servers.opensearch import OpenSearchServer
    from local.servers.typesense import TypesenseServer

Document = Mapping[str, Any]  # numbers as int and Decimal, exactly as stored

SOURCE = Source("stream-sync-test-core", {"PK": {"S": "P"}, "SK": {"S": "S"}})

_names = count(1)


@dataclass
class Subject:
    """A sink, a target of its own, and how to see what the target holds.

    The target takes documents with the fields `number` and `text`, and no others.
    """

    sink: Sink
    target: str
    read: Callable[[Sequence[str]], dict[str, Document]]  # those of some ids that exist, by id
    versioned: bool
    refuses: bytes | None = None  # a body that the destination does not take
    proxy: FaultProxy | None = None  # in front of the destination, if it is reached by HTTP

    def put(self, id_: str, body: bytes = b'{"text":"a"}', *, version: int = 1) -> Op:
        return Op("sink", SOURCE, self.target, id_, body, version)

    def delete(self, id_: str, *, version: int = 1) -> Op:
        return Op("sink", SOURCE, self.target, id_, None, version)

    def write(self, *ops: Op, deadline: Deadline | None = None) -> dict[str, Any]:
        """Write, and give each id's result: Done, or the class of the error."""
        outcomes = list(self.sink.write(ops, deadline or patient()))
        results = {
            outcome.op.id: outcome.result
            if isinstance(outcome.result, Done)
            else type(outcome.result)
            for outcome in outcomes
        }
        assert sorted(op.id for op in ops) == sorted(outcome.op.id for outcome in outcomes)
        return results

    def holds(self, id_: str) -> Document | None:
        return self.read([id_]).get(id_)


def patient() -> Deadline:
    """A minute, in which pauses take no time."""
    return Deadline(60, sleep=lambda _: None)


def parse(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


@contextmanager
def memory(request: pytest.FixtureRequest) -> Iterator[Subject]:
    yield of_memory(Memory(versioned=True), versioned=True)


@contextmanager
def memory_plain(request: pytest.FixtureRequest) -> Iterator[Subject]:
    yield of_memory(Memory(versioned=False), versioned=False)


def of_memory(sink: Memory, *, versioned: bool) -> Subject:
    """A subject made of *sink*, read through its `documents`."""

    def read(ids: Sequence[str]) -> dict[str, Document]:
        found = {id_: sink.documents.get(("target", id_)) for id_ in ids}
        return {id_: parse(body) for id_, body in found.items() if body is not None}

    return Subject(sink, "target", read, versioned)


@contextmanager
def opensearch(request: pytest.FixtureRequest) -> Iterator[Subject]:
    server: OpenSearchServer = request.getfixturevalue("opensearch")
    alias = f"contract{next(_names)}"  # its index stays: to delete one costs half as much again
    properties = {"number": {"type": "double"}, "text": {"type": "keyword"}}
    ask(
        f"{server.url}/{alias}-v1",
        {
            "settings": {"number_of_shards": 1, "number_of_replicas": 0},
            "mappings": {"dynamic": "strict", "properties": properties},
            "aliases": {alias: {}},
        },
        method="PUT",
    )

    def read(ids: Sequence[str]) -> dict[str, Document]:
        found = ask(f"{server.url}/{alias}/_mget", {"ids": list(ids)})["docs"]
        return {doc["_id"]: doc["_source"] for doc in found if doc["found"]}

    with FaultProxy(server.url) as proxy:
        env = {"OPENSEARCH_ENDPOINT": proxy.url, "OPENSEARCH_AUTH": "none"}
        yield Subject(
            OpenSearch.from_env(env),
            alias,
            read,
            versioned=True,
            refuses=b'{"number":"not a number"}',
            proxy=proxy,
        )
        sent = {to_opensearch(request.method, request.path) for request in proxy.requests}
        assert sent <= set().union(*OPENSEARCH.values())  # by these the roles are proved


@contextmanager
def typesense(request: pytest.FixtureRequest) -> Iterator[Subject]:
    server: TypesenseServer = request.getfixturevalue("typesense")
    client: Client = request.getfixturevalue("client")
    make_target(client, "contract")
    with FaultProxy(server.url, is_write) as proxy, direct_of(server, proxy.url) as sink:
        yield Subject(
            sink,
            "contract",
            lambda ids: {id_: doc for id_, doc in held(client, "contract").items() if id_ in ids},
            versioned=False,
            refuses=b'{"number":"not a number"}',
            proxy=proxy,
        )


@contextmanager
def typesense_queued(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with typesense(request) as subject:
        yield replace(subject, sink=Queued(Line(subject.sink)), refuses=None, proxy=None)


def ask(url: str, body: object = None, *, method: str = "POST") -> Any:
    """Ask the server itself, past proxy and sink."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(url, data, headers, method=method)
    ) as answer:
        return parse(answer.read())


def text_of(request: Request) -> bytes:
    """A request's body, as it was before it was compressed."""
    return gzip.decompress(request.body)


def ids_of(request: Request) -> list[str]:
    """The ids of a bulk request's ops."""
    heads = [json.loads(line) for line in text_of(request).splitlines()]
    return [head[kind]["_id"] for head in heads for kind in ("index", "delete") if kind in head]


SINKS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Subject]]] = {
    "memory": memory,
    "memory-plain": memory_plain,
    "opensearch": opensearch,
    "typesense": typesense,
    "typesense-queued": typesense_queued,
}
VERSIONED = ("memory", "opensearch")
REFUSING = ("opensearch", "typesense")
OVER_HTTP = ("opensearch", "typesense")
