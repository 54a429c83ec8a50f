"""Schemas of the destinations, generated from the models and kept in `mappings/<sink>/`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sync.errors import ConfigError, NotGiven, Retry
from sync.model.model import Model
from sync.runtime.log import logger
from sync.writing.sink import Schematic, Sink

FOLDER: Final = Path(__file__).parents[2] / "mappings"  # beside the package, also in the zip


def generate(models: Iterable[type[Model]]) -> Mapping[str, str]:
    """Each file's path within `mappings/`, with its content."""
    feeds: dict[tuple[type[Sink], str], list[type[Model]]] = {}
    for model in models:
        for sink, target in (model.route.into if model.route else {}).items():
            feeds.setdefault((sink, target), []).append(model)
    return {
        f"{sink.name}/{target}.json": json.dumps(
            sink.schema([model.document_schema() for model in feeding]), indent=2
        )
        + "\n"
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
    """Make or extend every target as its file says; yields sink, target and result of each.

    result is "created", "extended" or "unchanged"; "failed", or "waiting" for what only a person
    can give, each with its error and error_class: a target that can't be made holds up no other.
    Raises ConfigError where a file is missing.
    """
    for sink, names in targets.items():
        if not issubclass(sink, Schematic):
            continue
        built = sink.from_env(env)
        for target in sorted(names):
            told = {"sink": sink.name, "target": target}
            path = folder / sink.name / f"{target}.json"
            try:
                schema: dict[str, Any] = json.loads(path.read_text())
            except FileNotFoundError:
                raise ConfigError(
                    f"mappings/{sink.name}/{target}.json is missing: "
                    "run python -m sync mappings write"
                ) from None
            try:
                yield {**told, "result": built.prepare(target, schema)}
            except Retry as error:
                logger.warning("%s %s not made: %s", sink.name, target, error, exc_info=error)
                result = "waiting" if isinstance(error, NotGiven) else "failed"
                name = type(error).__name__
                yield {**told, "result": result, "error": str(error), "error_class": name}
