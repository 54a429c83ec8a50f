"""Adding tables that exist to a stage file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from sync.cli.main import main
from sync.errors import ConfigError
from sync.stages import checks
from sync.stages.attach import attach, detach, role_of
from sync.stages.checks import Finding
from sync.stages.files import read

REGION = "eu-west-1"
KEYS = {"name": "S", "created": "N"}


@pytest.fixture
def boto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        made: dict[str, Any] = {}
        yield lambda name: made.setdefault(name, boto3.client(name, region_name=REGION))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "try.yml"


def table(boto: Any, name: str = "Orders", view: str | None = "NEW_AND_OLD_IMAGES") -> str | None:
    """Make a table with KEYS; returns the ARN of its stream."""
    stream = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
    boto("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in KEYS.items()
        ],
        KeySchema=[
            {"AttributeName": "name", "KeyType": "HASH"},
            {"AttributeName": "created", "KeyType": "RANGE"},
        ],
        StreamSpecification=stream,
    )
    arn: str | None = (
        boto("dynamodb").describe_table(TableName=name)["Table"].get("LatestStreamArn")
    )
    return arn


def reader(boto: Any, monkeypatch: pytest.MonkeyPatch, *functions: str) -> None:
    """Let *functions* read every stream: moto does not know all of Lambda's mappings."""

    class Pages:
        def paginate(self, **_: Any) -> list[Any]:
            arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
            return [
                {"EventSourceMappings": [{"FunctionArn": f"{arn}{name}"}]} for name in functions
            ]

    monkeypatch.setattr(boto("lambda"), "get_paginator", lambda _: Pages())


def test_a_table_is_added_with_its_keys_and_stream(boto: Any, path: Path) -> None:
    """To a file that is made, if there is none; comments stay."""
    stream = table(boto)
    boto("opensearch").create_domain(DomainName="shop")
    stage, findings = attach(boto, path, "try", "Orders", "orders", "shop")
    assert stage == read(path)
    assert stage.tables["orders"].keys == KEYS
    assert stage.tables["orders"].stream == stream
    assert stage.opensearch is not None
    assert stage.opensearch.existing is not None
    assert stage.opensearch.existing.arn == f"arn:aws:es:{REGION}:123456789012:domain/shop"
    assert stage.opensearch.existing.endpoint.startswith("https://")
    assert findings == [Finding("tables.orders", "good", "Orders: NEW_AND_OLD_IMAGES, 0 items")]
    path.write_text(f"# why\n{path.read_text()}")
    table(boto, "Users")
    attach(boto, path, "try", "Users", "users", None)
    assert list(read(path).tables) == ["orders", "users"]
    assert path.read_text().startswith("# why\n")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Orders", "orders"),
        ("shop-OrderLines.v2", "shop_order_lines_v2"),
        ("_9", "table_9"),
        ("A" * 60, "a" * 32),
    ],
)
def test_a_role_follows_from_the_name(name: str, role: str) -> None:
    assert role_of(name) == role


def test_a_table_whose_stream_is_off_is_refused_with_the_command_to_switch_it_on(
    boto: Any, path: Path
) -> None:
    table(boto, view=None)
    with pytest.raises(
        ConfigError, match="Orders has no stream: aws dynamodb update-table --table-na"
    ):
        attach(boto, path, "try", "Orders", "orders", None)
    assert not path.exists()


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_new_images_is_refused(view: str, boto: Any, path: Path) -> None:
    table(boto, view=view)
    with pytest.raises(ConfigError, match=f"the stream of Orders holds {view}: no new images"):
        attach(boto, path, "try", "Orders", "orders", None)


def test_a_stream_without_old_images_is_taken_with_a_warning(boto: Any, path: Path) -> None:
    table(boto, view="NEW_IMAGE")
    boto("opensearch").create_domain(DomainName="shop")
    _, findings = attach(boto, path, "try", "Orders", "orders", "shop")
    assert (findings[0].level, findings[0].said) == (
        "warning",
        "the stream of Orders holds no old images",
    )


