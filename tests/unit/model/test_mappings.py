"""Schemas generated from the models."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from pydantic import ConfigDict

from sync import models
from sync.errors import ConfigError, Misconfigured, NotGiven, RegistryError
from sync.model import mappings
from sync.model.fields import Keyword, Number, Object, Text
from sync.model.mirror import mirrors
from sync.model.model import Model, Route
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.mapping import index_body
from sync.sinks.typesense import Typesense
from sync.writing.op import Op, Outcome


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
    body = index_body([Thing.document_schema()])["mappings"]
    assert body["dynamic"] == "strict"
    assert body["properties"]["price"] == {"type": "double"}
    assert body["properties"]["extra"] == {"type": "flat_object"}
    assert body["properties"]["parts"] == {
        "dynamic": "strict",
        "properties": {"code": {"type": "keyword", "ignore_above": 8191}},
    }


def test_an_open_model_is_mapped_as_it_comes() -> None:
    """Its fields as they are declared, the rest by a rule for each type; others stay strict."""

    class Open(Model):
        model_config = ConfigDict(extra="allow")

        name: Text
        part: Part

    body = index_body([Open.document_schema()])["mappings"]
    assert (body["dynamic"], body["date_detection"]) == ("true", False)
    assert body["properties"]["part"]["dynamic"] == "strict"
    templates = {k: v for rule in body["dynamic_templates"] for k, v in rule.items()}
    types = {rule["match_mapping_type"]: rule["mapping"]["type"] for rule in templates.values()}
    assert types == {"long": "double", "double": "double", "string": "text"}


def test_an_index_of_any_fields_has_room_for_them() -> None:
    """Others have OpenSearch's limits."""

    class Anything(Model):
        model_config = ConfigDict(extra="allow")

    limits = {"mapping.total_fields.limit": 5000, "mapping.depth.limit": 40}
    plain = index_body([Thing.document_schema()])["settings"]
    assert not plain.keys() & limits.keys()
    assert index_body([Anything.document_schema()])["settings"] == {**plain, **limits}


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
    changed: list[Any] = [("opensearch/old.json", ()), ("opensearch/things.json", [])]
    assert mappings.differing([Thing], tmp_path) == changed
    assert mappings.write([Thing], tmp_path) == changed
    assert mappings.differing([Thing], tmp_path) == []
    file.unlink()
    assert mappings.differing([Thing], tmp_path) == [("opensearch/things.json", ())]


@pytest.mark.parametrize("sink", [OpenSearch, Typesense])
def test_what_can_not_be_changed_in_place_is_named(sink: Any, tmp_path: Path) -> None:
    """A type that differs, also inside a field; what is new, or gone, is no reason to reindex."""

    class Inner(Model):
        code: Number
        size: Number

    class Changed(Model):
        name: Keyword
        parts: list[Inner]
        colour: Keyword

    was, now = ([model.document_schema()] for model in (Thing, Changed))
    inner = "parts.code"
    assert sink.conflicts(sink.schema(was), sink.schema(now)) == ["name", inner]
    assert sink.conflicts(sink.schema(was), sink.schema(was)) == []
    for model, before in ((Thing, None), (Changed, Thing)):
        model.route = Route("t", {"id": ".+"}, {sink: "things"})
        if before is not None:
            before.route = None
            file = f"{sink.name}/things.json"
            assert mappings.differing([model], tmp_path) == [(file, ["name", inner])]
        mappings.write([model], tmp_path)
    Thing.route = Route("t", {"id": "Thing"}, {OpenSearch: "things"})


class Picky:
    """Makes every target but those it is told not to."""

    name: ClassVar[str] = "picky"
    effect_s = 1.0
    made: ClassVar[list[str]] = []

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls()

    @classmethod
    def schema(cls, models: Sequence[type[Model]]) -> dict[str, Any]:
        return {}

    @classmethod
    def conflicts(cls, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
        return []

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        if target == "late":
            raise NotGiven("no key yet")
        if target.startswith("bad"):
            raise Misconfigured(f"{target}: 401 Forbidden")
        self.made.append(target)
        return "created"

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        raise NotImplementedError


def test_a_target_that_cannot_be_made_holds_up_no_other(tmp_path: Path) -> None:
    """A sink whose key is missing yet must not cost another its indexes; each says its cause."""
    (tmp_path / "picky").mkdir()
    targets = ["a", "bad", "bad too", "c", "late"]
    for target in targets:
        (tmp_path / "picky" / f"{target}.json").write_text("{}")
    answers = list(mappings.apply({Picky: targets}, {}, tmp_path))
    assert Picky.made == ["a", "c"]
    assert [(told["target"], told["result"], told.get("error")) for told in answers] == [
        ("a", "created", None),
        ("bad", "failed", "bad: 401 Forbidden"),
        ("bad too", "failed", "bad too: 401 Forbidden"),
        ("c", "created", None),
        ("late", "waiting", "no key yet"),
    ]
    assert [told["error_class"] for told in answers if "error" in told] == [
        "Misconfigured",
        "Misconfigured",
        "NotGiven",
    ]


def test_a_mapping_that_is_missing_is_named(tmp_path: Path) -> None:
    """It was never generated, or is not in the zip: nothing that a later try would mend."""
    with pytest.raises(ConfigError, match="mappings/picky/a.json is missing: run"):
        list(mappings.apply({Picky: ["a"]}, {}, tmp_path))


def test_the_target_of_a_mirror_needs_no_file(tmp_path: Path) -> None:
    """Which tables are mirrored only the stage knows; the targets of models still need theirs."""
    Picky.made.clear()
    mirrored = mirrors({"t": ["id"]}, {"t": "Orders"}, Picky, [])
    assert list(mappings.apply({Picky: ["orders"]}, {}, tmp_path, mirrors=mirrored)) == [
        {"sink": "picky", "target": "orders", "result": "created"}
    ]
    assert Picky.made == ["orders"]
    with pytest.raises(ConfigError, match=r"mappings/picky/a\.json is missing: run"):
        list(mappings.apply({Picky: ["orders", "a"]}, {}, tmp_path, mirrors=mirrored))
