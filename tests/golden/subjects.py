"""Everything in this folder that touches `sync/`: adapt this file when `sync/` is rearranged.

Values are taken at the service's boundaries where possible: an event goes in; requests, rows and
log lines come out.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import environ
from typing import Any, Final
from unittest import mock

import handler
from sync import commands as all_commands
from sync.aws import clients
from sync.aws.keys import Source
from sync.errors import ConfigError
from sync.lanes.sender import Sender
from sync.runtime.deadline import Deadline
from sync.service import Service
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import lanes_of as lanes_of_sink
from tests.doubles.clocks import ManualClock
from tests.doubles.in_process import mock_aws
from tests.golden.aws import ENVIRONMENT, LANES, STATE, Aws, client, sqs_event
from tests.golden.boundaries import Lines, Search
from tests.golden.plain import Json, exact
from tests.golden.samples import NOW, product
from tests.records import CORE
from tests.settings import ENV, REQUIRED

ALIASES: Final = ("aircraft_images", "icao_aircraft", "icao_manufacturers", "registry")


# ── The service and its boundaries ────────────────────────────────────────────────────────────────


class Context:
    """Lambda's context object."""

    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class World:
    """The service, with fakes at each of its boundaries."""

    def __init__(self, env: Mapping[str, str], sent: Aws, search: Search, lines: Lines) -> None:
        self.aws, self.search, self.lines = sent, search, lines
        self.clock = ManualClock(NOW)
        self.metrics: list[str] = []
        self.env = {**ENV, **env}
        self.service = self.started()

    def started(self, **given: Any) -> Service:
        """A service after a cold start. It writes to sinks one after another, not in threads."""
        return Service(
            self.env,
            clients.client,
            self.clock,
            at_once=lambda write, sinks: ((sink, write(sink)) for sink in sinks),
            emit=self.metrics.append,
            **given,
        )

    def handle(self, event: Json) -> Json:
        return handler.run(event, Context(), self.service)

    def stream(self, *records: Json) -> Json:
        return self.handle({"Records": list(records)})

    def receive(self, queue: str, *bodies: Json, received: int = 1) -> Json:
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        return self.handle(sqs_event(queue, texts, received=received))

    def call(self, command: str, **payload: Json) -> Json:
        return json.loads(json.dumps(self.handle({"command": command, **payload})))

    def put(self, table: str, item: Json) -> None:
        client("dynamodb").put_item(TableName=table, Item=item)


@contextmanager
def a_world(**env: str) -> Iterator[World]:
    """A world of its own, and nothing of it left behind."""
    sent, search, lines = Aws(), Search(ALIASES), Lines()
    with ExitStack() as stack:
        stack.enter_context(sent.running(mock_aws()))
        stack.callback(clients._made.cache_clear)  # clients of this account
        stack.enter_context(lines.running())
        stack.enter_context(mock.patch("random.uniform", lambda low, _high: low))
        # Nothing is encrypted here, and reading certificates takes each new client 20 ms.
        stack.enter_context(mock.patch("ssl.SSLContext.load_verify_locations"))
        url = stack.enter_context(search.running())
        servers = {"OPENSEARCH_ENDPOINT": url, "TYPESENSE_URL": url, "STATE_TABLE": STATE}
        yield World({**servers, "LOG_LEVEL": "INFO", **env}, sent, search, lines)


# ── What sinks are sent ───────────────────────────────────────────────────────────────────────────


class _Recorder:
    """Records the ops of the sink *name*, and answers that each is written."""

    effect_s = 0.0

    def __init__(self, name: str, recorded: list[Json]) -> None:
        self.name = name
        self._recorded = recorded

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        del deadline
        for op in ops:
            body = None if op.body is None else json.loads(op.body, parse_float=exact)
            one = {"sink": self.name, "target": op.target, "id": op.id, "version": op.version}
            self._recorded.append({**one, "body": body})
            yield Outcome(op, Done.WRITTEN)


def ops_of(records: Iterable[Json]) -> Iterator[list[Json]]:
    """The ops that sinks are sent for each record."""
    recorded: list[Json] = []
    with a_world() as w:
        sinks: Any = {kind: _Recorder(kind.name, recorded) for kind in w.service.registry.sinks}
        w.service = w.started(sinks=sinks)
        w.service.senders = {}  # so that ops go to no lane
        for record in records:
            w.stream(record)
            yield list(recorded)
            recorded.clear()


