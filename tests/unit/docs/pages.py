"""The docs as their tests read them, and what `make` and the command line have to offer."""

import argparse
import re
from pathlib import Path

import pytest

from sync.cli import main as cli

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").rglob("*.md")))
GUIDES = [page for page in PAGES if "adr" not in page.parts]  # decisions speak of their own day
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text()
TEXT = "\n".join(page.read_text() for page in PAGES)
CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def shown() -> dict[str, str]:
    """The files that the docs show whole, by path: their first line is `# path`."""
    found = {}
    for page in PAGES:
        for language, code in CODE.findall(page.read_text()):
            if language == "python":
                first, _, rest = code.partition("\n")
                found[first.removeprefix("# ")] = rest
    return found


class Parsed(Exception):
    """Carries the parser that would have parsed."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def parser() -> argparse.ArgumentParser:
    """The one of `python -m sync`."""

    def stop(self: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise Parsed(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(Parsed) as caught:
            cli.main([])
    return caught.value.parser
