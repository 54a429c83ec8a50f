"""One file for each model, in folders by table; every file is loaded, none is named elsewhere."""

from importlib import import_module
from pkgutil import walk_packages

from sync.model import Model


def load() -> list[type[Model]]:
    """Every routed model below this folder, in the order of the files' names."""
    found: dict[type[Model], None] = {}
    for module in sorted(info.name for info in walk_packages(__path__, f"{__name__}.")):
        for value in vars(import_module(module)).values():
            if isinstance(value, type) and issubclass(value, Model) and value.route is not None:
                found[value] = None
    return list(found)
