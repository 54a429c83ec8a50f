"""What terminals get, and what pipes get instead."""

import io
import json
from typing import Any

import pytest

from sync.cli.screen import Screen
from tests.doubles.account import Account
from tests.doubles.trouble import letter, poison
from tests.unit.cli.test_main import Sync, sync

__all__ = ["sync"]  # a fixture

ID = "dff3f320197027561b687e8cd9d69e15"
HEADS = ["id", "seen", "why"]
WHY = "InvalidImage: not a valid Product: price: Input should be a number"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of eighty columns that knows colours, wherever this runs."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def drawn(file: io.StringIO, *rows: Any) -> list[str]:
    Screen(file).first(HEADS, rows)
    return file.getvalue().splitlines()


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and pipes get plain lines, and so does who sets NO_COLOR."""
    terminal, pipe = Terminal(), io.StringIO()
    Screen(terminal).say("fine", "green")
    Screen(pipe).say("fine", "green")
    assert (terminal.getvalue(), pipe.getvalue()) == ("\x1b[32mfine\x1b[0m\n", "fine\n")
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(plain := Terminal()).say("fine", "green")
    assert "\x1b" not in "".join(drawn(plain, (ID, 1, WHY)))
    assert plain.getvalue().startswith("fine\n")


def test_bars_are_for_terminals() -> None:
    """With how many are done, of how many; how many alone where the end is unknown."""
    terminal, pipe = Terminal(), io.StringIO()
    for file in (terminal, pipe):
        screen = Screen(out := io.StringIO(), file)
        assert screen.is_watched == file.isatty()
        with screen.progress("replayed", 4) as progress:
            progress.add(2)
        with screen.progress("checked") as progress:
            progress.add(1_234)
        assert out.getvalue() == ""
    assert "replayed" in terminal.getvalue()
    assert "2/4" in terminal.getvalue()
    assert "-:--:--" in terminal.getvalue()  # what is left; nobody knows yet
    assert "1,234" in terminal.getvalue()
    assert pipe.getvalue() == ""


def test_pipes_get_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each, nothing cut, whatever the width of the terminal behind; None is a dash."""
    monkeypatch.setenv("COLUMNS", "20")
    long = "a cause that is told at length " * 20
    lines = drawn(io.StringIO(), (ID, 1_000, long + "\nand more"), (None, 1, "short"))
    assert lines == [
        f"id{' ' * 30}   seen  why",
        f"{ID}  1,000  {long}and more",
        f"-{' ' * 31}      1  short",
    ]


def test_a_terminal_breaks_long_texts_and_keeps_ids_whole() -> None:
    """Nothing is lost, and an id can be copied."""
    lines = drawn(Terminal(), (ID, 1, WHY), (ID, 2, "short"))
    assert max(map(len, lines[1:])) <= 80
    assert sum(ID in line for line in lines) == 2
    assert "".join(lines).replace(" ", "").count(WHY.replace(" ", "")[:20]) == 1
    words = " ".join(" ".join(lines).split())
    assert all(word in words for word in WHY.split())


def test_a_narrow_terminal_gets_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a table of columns could not be read."""
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn(Terminal(), (ID, 1, WHY), (ID, 2, None)) == [
        f"id    {ID}",
        "seen  1",
        f"why   {WHY}",
        "",
        f"id    {ID}",
        "seen  2",
        "why   -",
    ]


@pytest.mark.parametrize("file", [io.StringIO, Terminal])
def test_what_items_hold_can_not_steer_a_terminal(file: type[io.StringIO]) -> None:
    """Errors quote items, and items may hold anything; markup is no markup either."""
    screen = Screen(made := file())
    screen.table(["why"], [["\x1b[2Jgone [bold]:smile:\x07"]])
    screen.fields({"error": "\x1b]0;x\x07", "key": "a\nb"})
    screen.say("\x9b31m")
    told = made.getvalue()
    assert [text for text in ("\x1b[2J", "\x1b]", "\x07", "\x9b") if text in told] == []
    assert "\\x1b[2Jgone [bold]:smile:\\x07" in told


def test_the_cursor_is_told_as_a_shell_takes_it() -> None:
    """Whatever stands in it."""
    Screen(file := io.StringIO()).more('{"id":{"S":"it\'s"}}')
    (line,) = file.getvalue().split("\n")[1:2]
    assert line.endswith("""--cursor '{"id":{"S":"it'"'"'s"}}'""")
    Screen(file := io.StringIO()).more(None)
    assert file.getvalue() == ""


def test_many_results_are_cut_on_a_terminal_alone(
    account: Account, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen is short; whoever pipes wants all."""
    for number in range(25):
        account.consume(letter(poison(f"p{number:02}", number=number)), message_id=f"{number}")
    assert sum("(productId=p" in line for line in sync("dlq", "list")[1].splitlines()) == 25
    assert len(json.loads(sync("dlq", "list", "--json")[1])["rows"]) == 25
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    sync("dlq", "list")
    told = terminal.getvalue()
    assert told.count("(productId=p") == 20
    assert "… and 5 more; --json shows all" in told
