"""What is found of a stage before it is deployed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from sync.errors import ConfigError
from sync.stages.checks import checked
from sync.stages.files import parse
from sync.stages.schema import Stage

ACCOUNT, REGION = "123456789012", "eu-west-1"
STREAM = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Orders/stream/2026-01-01T00:00:00.000"
DOMAIN = f"arn:aws:es:{REGION}:{ACCOUNT}:domain/shop"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key"
TABLE = {
    "TableName": "Orders",
    "TableArn": STREAM.partition("/stream/")[0],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "LatestStreamArn": STREAM,
    "ItemCount": 1200,
}
GOOD = {
    ("tables.orders", "good", "Orders: NEW_AND_OLD_IMAGES, 1,200 items"),
    ("opensearch.existing", "good", "https://shop.example.org: version 3.1.0"),
    ("typesense.url", "good", "https://typesense.example.org is healthy"),
}


def refuse(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as told"}}, "Asked")


class Aws:
    """Every client; *said* replaces its answers, or is raised."""

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(Exception):
            """No table."""

    def __init__(self, **said: Any) -> None:
        self.said: dict[str, Any] = {
            "describe_table": {"Table": TABLE},
            "describe_domain": {
                "DomainStatus": {"EngineVersion": "OpenSearch_3.1", "Endpoint": "shop.example.org"}
            },
            "describe_secret": {},
            "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
            "get_caller_identity": {"Account": ACCOUNT},
            "paginate": [],
            **said,
        }
        self.meta = type("Meta", (), {"region_name": REGION})

    def __call__(self, _service: str) -> Any:
        return self

    def get_paginator(self, _name: str) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        def answer(**_: Any) -> Any:
            if isinstance(self.said[name], Exception):
                raise self.said[name]
            return self.said[name]

        return answer


def stage(**more: Any) -> Stage:
    content: dict[str, Any] = {
        "tables": {"orders": {"keys": {"id": "S"}, "stream": STREAM}},
        "opensearch": {"existing": {"endpoint": "https://shop.example.org", "arn": DOMAIN}},
        "typesense": {"url": "https://typesense.example.org", "secret": SECRET},
        **more,
    }
    return Stage.model_validate(content)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What servers answer, by URL: JSON, a status, or an exception to be raised."""
    answers: dict[str, Any] = {
        "https://shop.example.org": {"version": {"number": "3.1.0"}},
        "https://typesense.example.org/health": {"ok": True},
    }

    def get(url: str, **_: Any) -> requests.Response:
        said = answers[url]
        if isinstance(said, Exception):
            raise said
        response = requests.Response()
        response.status_code = said if isinstance(said, int) else 200
        response._content = b"<html>" if isinstance(said, int) else json.dumps(said).encode()
        return response

    monkeypatch.setattr(requests, "get", get)
    return answers


def found(aws: Aws, name: str = "try", **more: Any) -> set[tuple[str, str, str]]:
    return {(one.of, one.level, one.said) for one in checked(name, stage(**more), aws)}


def test_of_a_good_stage_nothing_bad_is_told(servers: Mapping[str, Any]) -> None:
    assert servers
    assert found(Aws()) == GOOD


OTHER = {**TABLE, "LatestStreamArn": STREAM.replace("2026", "2027")}
ES = {"DomainStatus": {"EngineVersion": "Elasticsearch_7.10", "Endpoint": "shop.example.org"}}
MOVED = {
    "DomainStatus": {"EngineVersion": "OpenSearch_3.1", "Endpoints": {"vpc": "vpc.example.org"}}
}


