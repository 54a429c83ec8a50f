"""The whole way of dead letters, on the deployed stack: kept, shown, replayed."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.servers.typesense import TypesenseServer
from local.stack import Stack
from sync.aws.keys import Source
from sync.recovery.parking import Parked, ParkedMessage
from tests.integ.test_stack import _empty as _empty  # each test leaves the stack as it found it
from tests.integ.test_stack import document, put
from tests.integ.waiting import delivered, open_letters, quiet, until


def sync(stack: Stack, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON of `python -m sync`, as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "sync", *arguments, "--stage", "local", "--json"],
        env={**os.environ, **stack.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads(done.stdout)


@contextmanager
def broken(stack: Stack, function: str) -> Iterator[None]:
    """A deploy that went wrong: the function refuses to start."""
    name, client = f"stream-sync-local-{function}", stack.client("lambda")
    sound = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def set_environment(variables: Mapping[str, str]) -> None:
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": dict(variables)}
        )
        client.get_waiter("function_updated_v2").wait(FunctionName=name)

    set_environment({**sound, "LOG_LEVEL": "BROKEN"})
    try:
        yield
    finally:
        set_environment(sound)


@contextmanager
def impatient(stack: Stack, url: str) -> Iterator[None]:
    """The queue at *url* gives a message up after one failure, and not after hours."""
    sqs = stack.client("sqs")
    sound = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    redrive = {**json.loads(sound["RedrivePolicy"]), "maxReceiveCount": 1}

    def set_attributes(timeout_s: str, redrive: str) -> None:
        attributes = {"VisibilityTimeout": timeout_s, "RedrivePolicy": redrive}
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    set_attributes("1", json.dumps(redrive))
    try:
        yield
    finally:
        set_attributes(sound["VisibilityTimeout"], sound["RedrivePolicy"])


def test_poison_is_mended_and_replayed(stack: Stack) -> None:
    """From the record that can't be, by way of its row, to the document."""
    put(stack, "kettle", name={"S": "Kettle"}, price={"S": "much"})
    delivered(stack)
    (row,) = until("a dead letter", lambda: open_letters(stack))
    code, answer = sync(stack, "dlq", "replay", row["id"])
    assert (code, answer["counts"]) == (1, {"failed": 1})
    (still,) = open_letters(stack)
    assert (still["replays"], still["seen"]) == (1, 1)

    put(stack, "kettle", name={"S": "Kettle"}, price={"N": "12.5"})
    code, answer = sync(stack, "dlq", "replay", "--model", "Product")
    assert (code, answer["counts"]) == (0, {"replayed": 1})
    assert document(stack, "kettle")["price"] == 12.5
    _, listed = sync(stack, "dlq", "list", "--status", "replayed")
    assert row["id"] in {one["id"] for one in listed["rows"]}
    quiet(stack)
    assert document(stack, "kettle")["price"] == 12.5


def test_a_batch_that_lambda_gave_up_on_is_kept_and_replayed(stack: Stack) -> None:
    """After a deploy that went wrong; Lambda writes the records themselves into the bucket."""
    with broken(stack, "stream"):
        for n in range(3):
            put(stack, f"range-{n}", name={"S": "x"}, price={"N": str(n)})
        delivered(stack)
        until("three dead letters", lambda: len(open_letters(stack)) == 3)
    assert document(stack, "range-0") is None
    rows = {row["keys"]["productId"]["S"]: row for row in open_letters(stack)}
    assert {row["kind"] for row in rows.values()} == {"given-up"}
    shown = stack.command({"command": "dlq show", "id": rows["range-1"]["id"]})
    assert shown["body"]["dynamodb"]["NewImage"]["price"] == {"N": "1"}
    until("the last requests to be over", lambda: replayed(stack))
    assert [document(stack, f"range-{n}")["price"] for n in range(3)] == [0, 1, 2]


def replayed(stack: Stack) -> bool:
    """Whether a replay leaves nothing open."""
    return "failed" not in stack.command({"command": "dlq replay", "all": True})["counts"]


