"""OpenSearch is down for a minute amid 20,000 writes, and functions are killed: a deployed service
with a second sink, which a test adds to a copy of the sources."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.checker import Documents, Expectation, check
from local.paths import ROOT, STATE
from local.stack import Stack
from tests.integ.waiting import delivered, open_letters, quiet, until
from tests.lengths import alone

ITEMS, WRITES, OUTAGE_S, KILLS = 4_000, 20_000, 60.0, 10
AUDIT_TABLE = "stream-sync-local-audit"

SINK = '''
"""What every document holds, once more in a table: a second sink for a test."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from sync.aws.clients import client, failures
from sync.runtime.deadline import Deadline
from sync.errors import Retry
from sync.writing.op import Done, Op, Outcome


class Audit:
    name: ClassVar[str] = "audit"
    effect_s = 3.5

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls()

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        for at in range(0, len(ops), 25):
            chunk = ops[at : at + 25]
            requests = [
                {"DeleteRequest": {"Key": {"id": {"S": op.id}}}}
                if op.body is None
                else {"PutRequest": {"Item": {"id": {"S": op.id}, "body": {"S": op.body.decode()}}}}
                for op in chunk
            ]
            try:
                with failures("audit"):
                    client("dynamodb").batch_write_item(RequestItems={"AUDIT_TABLE": requests})
            except Retry as error:
                yield from (Outcome(op, error) for op in chunk)
            else:
                yield from (Outcome(op, Done.WRITTEN) for op in chunk)
'''.replace("AUDIT_TABLE", AUDIT_TABLE)


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Stack]:
    """A stack whose products go to OpenSearch and to the audit table."""
    for name in ("sync", "mappings"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("handler.py", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "sync" / "sinks" / "audit.py").write_text(SINK)
    product = tmp_path / "sync" / "models" / "product.py"
    source = product.read_text()
    assert source.count('OpenSearch: "products"') == 1
    product.write_text(
        "from sync.sinks.audit import Audit\n"
        + source.replace('OpenSearch: "products"', 'OpenSearch: "products", Audit: "products"')
    )
    with Stack(
        say=lambda _: None, logs=STATE / "test-logs" / "outage", root=tmp_path, alone=False
    ) as stack:
        stack.client("dynamodb").create_table(
            TableName=AUDIT_TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        _allow_audit(stack)
        yield stack


def _allow_audit(stack: Stack) -> None:
    document = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
        '"Action":"dynamodb:BatchWriteItem","Resource":"*"}]}'
    )
    for name in ("stream", "resync", "admin"):
        function = stack.client("lambda").get_function(FunctionName=f"stream-sync-local-{name}")
        stack.client("iam").put_role_policy(
            RoleName=function["Configuration"]["Role"].split("/")[-1],
            PolicyName="audit",
            PolicyDocument=document,
        )


def _write(stack: Stack, numbers: range) -> None:
    """Puts and deletes, in batches of 25 items that differ."""
    client, table = stack.client("dynamodb"), stack.tables["products"]

    def batch(at: int) -> None:
        requests: list[Any] = []
        for n in range(at, min(at + 25, numbers.stop)):
            key = {"productId": {"S": f"item-{n % ITEMS}"}}
            requests.append(
                {"DeleteRequest": {"Key": key}}
                if n % 17 == 0
                else {
                    "PutRequest": {
                        "Item": {**key, "name": {"S": f"write {n}"}, "price": {"N": str(n)}}
                    }
                }
            )
        answer = client.batch_write_item(RequestItems={table: requests})
        assert not answer.get("UnprocessedItems")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(batch, range(numbers.start, numbers.stop, 25)))


def _audit(stack: Stack) -> dict[str, Any]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=AUDIT_TABLE)
    return {item["id"]["S"]: item["body"]["S"] for page in pages for item in page["Items"]}


def _expected(stack: Stack) -> dict[str, Any]:
    pages = (
        stack.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=stack.tables["products"], ConsistentRead=True)
    )
    return {
        item["productId"]["S"]: (
            f'{{"productId":"{item["productId"]["S"]}","name":"{item["name"]["S"]}",'
            f'"price":{item["price"]["N"]}}}'
        )
        for page in pages
        for item in page["Items"]
    }


def _workers(stack: Stack) -> list[int]:
    """Processes that run the stream function of *stack*, and of no other on this machine."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_function = (
                b"ministack-lambda-stream-sync-local-stream-" in (process / "cmdline").read_bytes()
            )
            if is_function and stack.endpoint_url.encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


@pytest.mark.soak
@alone("test_stack.py has a shorter outage, and the simulation many")
@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the function's processes in /proc")
def test_an_outage_amid_writes_delays_no_other_sink_and_loses_nothing(audited: Stack) -> None:
    """While OpenSearch is down the other sink gets everything; when it is back, both are equal."""
    stack = audited
    chance = random.Random(4)
    _write(stack, range(5_000))
    delivered(stack)
    began = time.monotonic()
    stack.opensearch.stop()
    step = (WRITES - 5_000) // KILLS
    for n in range(KILLS):
        _write(stack, range(5_000 + n * step, 5_000 + (n + 1) * step))
        os.kill(chance.choice(until("a worker to kill", lambda: _workers(stack))), signal.SIGKILL)
    delivered(stack)
    expected = _expected(stack)

    def other_sink_has_it() -> bool:
        if open_letters(stack):  # a batch that was killed too often
            stack.command({"command": "dlq replay", "all": True})
        return _audit(stack) == expected

    until("the other sink to have it all, with OpenSearch down", other_sink_has_it)
    behind_s = time.monotonic() - began
    time.sleep(max(0.0, OUTAGE_S - behind_s))  # the outage is to last, whatever else is done
    stack.opensearch.start()
    quiet(stack)
    if open_letters(stack):
        stack.command({"command": "dlq replay", "all": True})
    print(
        f"the other sink had {WRITES:,} writes {behind_s:.1f} s after OpenSearch stopped; "
        f"all equal {time.monotonic() - began - OUTAGE_S:.1f} s after it was back"
    )
    assert open_letters(stack) == []
    assert _audit(stack) == expected
    report = check(
        stack.client("dynamodb"), stack.tables, Documents(stack.opensearch_url), Expectation()
    )
    assert report.documents == len(expected)
    assert report.mismatches == 0