def test_a_third_reader_is_refused(boto: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB throttles it. The stage's own function does not count."""
    table(boto)
    boto("opensearch").create_domain(DomainName="shop")
    reader(boto, monkeypatch, "audit", "stream-sync-try-stream")
    _, (finding,) = attach(boto, path, "try", "Orders", "orders", "shop")
    assert finding.said == "Orders: NEW_AND_OLD_IMAGES, 0 items; also read by audit"
    reader(boto, monkeypatch, "audit", "mail")
    with pytest.raises(ConfigError, match="the stream of Orders has 2 readers: audit, mail"):
        attach(boto, path, "try", "Orders", "more", None)


def test_a_table_that_has_another_name_now_takes_the_place_of_the_old_one(
    boto: Any, path: Path
) -> None:
    """The role stays, and with it models, mirrors and ids of documents."""
    table(boto)
    boto("opensearch").create_domain(DomainName="shop")
    attach(boto, path, "try", "Orders", "orders", "shop")
    before = path.read_text()
    table(boto, "Orders2")
    with pytest.raises(ConfigError, match="there is no table with the role shops"):
        attach(boto, path, "try", "Orders2", "shops", None, renamed=True)
    stage, _ = attach(boto, path, "try", "Orders2", "orders", None, renamed=True)
    assert list(stage.tables) == ["orders"]
    stream = boto("dynamodb").describe_table(TableName="Orders2")["Table"]["LatestStreamArn"]
    old = boto("dynamodb").describe_table(TableName="Orders")["Table"]["LatestStreamArn"]
    assert path.read_text() == before.replace(old, stream)


def test_a_table_with_other_keys_is_no_renamed_one(boto: Any, path: Path) -> None:
    """Each of its documents would have another id."""
    table(boto)
    boto("opensearch").create_domain(DomainName="shop")
    attach(boto, path, "try", "Orders", "orders", "shop")
    before = path.read_text()
    boto("dynamodb").create_table(
        TableName="Other",
        AttributeDefinitions=[{"AttributeName": "number", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "number", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    with pytest.raises(ConfigError, match="and Other has number N: its documents would have other"):
        attach(boto, path, "try", "Other", "orders", None, renamed=True)
    assert path.read_text() == before


def test_what_is_there_is_not_replaced(boto: Any, path: Path) -> None:
    table(boto)
    boto("opensearch").create_domain(DomainName="shop")
    attach(boto, path, "try", "Orders", "orders", "shop")
    before = path.read_text()
    with pytest.raises(ConfigError, match=r"try\.yml: tables\.orders is there already"):
        attach(boto, path, "try", "Orders", "orders", None)
    with pytest.raises(ConfigError, match="there is no table Nothing in this account and region"):
        attach(boto, path, "try", "Nothing", "nothing", None)
    assert path.read_text() == before


def test_a_file_that_would_be_wrong_is_not_written(boto: Any, path: Path) -> None:
    """Without OpenSearch a table without models can't go anywhere."""
    table(boto)
    with pytest.raises(ConfigError, match="no OpenSearch to mirror it to"):
        attach(boto, path, "try", "Orders", "orders", None)
    assert not path.exists()


def test_a_table_is_taken_out(boto: Any, path: Path) -> None:
    for name in ("Orders", "Users"):
        table(boto, name)
    boto("opensearch").create_domain(DomainName="shop")
    attach(boto, path, "try", "Orders", "orders", "shop")
    attach(boto, path, "try", "Users", "users", None)
    assert list(detach(path, "orders").tables) == ["users"]
    with pytest.raises(ConfigError, match=r"no table with the role orders; there are: users"):
        detach(path, "orders")


def test_commands_tell_what_they_did(
    boto: Any, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """attach, doctor and detach, as text and as JSON."""
    monkeypatch.setattr("sync.aws.clients.client", boto)
    monkeypatch.setenv("STREAM_SYNC_STAGES", str(path.parent))
    monkeypatch.setattr(checks, "_asked", lambda _: "ConnectTimeout")
    stream = table(boto)
    table(boto, "Users")
    boto("opensearch").create_domain(DomainName="shop", EngineVersion="OpenSearch_3.1")
    assert main(["attach", "Orders", "--stage", "try", "--domain", "shop"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "good     tables.orders: Orders: NEW_AND_OLD_IMAGES, 0 items",
        f"{path}: tables.orders is Orders, by name, created",
        "next: python -m sync doctor --stage try",
    ]
    assert main(["attach", "Users", "--stage", "try", "--role", "people", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["role"], told["file"]) == ("people", str(path))
    assert main(["doctor", "--stage", "try"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing stands against a deployment"
    assert main(["detach", "people", "--stage", "try"]) == 0
    assert capsys.readouterr().out == f"{path}: tables.people is gone; left: orders\n"
    path.write_text(
        path.read_text().replace(str(stream), f"{stream}1")
    )  # since switched off and on
    assert main(["doctor", "--stage", "try", "--json"]) == 1
    (fault,) = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["level"] == "fault"]
    assert fault["of"] == "tables.orders"
    assert fault["said"].startswith("the stream of Orders is now arn:")
