"""What serverless.yml takes from a stage file: its fields, and sections for its tables."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from sync import models
from sync.errors import ConfigError
from sync.model.patterns import literal
from sync.model.registry import Registry
from sync.stages import tables
from sync.stages.schema import Made, Stage

DERIVED: Final = "core"  # the role of the table that counters and default images are written to
NOTHING: Final = "arn:aws:dynamodb:::none"
OWN: Final = ("contributions", "dead_letter", "runs", "state")
"""No table can have these roles: a table of the stack itself has its logical id."""


def template(stage: Stage) -> Mapping[str, Any]:
    """The sections of serverless.yml for *stage*, as JSON. Raises ConfigError.

    *fields*: the stage file with its defaults. *parts*: "yes" or "no" for each part that a stage
    may do without; texts, since conditions of CloudFormation compare texts. *tables*: what refers
    to the tables. *resources*: the tables that the stack makes, and what each table needs.
    """
    mirrored = _checked(stage)
    known = Registry(models.load(), {role: role for role in stage.tables}, off=off(stage))
    fed = {kind.name: kind for kind in known.sinks}
    derived = bool({"counters", "default_image"} & fed.keys())
    typesense = stage.typesense
    parts = {
        "search": stage.opensearch is not None,
        "made_search": stage.opensearch is not None and stage.opensearch.existing is None,
        "typesense": typesense is not None,
        "typesense_secret": typesense is not None and typesense.secret is None,
        "derived": derived,
    }
    partitioned = {
        model.route.table
        for model in known.models
        if model.route is not None and literal(next(iter(model.route.keys.values()))) is not None
    }  # a backfill reads a single partition of these
    read = {role for _, role, _ in known.feeding(fed["typesense"])} if "typesense" in fed else set()
    return {
        "fields": _fields(stage),
        "parts": {part: "yes" if has else "no" for part, has in parts.items()},
        "tables": {
            **tables.references(stage.tables),
            "mirrors": json.dumps(mirrored),
            "deletion": tables.deletion(keep=stage.keep_data),
            "derived": tables.name(DERIVED, stage.tables[DERIVED]) if derived else "",
            "derived_arn": tables.arn(DERIVED, stage.tables[DERIVED]) if derived else NOTHING,
            "partitioned_arns": _arns(stage, partitioned),
            "typesense_arns": _arns(stage, read),
        },
        "resources": tables.resources(stage.tables, keep=stage.keep_data),
    }


def _arns(stage: Stage, roles: Collection[str]) -> list[Any]:
    """Of the tables with *roles*; of nothing, if there is none: a statement needs a resource."""
    return [tables.arn(role, stage.tables[role]) for role in sorted(roles)] or [NOTHING]


def off(stage: Stage) -> list[str]:
    """The names of the sinks that *stage* does without, sorted."""
    absent = [sink for sink in ("opensearch", "typesense") if getattr(stage, sink) is None]
    return sorted({*stage.sinks_off, *absent})


def _checked(stage: Stage) -> dict[str, list[str]]:
    """The key attributes of each table without models, by role: it is mirrored whole.

    Raises ConfigError if the keys of another are not those of its models, if a role is one of OWN,
    or if there is no OpenSearch to mirror a table to.
    """
    known = Registry(models.load(), {role: role for role in stage.tables})
    names = {sink.name for sink in known.sinks}
    for field, sinks in (("sinks_off", stage.sinks_off), ("strict_sinks", stage.strict_sinks)):
        if unknown := sorted(set(sinks) - names):
            there = ", ".join(sorted(names))
            raise ConfigError(f"{field}: no model feeds {', '.join(unknown)}; there are: {there}")
    mirrored = {}
    roles: dict[str, str] = {}  # by stream
    for role, table in stage.tables.items():
        if table.stream and (other := roles.setdefault(table.stream, role)) != role:
            raise ConfigError(f"tables.{role}: its stream is that of tables.{other}, too")
        given = list(table.keys)
        if role in OWN:
            raise ConfigError(f"tables.{role}: the stack has a table of its own with this role")
        if role not in known.tables:
            mirrored[role] = given
            if "opensearch" in off(stage):
                raise ConfigError(
                    f"tables.{role}: it has no models, and there is no OpenSearch to mirror it to"
                )
        elif given != list(known.tables[role]):
            wanted = ", ".join(known.tables[role])
            raise ConfigError(
                f"tables.{role}.keys: the models of this role have the keys {wanted}, "
                f"not {', '.join(given)}"
            )
    return mirrored


def _fields(stage: Stage) -> dict[str, Any]:
    """The fields of *stage*, with sizes of a domain even where none is made, and lists as texts."""
    fields = stage.model_dump(mode="json", exclude={"tables"}, exclude_none=True)
    fields["sinks_off"] = ",".join(off(stage))
    fields["strict_sinks"] = ",".join(stage.strict_sinks)
    fields.setdefault("opensearch", {}).setdefault("made", Made().model_dump(mode="json"))
    if "refresh" in fields["opensearch"]:
        fields["opensearch"]["refresh"] = str(fields["opensearch"]["refresh"]).lower()
    fields["alarms"]["stream_late_ms"] = stage.alarms.stream_late_s * 1000
    if network := fields.get("network"):
        fields["network"] = {part: ",".join(ids) for part, ids in network.items()}
    return fields
