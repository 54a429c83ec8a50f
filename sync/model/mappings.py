"""The files `mappings/<sink>/<target>.json`: schemas generated from the models, and their use."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from sync.errors import ConfigError, NotGiven, Retry
from sync.model.model import Model
from sync.runtime.log import logger
from sync.writing.sink import Schematic, Sink

FOLDER: Final = Path(__file__).parents[2] / "mappings"  # beside the package, in the zip too


def generate(models: Iterable[type[Model]]) -> Mapping[str, str]:
    """The content of each file, by its path within `mappings/`. Raises RegistryError."""
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


class Changed(NamedTuple):
    """A file that is not as the models require. *fields*: those that can't be changed in place, so
    that the target has to be reindexed."""

    file: str
    fields: Sequence[str]


def differing(models: Iterable[type[Model]], folder: Path = FOLDER) -> list[Changed]:
    """The files of *folder* that are missing, out of date, or no longer of any model; sorted."""
    models = list(models)
    wanted = generate(models)
    present = {path.relative_to(folder).as_posix() for path in folder.glob("*/*.json")}
    stale = [
        n for n, text in wanted.items() if n not in present or (folder / n).read_text() != text
    ]
    sinks = {sink.name: sink for model in models if model.route for sink in model.route.into}
    return [
        Changed(name, _conflicts(sinks[name.partition("/")[0]], folder / name, wanted[name]))
        if name in wanted and name in present
        else Changed(name, ())
        for name in sorted({*stale, *(present - set(wanted))})
    ]


def _conflicts(sink: type[Sink], path: Path, wanted: str) -> Sequence[str]:
    if not issubclass(sink, Schematic):
        return ()
    return sink.conflicts(json.loads(path.read_text()), json.loads(wanted))


def write(models: Iterable[type[Model]], folder: Path = FOLDER) -> list[Changed]:
    """Write or delete files of *folder* as the models require; returns those that differed."""
    models = list(models)
    wanted = generate(models)
    changed = differing(models, folder)
    for name, _ in changed:
        path = folder / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name])
        else:
            path.unlink()
    return changed


def apply(
    targets: Mapping[type[Sink], Iterable[str]],
    env: Mapping[str, str],
    folder: Path = FOLDER,
    *,
    mirrors: Iterable[type[Model]] = (),
) -> Iterator[dict[str, str]]:
    """Create or extend each of *targets* by its file; yields its sink, target and result.

    Targets of *mirrors* need no file: which tables are mirrored differs from stage to stage.

    result is "created", "extended" or "unchanged"; or "failed", or "waiting" if a person has to
    supply something, both with error and error_class. The other targets follow nevertheless.
    Raises ConfigError if a file is missing.
    """
    generated = generate(mirrors)
    for sink, names in targets.items():
        if not issubclass(sink, Schematic):
            continue
        built = sink.from_env(env)
        for target in sorted(names):
            named = {"sink": sink.name, "target": target}
            schema = _schema(generated, f"{sink.name}/{target}.json", folder)
            try:
                yield {**named, "result": built.prepare(target, schema)}
            except Retry as error:
                logger.warning("%s %s not made: %s", sink.name, target, error, exc_info=error)
                result = "waiting" if isinstance(error, NotGiven) else "failed"
                kind = type(error).__name__
                yield {**named, "result": result, "error": str(error), "error_class": kind}


def schema_of(
    sink: str, target: str, mirrors: Iterable[type[Model]], folder: Path = FOLDER
) -> dict[str, Any]:
    """The schema of *target* in *sink*: of its file, or of a mirror of *mirrors*.

    Raises ConfigError if the file is missing.
    """
    return _schema(generate(mirrors), f"{sink}/{target}.json", folder)


def _schema(generated: Mapping[str, str], name: str, folder: Path) -> dict[str, Any]:
    try:
        text = generated[name] if name in generated else (folder / name).read_text()
    except FileNotFoundError:
        raise ConfigError(
            f"mappings/{name} is missing: run python -m sync mappings write"
        ) from None
    schema: dict[str, Any] = json.loads(text)
    return schema
