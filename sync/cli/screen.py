"""Tables, colours and progress bars for terminals; plain whole lines for everything else."""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, TextIO

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

_SHOWN: Final = 20  # rows of a table that may be long, on a terminal
_NEVER_BROKEN: Final = 40  # characters of a word: ids and moments are to be copied whole
_NARROWEST: Final = 16  # columns of a text that may be broken
_GAP: Final = 2  # between two columns
_WIDE: Final = 1_000_000  # columns without a terminal, so that nothing is wrapped or cut


class Screen:
    """Prints answers to *out*, progress to *err*. In a pipe nothing is wrapped, cut or coloured."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._file = out or sys.stdout
        self._out = _console(self._file)
        self._err = _console(err or sys.stderr)

    @property
    def is_watched(self) -> bool:
        """Whether progress goes to a terminal."""
        return self._err.is_terminal

    def say(self, line: str = "", style: str = "") -> None:
        """Print a line, or several, unchanged; the terminal wraps what is too long for it."""
        self._out.print(Text(_safe(line), style), soft_wrap=True)

    def json(self, value: Any) -> None:
        print(json.dumps(value), file=self._file)

    def more(self, cursor: str | None) -> None:
        """Say how to continue, if a limit ended the command."""
        if cursor is not None:
            self.say()
            self.say(f"there is more: the same with --cursor {shlex.quote(cursor)}", "yellow")

    def fields(self, values: Mapping[str, Any]) -> None:
        """Print a line for each value, with its name before it."""
        width = max(map(len, values), default=0)
        for name, value in values.items():
            line = Text.assemble((f"{name.ljust(width)}  ", "bold"), _line(value))
            self._out.print(line, soft_wrap=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table, or row by row if it is too wide for the terminal. None is a dash."""
        texts = [[_cell(value) for value in row] for row in rows]
        table = Table(box=None, pad_edge=False, header_style="bold")
        needed = -_GAP
        for at, head in enumerate(heads):
            cells = [row[at] for row in texts]
            widest = max(map(cell_len, [head, *cells]))
            whole = all(len(cell) <= _NEVER_BROKEN and " " not in cell for cell in cells)
            needed += _GAP + (widest if whole else min(widest, _NARROWEST))
            number = any(isinstance(row[at], int) for row in rows)
            justify: JustifyMethod = "right" if number else "left"
            table.add_column(head, justify=justify, overflow="fold", no_wrap=whole)
        if needed > self._out.width:
            self._row_by_row(heads, texts)
            return
        for row in texts:
            table.add_row(*map(Text, row))
        with self._out.capture() as drawn:
            self._out.print(table)
        for line in drawn.get().splitlines():
            print(line.rstrip(), file=self._file)

    def first(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table that may be long: on a terminal the first rows, and how many are left."""
        shown = rows[:_SHOWN] if self._out.is_terminal else rows
        self.table(heads, shown)
        if left := len(rows) - len(shown):
            self.say(f"… and {left:,} more; --json shows all", "dim")

    def progress(self, what: str, total: int | None = None) -> "Progress":
        return Progress(self._err, what, total)

    def _row_by_row(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        for number, row in enumerate(rows):
            if number:
                self.say()
            self.fields(dict(zip(heads, row, strict=True)))


class Progress:
    """A bar with the time left, or a count if the total is unknown; only on a terminal."""

    def __init__(self, console: Console, what: str, total: int | None) -> None:
        known: tuple[ProgressColumn, ...] = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        unknown: tuple[ProgressColumn, ...] = (
            TextColumn("{task.completed:,.0f}"),
            TimeElapsedColumn(),
        )
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            *(known if total else unknown),
            console=console,
            transient=True,
            redirect_stdout=False,  # standard output is for answers
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task(what, total=total)
        self.done = 0

    def add(self, count: int) -> None:
        self.done += count
        self._bars.update(self._task, completed=self.done)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


def _console(file: TextIO) -> Console:
    terminal = file.isatty()
    return Console(
        file=file,
        force_terminal=terminal,
        color_system="auto" if terminal and "NO_COLOR" not in os.environ else None,
        width=None if terminal else _WIDE,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _cell(value: Any) -> str:
    """*value* in a table; large numbers get commas."""
    return f"{value:,}" if isinstance(value, int) else _line(value)


def _line(value: Any) -> str:
    return "-" if value is None else _safe(" ".join(str(value).split()))


def _safe(text: str) -> str:
    """*text*, with control characters escaped: they could move the cursor or change colours."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
