"""One file per model. Every file of this folder is loaded; none is named anywhere else."""

from importlib import import_module
from pkgutil import iter_modules

from sync.model import Model


def load() -> list[type[Model]]:
    """Every routed model of this folder, in the order of the files."""
    found: dict[type[Model], None] = {}
    for module in sorted(info.name for info in iter_modules(__path__)):
        for value in vars(import_module(f"{__name__}.{module}")).values():
            if isinstance(value, type) and issubclass(value, Model) and value.route is not None:
                found[value] = None
    return list(found)
