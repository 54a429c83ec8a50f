"""What functions ask of AWS, in the words of IAM: an action, a resource, and what conditions see.

Tests that know which function calls note here what its clients are asked: `scenario.py`, in which
each function does all it ever does, every history of the simulation, and whatever unit tests do to
a service in an account. `golden.json` is what the scenario asks, no more and no less
(`tests/unit/test_asked.py`), and `tests/integ/test_roles.py` proves the roles by it. A function
that asks for anything else fails the test in which it does, on whatever worker that runs.
`python -m tests.asked` records the scenario anew.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import botocore.session
from botocore import xform_name

from sync.aws.clients import Clients, queue_name

GOLDEN: Final = Path(__file__).with_name("golden.json")

# IAM names an action as the API does, but for these (SQS, SNS and S3 guides; the simulator refuses
# actions that IAM does not have).
ACTIONS: Final = {
    "SendMessageBatch": "SendMessage",
    "PublishBatch": "Publish",
    "ListObjectsV2": "ListBucket",
}
# A transaction needs leave for each of its actions (DynamoDB guide, transaction-apis-iam).
PARTS: Final = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
# Rows that the service derives, by their partition keys; those of the application are one kind.
DERIVED: Final = ("DEFAULT_IMAGES#", "IMAGES#", "ICAO#MATCHER")
FOLDERS: Final = ("letters/", "aws/lambda/")
# The requests that each method of the OpenSearch sink's client sends, x being an alias. In the
# contract tests a real server gets these and no others, and each of them.
OPENSEARCH: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "bulk": frozenset([("POST", "/_bulk")]),
    "documents": frozenset([("POST", "/x/_mget")]),
    "shards": frozenset([("GET", "/x/_search_shards")]),
    "refresh": frozenset([("POST", "/x/_refresh")]),
    "search": frozenset([("POST", "/x-vx/_search")]),
    "places": frozenset([("HEAD", "/_alias/x"), ("GET", "/_alias/x")]),
    "shadow": frozenset([("GET", "/x-vx"), ("PUT", "/x-vx"), ("GET", "/x-vx/_mapping")]),
    "swap": frozenset([("GET", "/x-vx/_alias"), ("POST", "/x-vx/_refresh"), ("POST", "/_aliases")]),
    "drop": frozenset([("DELETE", "/x-vx")]),
    "prepare": frozenset(
        [
            ("HEAD", "/_alias/x"),
            ("HEAD", "/x"),
            ("GET", "/x-vx"),
            ("PUT", "/x-vx"),
            ("GET", "/x/_mapping"),
            ("PUT", "/x-vx/_mapping"),
            ("GET", "/x-vx/_settings"),
            ("PUT", "/x-vx/_settings"),
        ]
    ),
}
# Which function has a queue's messages.
READERS: Final = {
    "resync": "resync",
    "runs": "runs",
    "typesense.fifo": "typesense",
    "dead-letters": "deadletters",
    "typesense-dead-letters.fifo": "deadletters",
}
STAGES: Final = re.compile(r"stream-sync-(test|sim)-")
TABLES: Final = {"parts": "products"}  # the simulation's second table with a stream

Said = tuple[str, str, str]


class Ask(NamedTuple):
    """*function* wants to do *action* to *resource*.

    Resources are named without their stage, such as `table/core`, `queue/resync` or
    `bucket/letters/x`, in which x stands for anything. *seen*: what a condition could look at, as
    `key=value`; "" where there is nothing.
    """

    function: str
    action: str
    resource: str
    seen: str = ""

    @property
    def context(self) -> dict[str, list[str]]:
        """Condition keys with their values."""
        key, _, value = self.seen.partition("=")
        return {key: [value]} if key else {}


class Asked:
    """What was asked, once each."""

    def __init__(self) -> None:
        self.asks: set[Ask] = set()

    def clients(self, clients: Clients, function: Callable[[], str | None]) -> Clients:
        """*clients*, whose calls are recorded as those of *function*; None: nobody's."""

        def client(service: str) -> Any:
            return _Client(clients(service), lambda *call: self._note(function(), service, *call))

        return client

    def opensearch(self, client: Any, function: Callable[[], str | None]) -> Any:
        """The OpenSearch sink's client *client*, recorded as `clients` are."""
        return _OpenSearch(client, lambda method: self._add(function(), requests(method)))

    def _note(
        self, function: str | None, service: str, operation: str, given: Mapping[str, Any]
    ) -> None:
        if function is not None:
            self._add(function, said(service, operation, given))

    def _add(self, function: str | None, asked: Iterable[Said]) -> None:
        if function is not None:
            self.asks.update(Ask(function, *each) for each in asked)