def lanes_of(documents: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Target, id and lane of each document, as sent to the queue of Typesense."""
    source = Source(CORE, {"PK": {"S": "x"}, "SK": {"S": "y"}})
    ops = [Op("typesense", source, target, id_, None, 1) for target, id_ in documents]
    with a_world() as w:
        for outcome in w.service.senders["typesense"].write(ops, Deadline(60)):
            assert outcome.result is Done.WRITTEN
        for message in w.aws.messages(LANES):
            for action in json.loads(message["MessageBody"])["actions"]:
                yield action["collection"], action["id"], message["MessageGroupId"]


# ── Settings, commands, events ────────────────────────────────────────────────────────────────────


class _Read(dict[str, str]):
    """Environment variables; records which of them are read."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.names: set[str] = set()

    def get(self, name: str, *otherwise: Any) -> Any:
        self.names.add(name)
        return super().get(name, *otherwise)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


SIGNED: Final = {
    "OPENSEARCH_ENDPOINT": "https://search-x.eu-west-1.es.amazonaws.com",
    "OPENSEARCH_AUTH": "aws",
    "AWS_REGION": "eu-west-1",
}


# Every variable that is not required.
OPTIONAL: Final = {
    "LOG_LEVEL": "WARNING",
    "ITERATOR_AGE_ALARM_MS": "5",
    "STATE_TABLE": STATE,
    "STRICT_SINKS": "opensearch, counters",
    "PARK_DELAY_S": "100",
    "OPENSEARCH_TIMEOUT_S": "3",
    "OPENSEARCH_REFRESH": "wait_for",
    "TYPESENSE_TIMEOUT_S": "4",
}


def settings() -> Json:
    """Environment variables of the service and of each sink, by the sink's name; their defaults,
    and what they do."""

    def sink(kind: Any) -> Any:
        def make(env: Mapping[str, str]) -> None:
            kind.from_env(env)
            if lanes := lanes_of_sink(kind):
                Sender.from_settings(kind.name, lanes, env, clients.client)

        return make

    with a_world(**OPTIONAL) as w:
        optional = _values(w.service)
        w.stream(product("p", 1))
        optional["OPENSEARCH_REFRESH"] = w.search.take()[0]["query"]["refresh"]
        plain = _service(REQUIRED)
        defaults = _values(plain)
        env = {**REQUIRED, **OPTIONAL}
        kinds = {kind.name: kind for kind in plain.registry.sinks}
        sinks = {name: _variables(sink(kind), env) for name, kind in kinds.items()}
        signed = _variables(sink(kinds["opensearch"]), {**env, **SIGNED})
        own = _variables(_service, env)
        of_sinks = {name for found in sinks.values() for names in found.values() for name in names}
        return {
            "sinks": sinks,
            "opensearch, signed": signed,
            "service": {kind: sorted(set(own[kind]) - of_sinks) for kind in own},
            "defaults": defaults,
            "set": {name: [OPTIONAL[name], value] for name, value in optional.items()},
            "seconds in which a request takes effect": {
                **{name: sink.effect_s for name, sink in plain.sinks.items()},
                "typesense": plain.senders["typesense"].effect_s,
                "typesense, behind its queue": plain.sinks["typesense"].effect_s,
            },
        }


def _service(env: Mapping[str, str]) -> Service:
    return Service(env, clients.client, ManualClock(NOW), emit=len)


def _values(service: Service) -> dict[str, Any]:
    """What the optional variables of *service*, the last that was made, came to."""
    sinks: Any = service.sinks
    return {
        "LOG_LEVEL": logging.getLevelName(logging.getLogger("sync").level),
        "ITERATOR_AGE_ALARM_MS": service.config.iterator_age_alarm_ms,
        "STATE_TABLE": service.config.state_table,
        "STRICT_SINKS": sorted(service.config.strict_sinks),
        "PARK_DELAY_S": service.park_delay_s,
        "OPENSEARCH_TIMEOUT_S": sinks["opensearch"].timeout_s,
        "TYPESENSE_TIMEOUT_S": sinks["typesense"].timeout_s,
    }


def _variables(make: Any, env: Mapping[str, str]) -> dict[str, list[str]]:
    """The variables that *make* reads; required: those without which it raises ConfigError."""
    read = _Read(env)
    make(read)
    required = []
    for name in sorted(read.names):
        try:
            make({other: value for other, value in env.items() if other != name})
        except ConfigError:
            required.append(name)
    return {"required": required, "optional": sorted(read.names - set(required))}


def commands() -> dict[str, list[str]]:
    """The names that the payload of each command may have."""
    return {
        name: sorted(argument.name for argument in all_commands.load(name).arguments())
        for name in all_commands.names()
    }


def lambda_answer(event: Json, env: Mapping[str, str]) -> Json:
    """The answer of Lambda's entrypoint to *event*, or the class of the error it raises."""
    handler.service.cache_clear()
    try:
        with mock.patch.dict(environ, {**env, **ENVIRONMENT}, clear=True):
            return {"answers": handler.handle(event, Context())}
    except Exception as error:
        return {"raises": type(error).__name__}
    finally:
        handler.service.cache_clear()
