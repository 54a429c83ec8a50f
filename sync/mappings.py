"""Schemas of the destinations, generated from the models and kept in `mappings/<sink>/`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sync.errors import ConfigError, Retry
from sync.model import Model
from sync.sinks.base import Schematic, Sink

FOLDER: Final = Path(__file__).parent.parent / "mappings"  # beside the package, also in the zip


def generate(models: Iterable[type[Model]]) -> Mapping[str, str]:
    """Each file's path within `mappings/`, with its content."""
    feeds: dict[tuple[type[Sink], str], list[type[Model]]] = {}
    for model in models:
        for sink, target in (model.route.into if model.route else {}).items():
            feeds.setdefault((sink, target), []).append(model)
    return {
        f"{sink.name}/{target}.json": json.dumps(sink.schema(feeding), indent=2) + "\n"
        for (sink, target), feeding in feeds.items()
        if issubclass(sink, Schematic)
    }


def differing(models: Iterable[type[Model]], folder: Path = FOLDER) -> list[str]:
    """The files of *folder* that are missing, out of date, or of no model any more."""
    wanted = generate(models)
    there = {path.relative_to(folder).as_posix() for path in folder.glob("*/*.json")}
    stale = [n for n, text in wanted.items() if n not in there or (folder / n).read_text() != text]
    return sorted({*stale, *(there - set(wanted))})


def write(models: Iterable[type[Model]], folder: Path = FOLDER) -> list[str]:
    """Bring the files of *folder* up to date; returns those that were not."""
    wanted = generate(models)
    changed = differing(models, folder)
    for name in changed:
        path = folder / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name])
        else:
            path.unlink()
    return changed


def apply(
    targets: Mapping[type[Sink], Iterable[str]], env: Mapping[str, str], folder: Path = FOLDER
) -> Iterator[dict[str, str]]:
    """Make or extend every target as its file says; yields sink, target and what was done.

    A target that can't be made holds up no other: what stood in the way is raised after the last,
    as Retry that names them all. Raises ConfigError where a file is missing.
    """
    failures: list[tuple[str, Retry]] = []
    for sink, names in targets.items():
        if not issubclass(sink, Schematic):
            continue
        built = sink.from_env(env)
        for target in sorted(names):
            path = folder / sink.name / f"{target}.json"
            try:
                schema: dict[str, Any] = json.loads(path.read_text())
            except FileNotFoundError:
                raise ConfigError(
                    f"mappings/{sink.name}/{target}.json is missing: "
                    "run python -m sync mappings write"
                ) from None
            try:
                result = built.prepare(target, schema)
            except Retry as error:
                failures.append((f"{sink.name} {target}", error))
            else:
                yield {"sink": sink.name, "target": target, "result": result}
    if failures:
        _, first = failures[0]
        told = "; ".join(f"{name}: {error}" for name, error in failures)
        raise type(first)(f"not made: {told}; all others are as they should be") from first
