"""Tables, colours and a progress bar, for terminals; plain lines for everything else."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, TextIO

_COLOURS: Final = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
_BAR: Final = 30
_SHOWN: Final = 20  # rows of a table that may be long
_WIDEST: Final = 72  # of a column


class Screen:
    """*out* takes answers, *err* progress; colours and bars are for terminals only."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._colour = self._out.isatty() and "NO_COLOR" not in os.environ

    def say(self, line: str = "", colour: str = "") -> None:
        print(self.paint(line, colour), file=self._out)

    def json(self, value: Any) -> None:
        print(json.dumps(value), file=self._out)

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and self._colour else text

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Columns as wide as they need to be; numbers to the right; None is a dash."""
        texts = [[_cell(value) for value in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
        self.say("  ".join(h.ljust(w) for h, w in zip(heads, widths, strict=True)).rstrip(), "bold")
        for row, line in zip(rows, texts, strict=True):
            cells = [
                text.rjust(width) if isinstance(value, int) else text.ljust(width)
                for value, text, width in zip(row, line, widths, strict=True)
            ]
            self.say("  ".join(cells).rstrip())

    def first(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table of the first rows, and how many more there are."""
        self.table(heads, rows[:_SHOWN])
        if len(rows) > _SHOWN:
            self.say(f"… and {len(rows) - _SHOWN:,} more; --json shows all", "dim")

    def progress(self, what: str, total: int | None = None) -> "Progress":
        return Progress(self._err, what, total)


class Progress:
    """One line that is drawn anew, on a terminal; nothing elsewhere."""

    def __init__(self, file: TextIO, what: str, total: int | None) -> None:
        self._file = file if file.isatty() else None
        self._what = what
        self._total = total
        self.done = 0

    def add(self, count: int) -> None:
        self.done += count
        self._draw()

    def __enter__(self) -> "Progress":
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            print(file=self._file)

    def _draw(self) -> None:
        if self._file is None:
            return
        line = f"{self._what} {self.done:,}"
        if self._total:
            full = min(_BAR, _BAR * self.done // self._total)
            line = f"{self._what} [{'#' * full}{'.' * (_BAR - full)}] {self.done:,}/{self._total:,}"
        print(f"\r\x1b[K{line}", end="", file=self._file, flush=True)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) else " ".join(str(value).split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
