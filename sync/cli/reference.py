"""The arguments and answers of every command, as docs/commands.md shows them.

    python -m sync.cli.reference

Rewrites that part of the page, between its two marks; a test compares them.
"""

from collections.abc import Iterator
from typing import Final

from sync import commands
from sync.cli import flags
from sync.cli.front import ROOT
from sync.commands.parts.argument import Argument, Kind
from sync.commands.parts.command import Command

PAGE: Final = ROOT / "docs" / "commands.md"
BEGIN: Final = "<!-- written by python -m sync.cli.reference -->\n"
END: Final = "<!-- end -->\n"


def rewritten(page: str) -> str:
    """*page*, with the part between the marks written anew."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return "\n".join([f"{before}{BEGIN}", *_lines(), f"{END}{after}"])


def _lines() -> Iterator[str]:
    for name in commands.names():
        command = commands.load(name)
        yield from (f"### `{name}`", "")
        yield " ".join((command.__doc__ or "").split())
        if takes := command.arguments():
            yield from ("", "| argument | typed | is | |", "|---|---|---|---|")
            yield from map(_row, takes)
        answers = ", ".join(f"`{key}`" for key in _answer(command))
        yield from ("", f"Answers {answers}.", "")


def _row(argument: Argument) -> str:
    expected = [argument.expected]
    if argument.needed:
        expected.append("needed")
    if argument.most is not None:
        expected.append(f"in one answer at most {argument.most:,}")
    elif argument.kind is Kind.CHOICE:
        expected.append(f"{argument.default} unless given")
    typed = argument.name.removesuffix("s").upper() if argument.positional else flags.flag(argument)
    cells = (f"`{argument.name}`", f"`{typed}`", "; ".join(expected), argument.description)
    return f"| {' | '.join(cells)} |"


def _answer(command: type[Command]) -> list[str]:
    """The names in the answer: `run` returns a TypedDict."""
    return list(command.run.__annotations__["return"].__annotations__)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
