"""Schemas generated from the models."""

import json
from pathlib import Path

import pytest

from sync import mappings, models
from sync.errors import RegistryError
from sync.fields import Keyword, Number, Object, Text
from sync.model import Model, Route
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.mapping import index_body


class Part(Model):
    code: Keyword


class Thing(Model):
    name: Text
    price: Number
    parts: list[Part]
    extra: Object | None = None


class Other(Model):
    name: Text
    price: Keyword


for _model in (Thing, Other):
    _model.route = Route("t", {"id": _model.__name__}, {OpenSearch: "things"})


def test_the_mappings_are_up_to_date() -> None:
    """Run `make mappings` where this fails."""
    assert mappings.differing(models.load()) == []


def test_a_mapping_has_explicit_types_and_nothing_dynamic() -> None:
    """An unknown field is refused, never guessed at."""
    body = index_body([Thing])["mappings"]
    assert body["dynamic"] == "strict"
    assert body["properties"]["price"] == {"type": "double"}
    assert body["properties"]["extra"] == {"type": "flat_object"}
    assert body["properties"]["parts"] == {
        "dynamic": "strict",
        "properties": {"code": {"type": "keyword", "ignore_above": 8191}},
    }


def test_two_models_of_one_alias_have_to_agree_on_a_field() -> None:
    """Else one of them is refused by the index, document by document."""
    with pytest.raises(RegistryError, match="Other.price: another model of the alias differs"):
        mappings.generate([Thing, Other])


def test_differences_are_found_and_mended(tmp_path: Path) -> None:
    """Missing, changed and left-over files."""
    mappings.write([Thing], tmp_path)
    file = tmp_path / "opensearch" / "things.json"
    assert mappings.differing([Thing], tmp_path) == []
    file.write_text(json.dumps({}))
    (tmp_path / "opensearch" / "old.json").write_text("{}")
    assert mappings.differing([Thing], tmp_path) == [
        "opensearch/old.json",
        "opensearch/things.json",
    ]
    assert mappings.write([Thing], tmp_path) == ["opensearch/old.json", "opensearch/things.json"]
    assert mappings.differing([Thing], tmp_path) == []
    file.unlink()
    assert mappings.differing([Thing], tmp_path) == ["opensearch/things.json"]
