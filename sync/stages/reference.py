"""`python -m sync.stages.reference`: writes the tables of docs/stages.md from the schema."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from sync.stages.schema import Section, Stage

PAGE: Final = Path(__file__).parents[2] / "docs" / "stages.md"
BEGIN: Final = "<!-- fields -->"
END: Final = "<!-- end -->"


def main() -> None:
    PAGE.write_text(rewritten(PAGE.read_text()))


def rewritten(page: str) -> str:
    """*page* with the tables of the schema between BEGIN and END."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n" + "\n".join(_tables()) + f"\n{END}{after}"


def _tables() -> Iterator[str]:
    for path, section in sections(Stage):
        yield f"\n### {f'`{path}`' if path else 'The file'}\n"
        yield " ".join((section.__doc__ or "").split()).replace("*", "`")
        yield "\n| field | default | |\n|---|---|---|"
        for name, field in section.model_fields.items():
            yield f"| `{name}` | {_default(field.default)} | {field.description} |"


def sections(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """*section* and those below it, each with its place in the file."""
    yield path, section
    for name, field in section.model_fields.items():
        for inner in _sections(field.annotation):
            many = ".<role>" if get_origin(field.annotation) is dict else ""
            yield from sections(inner, f"{path}.{name}{many}".lstrip("."))


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) in (dict, Union, UnionType):
        for part in get_args(annotation):
            yield from _sections(part)


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel) or value in (None, "", []):
        return "none" if not isinstance(value, BaseModel) else "its defaults"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    main()