def test_a_parked_message_that_is_never_handled_becomes_rows(stack: Stack) -> None:
    """By the resync queue's redrive policy; its keys are replayed like any others."""
    put(stack, "parked", name={"S": "x"}, price={"N": "1"})
    delivered(stack)
    keys = [{"productId": {"S": product_id}} for product_id in ("parked", "gone")]
    sources = (Parked(Source(stack.tables["products"], key)) for key in keys)
    message = ParkedMessage("opensearch", tuple(sources), 0, 1_790_000_000.0)
    with broken(stack, "resync"), impatient(stack, stack.resync_queue_url):
        stack.client("sqs").send_message(
            QueueUrl=stack.resync_queue_url, MessageBody=message.body()
        )
        until("two dead letters", lambda: len(open_letters(stack)) == 2)
    assert {row["kind"] for row in open_letters(stack)} == {"parked"}
    found = [row["keys"] for row in open_letters(stack)]
    assert sorted(found, key=str) == sorted(keys, key=str)
    code, answer = sync(stack, "dlq", "replay", "--kind", "parked")
    assert (code, answer["counts"]) == (0, {"replayed": 2})
    assert document(stack, "parked")["price"] == 1


def test_actions_that_are_never_handled_become_rows(
    stack: Stack, collected: TypesenseServer
) -> None:
    """By way of the Typesense queue's own dead-letter queue, which has to be a FIFO queue too."""
    keys = {"PK": {"S": "AIRCRAFT#REGISTRY#FAA"}, "SK": {"S": "DETAIL#N1"}}
    item = {**keys, "registration": {"S": "N1"}, "n_number": {"S": "1"}}
    with broken(stack, "typesense"), impatient(stack, stack.typesense_queue_url):
        stack.client("dynamodb").put_item(TableName=stack.tables["core"], Item=item)
        (row,) = until("a dead letter", lambda: open_letters(stack))
    assert (row["kind"], row["sink"], row["keys"]) == ("queued", "typesense", keys)
    until("the last requests to be over", lambda: replayed(stack))
    quiet(stack)
    with collected.client() as client:
        assert client.collections["registry"].retrieve()["num_documents"] == 1


def test_a_command_that_fails_when_nobody_waits_for_it_is_a_dead_letter(stack: Stack) -> None:
    """With its payload: asynchronous invocations have a destination for that."""
    payload = {"command": "resync", "table": "no-such-table"}
    stack.client("lambda").invoke(
        FunctionName="stream-sync-local-admin",
        InvocationType="Event",
        Payload=json.dumps(payload).encode(),
    )
    (row,) = until("a dead letter", lambda: open_letters(stack))
    assert row["kind"] == "invocation"
    assert stack.command({"command": "dlq show", "id": row["id"]})["body"] == payload


def test_a_message_that_is_nothing_is_kept_too(stack: Stack) -> None:
    """Whoever sends it."""
    stack.client("sqs").send_message(QueueUrl=stack.dead_letter_queue_url, MessageBody="noise")
    (row,) = until("a dead letter", lambda: open_letters(stack))
    assert (row["kind"], row["error_class"]) == ("unknown", "JSONDecodeError")
    code, answer = sync(stack, "dlq", "discard", row["id"], "--reason", "noise")
    assert (code, answer["counts"]) == (0, {"discarded": 1})


def test_status_is_told_of_the_deployed_stack(stack: Stack) -> None:
    """With the rights of its role; the emulator has no iterator age."""
    put(stack, "status", name={"S": "x"}, price={"N": "1"})
    quiet(stack)
    code, answer = sync(stack, "status")
    assert (code, answer["level"], answer["problems"]) == (0, "green", [])
    (opensearch,) = (sink for sink in answer["sinks"] if sink["sink"] == "opensearch")
    assert opensearch["last_success_at"] is not None
    assert answer["stream"]["iterator_age_ms"] is None


def test_a_table_is_resynced_after_its_documents_were_lost(stack: Stack) -> None:
    """Whatever took them."""
    for n in range(3):
        put(stack, f"lost-{n}", name={"S": "x"}, price={"N": str(n)})
    delivered(stack)
    request = urllib.request.Request(
        f"{stack.opensearch_url}/products/_delete_by_query?refresh=true",
        data=b'{"query": {"match_all": {}}}',
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(
        urllib.request.Request(f"{stack.opensearch_url}/products/_refresh", method="POST")
    )
    urllib.request.urlopen(request)
    assert document(stack, "lost-1") is None
    code, answer = sync(stack, "resync", "--table", stack.tables["products"])
    assert (code, answer["counts"]) == (0, {"written": 3})
    assert document(stack, "lost-1")["price"] == 1
