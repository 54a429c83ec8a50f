"""Answers of DynamoDB that botocore's parser does not touch."""

import json
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from sync.aws.clients import client
from sync.aws.items import Items
from sync.aws.keys import Source
from sync.aws.pages import page
from sync.aws.wire import read_plainly
from sync.runtime.deadline import Deadline
from tests.settings import REGION

BINARY = "AP+A"  # base64
KEYS = {"id": {"B": BINARY}}
ITEM = {
    **KEYS,
    "text": {"S": "ß\U0001f600"},
    "number": {"N": "12345678901234567890123456789012345678"},
    "set": {"BS": [BINARY, "AA=="]},
    "deep": {"M": {"list": {"L": [{"B": BINARY}, {"NULL": True}, {"M": {"b": {"B": ""}}}]}}},
}
ANSWERS: Mapping[str, Any] = {
    "Scan": {"Items": [ITEM], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": KEYS},
    "Query": {"Items": [ITEM], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": KEYS},
    "BatchGetItem": {"Responses": {"things": [ITEM]}, "UnprocessedKeys": {}},
}


class Body(bytes):
    """What urllib3 has of a body that was read."""

    def stream(self) -> Iterator[bytes]:
        yield self


class Served:
    """A client of DynamoDB to whose requests these *answers* come, one after another.

    Their checksums leave out a blank or NUL at the end: such a body is damaged.
    """

    def __init__(self, *answers: tuple[int, bytes], plainly: bool = True) -> None:
        self._answers = iter(answers)
        self.asked = 0
        self.client = boto3.client(
            "dynamodb",
            REGION,
            aws_access_key_id="x",
            aws_secret_access_key="x",  # noqa: S106 - nobody checks it
        )
        if plainly:
            read_plainly(self.client)
        self.client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, **_: object) -> Any:
        self.asked += 1
        status, body = next(self._answers)
        headers: Any = {"x-amz-crc32": str(crc32(body.rstrip(b"\0 ")))}
        return AWSResponse("https://dynamodb", status, headers, Body(body))

    def clients(self, _service: str) -> Any:
        return self.client


def sent(answer: Mapping[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps(answer).encode()


def read_page(how: Any) -> Callable[[Served], Any]:
    return lambda served: page(served.clients, how, None, TableName="things")


def read_keys(served: Served) -> Any:
    return list(Items(served.clients).read([Source("things", KEYS)], Deadline(9)).values())


@pytest.mark.parametrize("plainly", [True, False], ids=["plainly", "by botocore"])
@pytest.mark.parametrize(
    ("operation", "read", "found"),
    [
        ("Scan", read_page("scan"), ([ITEM], KEYS)),
        ("Query", read_page("query"), ([ITEM], KEYS)),
        ("BatchGetItem", read_keys, [ITEM]),
    ],
)
def test_items_are_as_dynamodb_sent_them(
    operation: str, read: Callable[[Served], Any], found: Any, plainly: bool
) -> None:
    assert read(Served(sent(ANSWERS[operation]), plainly=plainly)) == found


def test_an_answer_has_botocores_metadata_and_no_bytes() -> None:
    answer = Served(sent(ANSWERS["Scan"])).client.scan(TableName="things")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["Count"] == 1
    assert answer["Items"][0] == ITEM


def test_errors_are_botocores() -> None:
    body = b'{"__type": "x#ResourceNotFoundException", "message": "none"}'
    served = Served((400, body))
    with pytest.raises(served.client.exceptions.ResourceNotFoundException, match="none"):
        served.client.scan(TableName="things")


@pytest.mark.parametrize(
    "first",
    [
        pytest.param((500, b'{"__type": "x#InternalServerError"}'), id="an error of the server"),
        pytest.param((200, json.dumps(ANSWERS["Scan"]).encode() + b"\0"), id="no JSON"),
        pytest.param((200, b'{"Items": []} '), id="a wrong checksum"),
    ],
)
def test_botocore_asks_again_as_ever(first: tuple[int, bytes]) -> None:
    served = Served(first, sent(ANSWERS["Scan"]))
    assert served.client.scan(TableName="things")["Items"][0] == ITEM
    assert served.asked == 2


def test_the_services_client_reads_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(sent(ANSWERS["Scan"]), plainly=False)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: served.client)
    client.__globals__["_made"].cache_clear()
    try:
        assert client("dynamodb").scan(TableName="things")["Items"][0] == ITEM
    finally:
        client.__globals__["_made"].cache_clear()
