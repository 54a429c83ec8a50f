"""The output of the demo: colours and moving bars on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

_INDENT = (0, 0, 0, 3)
_PLAIN_STEPS = 4  # lines instead of a bar where it can't move

Advance = Callable[[int], None]  # takes the number of things done so far


class Screen:
    """Writes to *console*. Texts are shown as they are; brackets in them are no markup."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._steps += 1
        self._print("")
        self._print(Text(f"{self._steps}  {title}", style="bold cyan"))

    def say(self, text: str) -> None:
        self._print(Padding(Text(text), _INDENT, expand=False))

    def good(self, text: str) -> None:
        """Show an expectation that was met."""
        self._mark("✓", "green", text)

    def bad(self, text: str) -> None:
        """Show an expectation that was not met."""
        self._mark("✗", "bold red", text)

    def _mark(self, mark: str, style: str, text: str) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_row(Text(f" {mark}", style=style), Text(text))
        self._print(line)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show *rows*; without any column name there is no header. Numbers are aligned right."""
        table = Table(
            box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_header=any(columns)
        )
        for index, name in enumerate(columns):
            numbers = bool(rows) and all(_is_number(row[index]) for row in rows)
            table.add_column(Text(name), justify="right" if numbers else "left")
        for row in rows:
            table.add_row(*(Text(_text(cell)) for cell in row))
        self._print(Padding(table, _INDENT, expand=False))

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Advance]:
        """Show a progress bar up to *total*; yields the function that moves it."""
        if not self._console.is_terminal:
            yield self._lines(label, total)
            return
        columns = (
            TextColumn("  "),
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)

    def _print(self, what: RenderableType) -> None:
        if self._console.is_terminal:
            self._console.print(what)
            return
        with self._console.capture() as captured:
            self._console.print(what)
        for line in captured.get().splitlines():  # without the spaces that pad a line
            self._console.file.write(line.rstrip() + "\n")
        self._console.file.flush()

    def _lines(self, label: str, total: int) -> Advance:
        said = 0

        def advance(done: int) -> None:
            nonlocal said
            reached = done * _PLAIN_STEPS // total if total else _PLAIN_STEPS
            if reached > said:
                said = reached
                self.say(f"{label}: {done:,} of {total:,}")

        return advance


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    return f"{value:,}" if _is_number(value) else str(value)
