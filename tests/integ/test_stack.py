"""The deployed service as its users meet it: items are written, documents are found."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from local.errors import LocalError
from local.stack import Stack
from sync.commands import names
from sync.writing.ids import document_id
from tests.integ.waiting import delivered, open_letters, parked, quiet, until
from tests.lengths import alone


@pytest.fixture(autouse=True)
def _empty(stack: Stack) -> Iterator[None]:
    """Each test finds, and leaves, empty tables and no open dead letters."""
    yield
    stack.opensearch.start()
    client = stack.client("dynamodb")
    # A replay or a resync of this second is newer than what the stream tells of it: what is deleted
    # now would be parked, and looked at again.
    second = int(time.time())
    until("the next second", lambda: time.time() >= second + 1)
    for table in stack.tables.values():
        keys = client.describe_table(TableName=table)["Table"]["KeySchema"]
        for item in client.scan(TableName=table)["Items"]:
            key = {k["AttributeName"]: item[k["AttributeName"]] for k in keys}
            client.delete_item(TableName=table, Key=key)
    quiet(stack)
    if left := [row["id"] for row in open_letters(stack)]:
        stack.command({"command": "dlq discard", "ids": left, "reason": "of a test"})


def put(stack: Stack, product_id: str, **attributes: dict[str, Any]) -> None:
    item = {"productId": {"S": product_id}, **attributes}
    stack.client("dynamodb").put_item(TableName=stack.tables["products"], Item=item)


def document(stack: Stack, product_id: str) -> Any:
    found = document_id({"productId": {"S": product_id}}, ["productId"])
    url = f"{stack.opensearch_url}/products/_doc/{quote(found, safe='')}"
    try:
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["_source"]
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return None


def test_a_write_a_change_and_a_removal_are_searchable(stack: Stack) -> None:
    """From PutItem through stream, function and role to the document, digits and all."""
    exact = "12345678901234567890.123456789"
    put(stack, "a/b c", name={"S": "Ünïcode ✈"}, price={"N": exact}, tags={"SS": ["b", "a"]})
    delivered(stack)
    found = document(stack, "a/b c")
    assert (found["name"], found["tags"]) == ("Ünïcode ✈", ["a", "b"])
    url = f"{stack.opensearch_url}/products/_search"
    urllib.request.urlopen(
        urllib.request.Request(url.replace("_search", "_refresh"), method="POST")
    )
    with urllib.request.urlopen(url) as answer:
        assert f'"price":{exact}' in answer.read().decode()
    put(stack, "a/b c", name={"S": "changed"}, price={"N": "1"})
    delivered(stack)
    assert document(stack, "a/b c")["name"] == "changed"
    stack.client("dynamodb").delete_item(
        TableName=stack.tables["products"], Key={"productId": {"S": "a/b c"}}
    )
    delivered(stack)
    assert document(stack, "a/b c") is None


def test_a_poison_record_arrives_whole_and_holds_up_nobody(stack: Stack) -> None:
    """Small ones inside the message, large ones through the bucket."""
    put(stack, "small", name={"S": "x"}, price={"S": "much"})
    put(stack, "good", name={"S": "x"}, price={"N": "1"})
    put(stack, "large", name={"N": "5"}, price={"N": "1"}, description={"S": "x" * 300_000})
    delivered(stack)
    assert document(stack, "good") == {"productId": "good", "name": "x", "price": 1}
    until("two dead letters", lambda: len(open_letters(stack)) == 2)
    found = {
        row["keys"]["productId"]["S"]: stack.command({"command": "dlq show", "id": row["id"]})
        for row in open_letters(stack)
    }
    small, large = found["small"], found["large"]
    assert small["body"]["dynamodb"]["NewImage"]["price"] == {"S": "much"}
    assert small["row"]["table"] == stack.tables["products"]
    assert "price: Input should be a number" in small["row"]["error"]
    assert "Traceback" in small["row"]["trace"]
    assert large["row"]["payload"]["bytes"] > 300_000
    assert large["body"]["dynamodb"]["NewImage"]["description"]["S"] == "x" * 300_000


def test_nothing_is_lost_while_opensearch_is_down(stack: Stack) -> None:
    """Its keys are parked, so the shard moves on, and resynced when it is back."""
    stack.opensearch.stop()
    for n in range(20):
        put(stack, f"outage-{n}", name={"S": "x"}, price={"N": str(n)})
    delivered(stack)  # Lambda is told that all is well
    assert parked(stack)
    sinks = {sink["sink"]: sink for sink in stack.command({"command": "status"})["sinks"]}
    assert sinks["opensearch"]["breaker"].startswith("open until")
    assert sinks["typesense"]["breaker"] == "closed"
    stack.opensearch.start()
    quiet(stack)
    assert [document(stack, f"outage-{n}")["price"] for n in range(20)] == list(range(20))
    assert open_letters(stack) == []


def test_the_functions_may_do_what_they_need_and_nothing_else(stack: Stack) -> None:
    """The emulator enforces roles; a denial shows that it does."""
    iam, sts = stack.client("iam"), stack.client("sts")
    role = iam.get_role(
        RoleName=stack.client("lambda")
        .get_function(FunctionName="stream-sync-local-stream")["Configuration"]["Role"]
        .split("/")[-1]
    )["Role"]["Arn"]
    lent = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    import boto3

    def client(service: Any) -> Any:
        return boto3.client(
            service,
            "us-east-1",
            endpoint_url=stack.endpoint_url,
            aws_access_key_id=lent["AccessKeyId"],
            aws_secret_access_key=lent["SecretAccessKey"],
            aws_session_token=lent["SessionToken"],
        )

    with pytest.raises(ClientError, match="not authorized"):
        client("dynamodb").scan(TableName=stack.tables["core"])
    with pytest.raises(ClientError, match="not authorized"):
        client("sqs").receive_message(QueueUrl=stack.dead_letter_queue_url)


def test_mappings_can_be_applied_again(stack: Stack) -> None:
    """A deploy that changes nothing changes nothing."""
    answer = stack.deployment.invoke("admin", {"command": "mappings apply"})
    assert {target["result"] for target in answer["targets"]} == {"unchanged"}


def test_an_unknown_command_is_an_error_that_names_those_there_are(stack: Stack) -> None:
    """People type them by hand."""
    known = ", ".join(names())
    with pytest.raises(LocalError, match=f"no command 'nope'; there are: {known}"):
        stack.deployment.invoke("admin", {"command": "nope"})


@pytest.mark.soak
@alone("the demo starts and stops the same stack")
def test_up_and_down_leave_nothing_behind() -> None:
    """Twice in a row, and beside the stack of the tests."""

    def local(command: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "local", command, "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def asked() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "sync", "status", "--stage", "local"],
            env={"PATH": os.defpath, "AWS_PROFILE": "the user's own"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    for _ in range(2):
        assert (status := asked())[0] == 2
        assert "error: no local stack is up: `make up` starts one" in status[1]
        found = local("up")
        assert asked() == (0, "")  # without a word of where it is
        with urllib.request.urlopen(found["opensearch_url"]) as answer:
            assert json.load(answer)["version"]["number"] == "3.6.0"
        assert local("up")["pid"] == found["pid"]
        assert local("down") == {"stopped": True}
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(found["opensearch_url"])
    assert local("down") == {"stopped": False}
