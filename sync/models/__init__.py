"""The models: one file each, in folders by table. `load` finds every file; no code names one.

Tables without models are mirrored: `mirrors` makes a model for each.
"""

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from pkgutil import walk_packages

from sync.model import Model


def load() -> list[type[Model]]:
    """Every model with a route in this folder and those below it, in the order of file names."""
    found: dict[type[Model], None] = {}
    for module in sorted(info.name for info in walk_packages(__path__, f"{__name__}.")):
        for value in vars(import_module(module)).values():
            if isinstance(value, type) and issubclass(value, Model) and value.route is not None:
                found[value] = None
    return list(found)


def mirrors(
    roles: Mapping[str, Collection[str]], tables: Mapping[str, str], models: Iterable[type[Model]]
) -> list[type[Model]]:
    """A model for each of *roles*, which feeds OpenSearch; see `mirror.mirrors`."""
    from sync.model import mirror  # only stages with mirrors need it
    from sync.sinks.opensearch import OpenSearch

    return [*mirror.mirrors(roles, tables, OpenSearch, models)]
