"""The worker of runs in a process of its own, between DynamoDB Local and a real OpenSearch.

What the process sends to SQS comes back to whoever drives it, who is the queue. It reads a record
of SQS from each line of its input, and answers each with a line.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

from handler import run
from local.paths import ROOT
from sync.aws.batches import batches
from sync.aws.wire import read_plainly
from sync.runs.rows import Run, Segment
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import Deadline
from sync.service import Service
from sync.sinks.opensearch import OpenSearch
from tests import settings
from tests.doubles.wiring import Context
from tests.dynamodb_local.server import DynamoDbLocal
from tests.records import PRODUCTS
from tests.settings import QUEUES, REGION
from tests.tables import create_table

RUNS: Final = "stream-sync-test-runs"
_WORDS: Final = ("red", "blue", "fast", "light", "jet", "wing", "cabin", "spare", "long", "range")


class Queues:
    """A client of SQS that keeps what is sent, by the names of queues."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, int]] = []  # queue, body, delay in seconds

    def send_message_batch(self, **request: Any) -> Mapping[str, Any]:
        queue = request["QueueUrl"].rpartition("/")[2]
        for entry in request["Entries"]:
            self.sent.append((queue, entry["MessageBody"], entry.get("DelaySeconds", 0)))
        return {"Failed": []}


def service(opensearch_url: str, dynamodb: Any, queues: Queues) -> Service:
    """A service that writes to OpenSearch alone."""
    env = {
        **settings.ENV,
        "LOG_LEVEL": "CRITICAL",
        "OPENSEARCH_ENDPOINT": opensearch_url,
        "SINKS_OFF": "typesense",
        "RUNS_TABLE": RUNS,
        "RUNS_QUEUE_URL": f"{QUEUES}/runs",
    }
    read_plainly(dynamodb)  # as sync.aws.clients does
    clients = {"dynamodb": dynamodb, "sqs": queues}
    return Service(env, clients.__getitem__, SystemClock(), emit=len)


def record(queue: str, body: str, id_: str | None = None) -> dict[str, Any]:
    """A message as Lambda hands it to a function."""
    return {
        "messageId": id_ or uuid4().hex,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


class Answer(NamedTuple):
    """*done*: whether SQS may delete the message. *peak_kib*: the most memory ever resident."""

    done: bool
    sent: list[tuple[str, str, int]]
    peak_kib: int


class RunProcess:
    """The process; each message is handled as in an invocation of *invocation_s*."""

    def __init__(self, local: DynamoDbLocal, opensearch_url: str, invocation_s: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(local.port), opensearch_url, str(invocation_s)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hand(self, message: Mapping[str, Any]) -> None:
        """Let it begin with *message*."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Answer:
        """What it says of the message that it was handed."""
        assert self._process.stdout is not None
        done, sent, peak_kib = json.loads(self._process.stdout.readline())
        return Answer(done, [(queue, body, delay) for queue, body, delay in sent], peak_kib)

    def kill(self) -> int:
        """SIGKILL; gives what it ended with."""
        self._process.kill()
        return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


class Products:
    """The table of products with items of half a kilobyte, its index, and runs over it."""

    def __init__(self, local: DynamoDbLocal, opensearch_url: str) -> None:
        self.local = local
        self.url = opensearch_url
        self.dynamodb = local.client()
        self.dynamodb.meta.events.register("before-parameter-build.dynamodb.Scan", _limited)
        self.queues = Queues()
        self.service = service(opensearch_url, local.client(), self.queues)
        create_table(self.dynamodb, PRODUCTS, "productId")
        create_table(self.dynamodb, RUNS, "run", "part")
        schema = json.loads(Path(ROOT, "mappings/opensearch/products.json").read_text())
        sink = OpenSearch.from_env(
            {"OPENSEARCH_ENDPOINT": opensearch_url, "OPENSEARCH_AUTH": "none"}
        )
        sink.prepare("products", schema)

    def fill(self, ids: Iterable[int]) -> None:
        """Put the items of *ids*."""
        for some in batches(ids, most=25, most_bytes=25, size=lambda _: 1):
            self.dynamodb.batch_write_item(
                RequestItems={PRODUCTS: [{"PutRequest": {"Item": product(n)}} for n in some]}
            )

    def start(self) -> tuple[str, dict[str, Any]]:
        """Start a backfill in one segment; gives its id and its first message."""
        control = self.service.runs
        run = control.start("backfill", PRODUCTS, {"keys": ["productId"]}, segments=1, items=None)
        return run.id, record("runs", self.queues.sent.pop()[1])

    def segment(self, id_: str) -> Segment:
        (segment,) = self.service.runs_table.segments(id_, Deadline(30))
        return segment

    def run(self, id_: str) -> Run:
        return self.service.runs.run(id_)


def _limited(params: dict[str, Any], **_: object) -> None:
    """Without a limit, DynamoDB Local reads all the rest of a table into its memory for a page."""
    params.setdefault("Limit", 1_000)


def product(n: int, name: str = "Product") -> dict[str, Any]:
    """An item."""
    text = " ".join(_WORDS[n * at % 97 % len(_WORDS)] for at in range(1, 61))
    return {
        "productId": {"S": f"{n:06d}"},
        "name": {"S": f"{name} {n}"},
        "description": {"S": text},
        "price": {"N": f"{n % 10_000}.25"},
        "tags": {"L": [{"S": _WORDS[n % 10]}, {"S": _WORDS[n % 7]}]},
    }


def main(port: str, opensearch_url: str, invocation_s: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else gets between the answers
    queues = Queues()
    worker = service(opensearch_url, DynamoDbLocal(port=int(port)).client(), queues)
    context = Context(round(float(invocation_s) * 1000))
    for line in sys.stdin:
        answer = run({"Records": [json.loads(line)]}, context, worker)
        sent, queues.sent = queues.sent, []
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            json.dumps((not answer["batchItemFailures"], sent, peak_kib)), file=answers, flush=True
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