@pytest.mark.parametrize(
    ("said", "field", "level", "told"),
    [
        (
            {"describe_table": Aws.exceptions.ResourceNotFoundException()},
            "tables.orders",
            "fault",
            "there is no table Orders",
        ),
        (
            {"describe_table": refuse("AccessDeniedException")},
            "tables.orders",
            "fault",
            "describing Orders: An error occurred (AccessDeniedException) when calling the Asked "
            "operation: as told",
        ),
        (
            {"describe_table": {"Table": OTHER}},
            "tables.orders",
            "fault",
            f"the stream of Orders is now {OTHER['LatestStreamArn']}",
        ),
        (
            {"describe_domain": refuse("ResourceNotFoundException")},
            "opensearch.existing",
            "fault",
            "describing the domain shop: An error occurred (ResourceNotFoundException) when "
            "calling the Asked operation: as told",
        ),
        ({"describe_domain": ES}, "opensearch.existing", "fault", "shop is Elasticsearch_7.10"),
        (
            {"describe_domain": MOVED},
            "opensearch.existing",
            "fault",
            "the endpoint of shop is vpc.example.org, not shop.example.org",
        ),
        (
            {"describe_secret": refuse("ResourceNotFoundException")},
            "typesense.secret",
            "fault",
            "describing the secret: An error occurred (ResourceNotFoundException) when calling the "
            "Asked operation: as told",
        ),
        (
            {"get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 10}}},
            "the account",
            "warning",
            "Lambda runs 10 functions of this account at once",
        ),
        (
            {"get_account_settings": refuse("AccessDeniedException")},
            "the account",
            "warning",
            "asking for the quotas of Lambda: An error occurred (AccessDeniedException) when "
            "calling the Asked operation: as told",
        ),
    ],
)
def test_what_aws_says_is_told(
    said: dict[str, Any], field: str, level: str, told: str, servers: Mapping[str, Any]
) -> None:
    assert servers
    assert (field, level, told) in found(Aws(**said))


@pytest.mark.parametrize(
    ("stream", "keys", "told"),
    [
        (
            STREAM.replace(REGION, "us-east-1"),
            {"id": "S"},
            "Orders is in us-east-1, not in eu-west-1",
        ),
        (
            STREAM.replace(ACCOUNT, "999999999999"),
            {"id": "S"},
            "Orders is in the account 999999999999, and this one is 123456789012",
        ),
        (STREAM, {"id": "N"}, "Orders has the keys id (S), not id (N)"),
    ],
)
def test_a_table_that_is_not_as_the_file_says_is_a_fault(
    stream: str, keys: dict[str, str], told: str, servers: Mapping[str, Any]
) -> None:
    """In another region or account Lambda can't read its stream."""
    assert servers
    tables = {"orders": {"keys": keys, "stream": stream}}
    assert ("tables.orders", "fault", told) in found(Aws(), tables=tables)


def test_a_table_that_the_stack_makes_is_not_asked_for(servers: Mapping[str, Any]) -> None:
    assert servers
    aws = Aws(describe_table=AssertionError("asked"))
    assert "tables.orders" not in {
        of for of, *_ in found(aws, tables={"orders": {"keys": {"id": "S"}}})
    }


@pytest.mark.parametrize(
    ("answer", "level", "told"),
    [
        (403, "good", "https://shop.example.org answers, to signed requests alone"),
        (404, "fault", "https://shop.example.org is no OpenSearch: it answers 404"),
        ({"version": "1"}, "fault", "https://shop.example.org is no OpenSearch: it answers 200"),
        (["x"], "fault", "https://shop.example.org is no OpenSearch: it answers 200"),
        (
            requests.ConnectTimeout(),
            "warning",
            "https://shop.example.org does not answer here: ConnectTimeout",
        ),
    ],
)
def test_what_a_domain_answers_is_told(
    answer: Any, level: str, told: str, servers: dict[str, Any]
) -> None:
    servers["https://shop.example.org"] = answer
    assert ("opensearch.existing", level, told) in found(Aws())


@pytest.mark.parametrize(
    ("answer", "level", "told"),
    [
        ({"ok": False}, "warning", "https://typesense.example.org is not healthy"),
        (404, "fault", "https://typesense.example.org is no Typesense: it answers 404"),
        (
            requests.ReadTimeout(),
            "warning",
            "https://typesense.example.org does not answer here: ReadTimeout",
        ),
    ],
)
def test_what_typesense_answers_is_told(
    answer: Any, level: str, told: str, servers: dict[str, Any]
) -> None:
    servers["https://typesense.example.org/health"] = answer
    assert ("typesense.url", level, told) in found(Aws())


def test_a_domain_elsewhere_is_a_warning(servers: Mapping[str, Any]) -> None:
    assert servers
    existing = {"endpoint": "https://shop.example.org", "arn": DOMAIN.replace(REGION, "us-east-1")}
    told = "the domain shop is in us-east-1, not in eu-west-1"
    assert ("opensearch.existing", "warning", told) in found(
        Aws(), opensearch={"existing": existing}
    )


def test_a_long_name_of_a_stage_is_a_fault(servers: Mapping[str, Any]) -> None:
    """A domain's name has 28 characters at most."""
    assert servers
    told = "a-stage-of-17-cha has 17 characters, more than 16"
    assert ("the stage's name", "fault", told) in found(Aws(), "a-stage-of-17-cha")
    assert found(Aws(), "a-stage-of-16-ch") == GOOD


def test_what_the_file_alone_shows_is_an_error() -> None:
    text = "tables: {products: {keys: {id: S}}}\nopensearch:\n"
    with pytest.raises(ConfigError, match=r"tables\.products\.keys: the models of this role have"):
        list(checked("try", parse(text, "try.yml"), Aws()))
