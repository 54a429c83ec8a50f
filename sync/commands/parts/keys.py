"""Checks the table and the keys that a command names."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, StringConstraints

from sync.aws.keys import AttributeMap, canonical, keys_in
from sync.errors import ConfigError, RecordError, RegistryError

if TYPE_CHECKING:
    from sync.service import Service

Table: TypeAlias = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    Field(description="full name of the table"),
]


def key_names(service: "Service", table: str) -> Sequence[str]:
    """The key attributes of *table*. Raises ConfigError if it has no models."""
    tables = service.registry.tables
    if table not in tables:
        raise ConfigError(f"no model is of the table {table!r}; there are: {', '.join(tables)}")
    return tables[table]


def check_sink(service: "Service", name: str | None) -> None:
    """Raises ConfigError if no model feeds the sink *name*; None is any."""
    sinks = sorted(sink.name for sink in service.registry.sinks)
    if name is not None and name not in sinks:
        raise ConfigError(f"no model feeds the sink {name!r}; there are: {', '.join(sinks)}")


def checked(service: "Service", table: str, key: Any, names: Sequence[str]) -> AttributeMap:
    """*key* in canonical form. Raises ConfigError, which shows it, if it is no key of *table*.

    A bad key would fail all other keys that are read in the same call.
    """
    shown = json.dumps(key)[:200]
    if set(key) != set(names):
        raise ConfigError(f"{shown}: a key of {table} has {' and '.join(names)}")
    if keys_in(key) is None:
        raise ConfigError(f"{shown}: bad key: an attribute is a text, a number or binary")
    try:
        service.registry.match(table, key)
    except RecordError as error:
        raise ConfigError(f"{shown}: {error}") from error
    except RegistryError:
        pass  # two models match: resyncing the key reports that
    return canonical(key)