class _Client:
    """A client of boto3, or one that is called like it."""

    def __init__(self, client: Any, note: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._client = client
        self._note = note

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name in ("close", "can_paginate"):
            return found

        def call(**given: Any) -> Any:
            self._note(name, given)
            return found(**given)

        return call

    def get_paginator(self, name: str) -> Any:
        return _Paginator(self._client.get_paginator(name), lambda given: self._note(name, given))


class _Paginator:
    def __init__(self, paginator: Any, note: Callable[[Mapping[str, Any]], None]) -> None:
        self._paginator = paginator
        self._note = note

    def paginate(self, **given: Any) -> Any:
        self._note(given)
        return self._paginator.paginate(**given)


class _OpenSearch:
    def __init__(self, client: Any, note: Callable[[str], None]) -> None:
        self._client = client
        self._note = note

    def bulk(self, body: bytes, timeout_s: float) -> Any:
        self._note("bulk")
        return self._client.bulk(body, timeout_s)

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        self._note("prepare")
        prepared: str = self._client.prepare(alias, schema)
        return prepared

    def places(self, alias: str) -> Any:
        self._note("places")
        return self._client.places(alias)

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Any:
        self._note("shadow")
        return self._client.shadow(alias, schema)

    def swap(self, alias: str, live: str) -> Any:
        self._note("swap")
        return self._client.swap(alias, live)

    def drop(self, alias: str, shadow: str) -> Any:
        self._note("drop")
        return self._client.drop(alias, shadow)

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> Any:
        self._note("documents")
        return self._client.documents(alias, ids, timeout_s)

    def shards(self, alias: str, timeout_s: float) -> Any:
        self._note("shards")
        return self._client.shards(alias, timeout_s)

    def refresh(self, alias: str, timeout_s: float) -> None:
        self._note("refresh")
        self._client.refresh(alias, timeout_s)

    def search(self, index: str, shard: int, query: Mapping[str, Any], timeout_s: float) -> Any:
        self._note("search")
        return self._client.search(index, shard, query, timeout_s)


def said(service: str, method: str, given: Mapping[str, Any]) -> Iterator[Said]:
    """What IAM is asked when *method* of a client of *service* is called."""
    operation = operations(service)[method]
    action = f"{service}:{ACTIONS.get(operation, operation)}"
    match service:
        case "dynamodb":
            yield from _of_dynamodb(operation, given)
        case "sqs":
            yield action, f"queue/{queue_name(given['QueueUrl'])}", ""
        case "sns":
            yield action, f"topic/{given['TopicArn'].rpartition(':')[2]}", ""
        case "secretsmanager":
            yield action, "secret/typesense-api-key", ""
        case "cloudwatch":
            yield action, "*", ""
        case "s3" if operation == "ListObjectsV2":
            prefix = given.get("Prefix")
            yield action, "bucket", f"s3:prefix={_place(prefix)}" if prefix else ""
        case "s3":
            yield action, f"bucket/{_place(given['Key'])}", ""
            if operation == "GetObject":
                # Whoever may not list is told 403 of what is not there (S3's API, GetObject).
                yield "s3:ListBucket", "bucket", ""
        case _:
            raise NotImplementedError(f"what IAM is asked for {service}")


@cache
def operations(service: str) -> Mapping[str, str]:
    """API operations by the names of boto3's methods."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def _of_dynamodb(operation: str, given: Mapping[str, Any]) -> Iterator[Said]:
    action = f"dynamodb:{operation}"
    match operation:
        case "BatchGetItem":
            for name, wanted in given["RequestItems"].items():
                for key in wanted["Keys"]:
                    yield action, _table(name), _leading(name, key)
        case "TransactWriteItems":
            for one in given["TransactItems"]:
                ((part, what),) = one.items()
                name = what["TableName"]
                leading = _leading(name, what["Item" if part == "Put" else "Key"])
                yield f"dynamodb:{PARTS[part]}", _table(name), leading
        case "Scan" | "DescribeTable":
            yield action, _table(given["TableName"]), ""
        case "Query":
            name, index = given["TableName"], given.get("IndexName")
            (value,) = re.findall(r"^\S+ = (:\w+)", given["KeyConditionExpression"])
            leading = _leading(name, {"PK": given["ExpressionAttributeValues"][value]})
            yield action, _table(name) + (f"/index/{index}" if index else ""), leading
        case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
            name = given["TableName"]
            key = given["Item" if operation == "PutItem" else "Key"]
            yield action, _table(name), _leading(name, key)
        case _:
            raise NotImplementedError(f"what IAM is asked for {action}")


def _table(name: str) -> str:
    short = STAGES.sub("", name)
    return f"table/{TABLES.get(short, short)}"


def _leading(table: str, key: Mapping[str, Any]) -> str:
    """The kind of a partition key. IAM is told all those of a request; of a condition that has to
    hold for each of them (ForAllValues), it is as well to ask for one at a time."""
    kind = "x"
    if _table(table) == "table/core":
        value = str(key["PK"]["S"])
        kind = next((_any(each, value) for each in DERIVED if value.startswith(each)), "x")
    return f"dynamodb:LeadingKeys={kind}"


def _place(key: str) -> str:
    return next((f"{each}x" for each in FOLDERS if key.startswith(each)), key)


def _any(known: str, value: str) -> str:
    """*value*, of which all behind *known* may be anything."""
    return known if value == known else f"{known}x"


def requests(method: str) -> Iterator[Said]:
    """What IAM is asked when *method* of the OpenSearch sink's client is called."""
    for verb, path in OPENSEARCH[method]:
        yield f"es:ESHttp{verb.capitalize()}", f"domain{path}", ""


def to_opensearch(verb: str, path: str) -> tuple[str, str]:
    """A request as it stands in `OPENSEARCH`."""
    return verb, "/".join(map(_name, unquote(urlsplit(path).path).split("/")))


def _name(part: str) -> str:
    """x for an alias, x-vx for its indexes; the API's own words as they are."""
    if not part or part.startswith("_"):
        return part
    return "x-vx" if re.fullmatch(r".+-v(\d+|\*)", part) else "x"


def invoked_by(event: Any) -> str | None:
    """The function that Lambda invokes with *event*; None for what is no event of ours."""
    if not isinstance(event, dict):
        return None
    if "command" in event:
        return "admin"
    match event.get("Records"):
        case [{"eventSource": "aws:dynamodb"}, *_]:
            return "stream"
        case [{"eventSource": "aws:sqs", "eventSourceARN": str(arn)}, *_]:
            return READERS.get(arn.rpartition(":")[2])
    return None


# ── The recording ─────────────────────────────────────────────────────────────────────────────────


def recorded() -> frozenset[Ask]:
    lines = json.loads(GOLDEN.read_text())
    return frozenset(Ask(name, *line.split(" ")) for name in lines for line in lines[name])


def record(asks: Iterable[Ask]) -> None:
    lines: dict[str, list[str]] = {}
    for function, *asked in sorted(asks):
        lines.setdefault(function, []).append(" ".join(asked).strip())
    GOLDEN.write_text(json.dumps(lines, indent=2) + "\n")


def unknown(asks: Iterable[Ask]) -> list[str]:
    """Those of *asks* that are not recorded, and what to do."""
    return [
        f"{' '.join(ask).strip()} is not recorded. If it should be, have tests/asked/scenario.py "
        "ask for it, and python -m tests.asked"
        for ask in sorted(set(asks) - recorded())
    ]
