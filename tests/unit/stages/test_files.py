"""Stage files: what they say, and how their faults are told."""

from pathlib import Path

import pytest

from sync.errors import ConfigError
from sync.stages.files import parse, path_of, read

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
CORE = "tables: {core: {keys: {PK: S, SK: S}}}\n"
FAULTS = {
    "tables:\n  core:\n    keys: {PK: S}\n    kees: {}\n": (
        ":4: tables.core.kees: Extra inputs are not permitted"
    ),
    "tables:\n  Core:\n    keys: {PK: S}\n": ":2: tables.Core.[key]: String should match pattern",
    "tables:\n  core:\n    keys: {PK: X}\n": ":3: tables.core.keys.PK: Input should be 'S', 'N'",
    "tables:\n  core:\n    keys: {}\n": ":3: tables.core.keys: Dictionary should have at least 1",
    "tables: {}\n": ":1: tables: Dictionary should have at least 1 item",
    f"tables:\n  core:\n    keys: {{PK: S}}\n    name: others\n    stream: {ARN}\n": (
        ":2: tables.core: name is for a table that the stack makes; stream names this one"
    ),
    "tables:\n  core:\n    keys: {PK: S}\n    stream: orders\n": (
        ":4: tables.core.stream: String should match pattern"
    ),
    f"{CORE}opensearch:\n  made: {{instances: 4}}\n": (
        ":3: opensearch.made: 4 instances can't be shared among 3 zones"
    ),
    f"{CORE}opensearch:\n  existing:\n    endpoint: https://search.example.org/path\n": (
        ":4: opensearch.existing.endpoint: String should match pattern"
    ),
    f"{CORE}typesense:\n  timeout_s: 20\n": ":2: typesense.url: Field required",
    f"{CORE}typesense:\n": ":2: typesense.url: Field required",
    f"{CORE}strict_sinks:\n- opensearch\n- 7\n": ":4: strict_sinks.1: Input should be a valid str",
    f"{CORE}tables: {{}}\n": ":2: found duplicate key",
    "tables:\n  core: {keys: [\n": ":3: ",
    "- tables\n": ": a stage is a map of sections",
    "": ": a stage is a map of sections",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_a_fault_is_told_with_file_line_and_field(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, "stages/dev.yml")
    assert str(raised.value).startswith(f"stages/dev.yml{fault}")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse("tables: {}\nlog_level: LOUD\nfunctions: {stream_mb: 1}\n", "dev.yml")
    told = [line.split(": ")[:2] for line in str(raised.value).splitlines()]
    assert told == [
        ["dev.yml:1", "tables"],
        ["dev.yml:3", "functions.stream_mb"],
        ["dev.yml:2", "log_level"],
    ]


def test_a_stage_without_a_file_is_told_with_those_that_have_one(tmp_path: Path) -> None:
    for name in ("prod", "dev"):
        path_of(name, tmp_path).write_text(CORE)
    assert read(path_of("dev", tmp_path)).tables.keys() == {"core"}
    with pytest.raises(ConfigError, match=r"staging\.yml: .* those there are: dev, prod"):
        read(path_of("staging", tmp_path))


def test_a_serverless_collection_is_refused_by_that_name() -> None:
    """Its documents can't have ids of ours."""
    with pytest.raises(
        ConfigError, match=r":5: opensearch\.existing\.arn: a serverless collection"
    ):
        parse(
            f"{CORE}opensearch:\n  existing:\n    endpoint: https://x.example.org\n"
            "    arn: arn:aws:aoss:eu-west-1:123456789012:collection/abc\n",
            "dev.yml",
        )
