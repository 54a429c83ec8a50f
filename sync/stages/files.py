"""Reads `stages/{stage}.yml`; each fault is named with file, line and field."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from sync.errors import ConfigError
from sync.stages.schema import Stage

_FOLDER: Final = Path(__file__).parents[2] / "stages"


def folder() -> Path:
    """Where stage files are: that which STREAM_SYNC_STAGES names, or `stages/` of this checkout."""
    return Path(os.environ.get("STREAM_SYNC_STAGES") or _FOLDER)


def path_of(stage: str, folder: Path) -> Path:
    """The file of *stage*."""
    return folder / f"{stage}.yml"


def read(path: Path) -> Stage:
    """The stage that *path* describes. Raises ConfigError, with a line for each fault."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        others = ", ".join(sorted(other.stem for other in path.parent.glob("*.yml"))) or "none"
        raise ConfigError(f"{path}: there is no such stage; those there are: {others}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Stage:
    """The stage that *text* describes; *name* is what faults call its file. Raises ConfigError."""
    try:
        given = YAML().load(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{name}{line}: {error.problem or error.context}") from None
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name}: a stage is a map of sections, such as tables")
    try:
        return Stage.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise ConfigError("\n".join(_faults(name, given, faults))) from None


def _faults(name: str, given: Any, faults: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for fault in faults:
        field = ".".join(map(str, fault["loc"]))
        said = fault["msg"].removeprefix("Value error, ")
        yield f"{name}:{_line(given, fault['loc'])}: {f'{field}: ' if field else ''}{said}"


def _line(given: Any, place: Sequence[Any]) -> int:
    """The line of what is at *place*, or of the last part of it that is there; from 1."""
    line = 0
    for step in place:
        if isinstance(given, CommentedMap) and step in given:
            line = given.lc.key(step)[0]
        elif isinstance(given, CommentedSeq) and isinstance(step, int) and step < len(given):
            line = given.lc.item(step)[0]
        else:
            break
        given = given[step]
    return line + 1
