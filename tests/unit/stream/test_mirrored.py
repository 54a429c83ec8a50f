"""A mirrored table on its way through the service: stream, resync, dead letters, commands."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sync.errors import ConfigError
from sync.model.mirror import among
from tests.doubles.account import Account
from tests.doubles.in_process import mock_aws
from tests.records import stream_record
from tests.settings import TABLES

TABLE = "Any.Table"
NAMES = ["name", "message", "args", "created", "id", "_id", "a-b", "a.b", "ключ", "model_config"]
VALUES = {"S": "a|b", "N": "1.50E+1", "B": "/+8="}
IDS = {"S": "a%7Cb", "N": "15", "B": "%2F%2B8%3D"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """One whose functions may ask for any table: roles are made from the tables of a stage."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Account()


def mirrored(account: Account, names: list[str], types: str) -> dict[str, Any]:
    """Mirror a new table with these key attributes; gives a key of it."""
    kinds = ("HASH", "RANGE")
    account.dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": type_}
            for name, type_ in zip(names, types, strict=True)
        ],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(names, kinds, strict=False)
        ],
    )
    tables = json.dumps({**TABLES, "any": TABLE})
    account.service = account.fresh(TABLES=tables, MIRRORS=json.dumps({"any": names}))
    return {name: {type_: VALUES[type_]} for name, type_ in zip(names, types, strict=True)}


def documents(account: Account) -> dict[str, Any]:
    """Those of the mirror, by id."""
    return {
        id_: json.loads(body)
        for (target, id_), body in account.memory.documents.items()
        if target == "any.table" and body is not None
    }


@pytest.mark.parametrize("types", ["S", "N", "B", "SN", "NB", "BS"])
@pytest.mark.parametrize("name", NAMES)
def test_keys_may_have_any_name_and_type(account: Account, name: str, types: str) -> None:
    """A change, a deletion and a resync of one item all speak of one document."""
    keys = mirrored(account, [name, "second"][: len(types)], types)
    id_ = "|".join(IDS[type_] for type_ in types)
    item = {**keys, "flag": {"BOOL": True}}
    records = [stream_record(keys, item, table=TABLE)]
    assert account.handle({"Records": records}) == {"batchItemFailures": []}
    ((found, document),) = documents(account).items()
    assert found == id_
    assert document["flag"] is True
    assert len(document) == len(item)
    plain = {n: {"N": "15"} if "N" in av else av for n, av in keys.items()}  # as it is stored
    answer = account.call("resync", table=TABLE, keys=[plain])
    assert (answer["counts"], answer["failures"]) == ({"written": 1}, [])
    assert documents(account) == {}  # the table never had the item
    row = {n: {"B": b"\xff\xef"} if "B" in av else av for n, av in plain.items()}
    account.dynamodb.put_item(TableName=TABLE, Item={**row, "flag": {"BOOL": True}})
    assert account.call("resync", table=TABLE)["counts"] == {"written": 1}
    assert documents(account) == {id_: document}
    account.handle({"Records": [stream_record(keys, table=TABLE, created_s=1_900_000_000)]})
    assert documents(account) == {}


def test_what_can_not_be_read_is_a_dead_letter(account: Account) -> None:
    """It names table and keys, also where a key is called like a field of a log record."""
    keys = mirrored(account, ["name", "message"], "SN")
    bad = {**keys, "args": {"N": "1_0"}}
    good = {**keys, "name": {"S": "other"}}
    records = [
        stream_record(keys, bad, table=TABLE),
        stream_record({**keys, "name": {"S": "other"}}, good, table=TABLE),
    ]
    assert account.handle({"Records": records}) == {"batchItemFailures": []}
    assert list(documents(account)) == ["other|15"]
    (letter,) = map(json.loads, account.letters())
    assert letter["table"] == TABLE
    assert letter["keys"] == keys
    assert "args: not a decimal number" in json.dumps(letter)


def test_a_wrong_stage_is_refused_at_start(account: Account) -> None:
    """A typo in a role, and a table that has models as well."""
    for mirrors in ({"any": ["id"]}, {"products": ["productId"]}):
        with pytest.raises(ConfigError, match="MIRRORS"):
            account.fresh(MIRRORS=json.dumps(mirrors))


def test_a_stage_without_mirrors_says_nothing(account: Account) -> None:
    """The variable may be missing, or empty."""
    assert among(account.fresh(MIRRORS="").registry.models) == []
    assert among(account.fresh(MIRRORS="{}").registry.models) == []
    assert among(account.fresh().registry.models) == []
