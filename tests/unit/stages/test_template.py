"""What serverless.yml takes from a stage file."""

import json
from typing import Any

import pytest

from sync.errors import ConfigError
from sync.stages.files import parse
from sync.stages.template import template

CORE = "core: {keys: {PK: S, SK: S}}"
PRODUCTS = "products: {keys: {productId: S}}"
STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/shop-Orders/stream/2026-01-01T00:00:00.000"
ORDERS = f"orders: {{keys: {{name: S, created: N}}, stream: '{STREAM}'}}"


def of(text: str) -> dict[str, Any]:
    return dict(template(parse(text, "try.yml")))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            f"tables: {{{CORE}, {PRODUCTS}}}\nopensearch:\ntypesense: {{url: https://t.example.org}}",
            {"search", "made_search", "typesense", "typesense_secret", "derived"},
        ),
        (f"tables: {{{CORE}}}", {"derived"}),
        (f"tables: {{{CORE}}}\nsinks_off: [counters, default_image]\n", set()),
        (f"tables: {{{PRODUCTS}}}\nopensearch:\n", {"search", "made_search"}),
    ],
)
def test_a_stage_has_the_parts_that_its_file_names(text: str, parts: set[str]) -> None:
    found = of(text)["parts"]
    assert {part for part, has in found.items() if has == "yes"} == parts
    assert set(found.values()) <= {"yes", "no"}


def test_a_table_that_exists_is_referred_to_by_its_name_and_arn() -> None:
    """The stack makes none, and its mapping has the logical id that osls gives it."""
    found = of(
        f"tables: {{{ORDERS}}}\nopensearch: {{existing: {{endpoint: 'https://s.example.org', "
        "arn: 'arn:aws:es:eu-west-1:123456789012:domain/s'}}"
    )
    tables, resources = found["tables"], found["resources"]
    assert tables["names"] == '{"orders": "shop-Orders"}'
    assert json.loads(tables["mirrors"]) == {"orders": ["name", "created"]}
    assert tables["arns"] == [STREAM.partition("/stream/")[0]]
    assert tables["streams"] == [STREAM]
    assert set(resources["Resources"]) == {"OrdersStreamStoppedAlarm"}
    assert set(resources["extensions"]) == {"StreamEventSourceMappingDynamodbShopOrders"}
    assert resources["Outputs"] == {
        "OrdersTable": {"Value": "shop-Orders"},
        "OrdersStreamArn": {"Value": STREAM},
    }
    assert found["fields"]["sinks_off"] == "typesense"


@pytest.mark.parametrize(
    ("keep", "policy"), [("true", "RetainExceptOnCreate"), ("false", "Delete")]
)
def test_a_table_that_the_stack_makes_outlives_it_if_asked_to(keep: str, policy: str) -> None:
    found = of(f"tables: {{{PRODUCTS}}}\nopensearch:\nkeep_data: {keep}\n")
    made = found["resources"]["Resources"]["ProductsTable"]
    assert made["DeletionPolicy"] == found["tables"]["deletion"] == policy
    assert made["Properties"]["KeySchema"] == [{"AttributeName": "productId", "KeyType": "HASH"}]
    assert found["tables"]["names"] == {"Fn::Sub": '{"products": "${ProductsTable}"}'}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "tables: {core: {keys: {PK: S}}}",
            "tables.core.keys: the models of this role have the keys PK, SK, not PK",
        ),
        (
            "tables: {core: {keys: {SK: S, PK: S}}}",
            "tables.core.keys: the models of this role have the keys PK, SK, not SK, PK",
        ),
        (
            f"tables: {{{ORDERS}}}",
            "tables.orders: it has no models, and there is no OpenSearch to mirror it to",
        ),
        (
            f"tables: {{{ORDERS}}}\nopensearch:\nsinks_off: [opensearch]",
            "sinks_off: no model feeds opensearch; there are: ",
        ),
        (
            f"tables: {{{ORDERS}, {ORDERS.replace('orders', 'again')}}}\nopensearch:",
            "tables.again: its stream is that of tables.orders, too",
        ),
        (
            "tables: {state: {keys: {id: S}}}\nopensearch:",
            "tables.state: the stack has a table of its own with this role",
        ),
        (
            f"tables: {{{CORE}}}\nstrict_sinks: [opensaerch]",
            "strict_sinks: no model feeds opensaerch; there are: counters, default_image, opensear",
        ),
    ],
)
def test_what_does_not_fit_the_models_is_an_error(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text)
    assert str(caught.value).startswith(told)


def test_each_stream_has_its_own_settings() -> None:
    """What it does not say has AWS's defaults."""
    text = f"tables: {{{CORE}, products: {{keys: {{productId: S}}, batch_size: 7}}}}\nopensearch:"
    one, other = (event["stream"] for event in of(text)["tables"]["events"])
    assert (one["batchSize"], other["batchSize"]) == (100, 7)
    assert {**one, "arn": None, "batchSize": None} == {**other, "arn": None, "batchSize": None}
    assert one["arn"] == {"Fn::GetAtt": ["CoreTable", "StreamArn"]}
