"""A mutant, what kind of change it is, and the survivors whose reasons are known."""

import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

KNOWN: Final = Path(__file__).with_name("survivors.json")

KILLED, SIMULATED, EXPLAINED, SURVIVED = "killed", "simulated", "explained", "survived"
"""What became of a mutant: a unit test failed; a simulated history failed; nothing failed, and the
reason is known; nothing failed."""

Change = tuple[str, str, str, str]
"""What tells mutants apart, whatever their number: file, function, lines before, lines after."""

_COMPARISONS: Final = {"<", "<=", ">", ">=", "==", "!=", "is", "in"}
_ARITHMETIC: Final = {"+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^"}
_LOGIC: Final = {"and", "or", "not", "True", "False"}
_FLOW: Final = {"break", "continue", "return"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small bug. *end*: what became of it."""

    name: str  # by which mutmut runs it
    file: str
    function: str
    before: str
    after: str
    end: str

    @property
    def change(self) -> Change:
        return self.file, self.function, self.before, self.after

    @property
    def total(self) -> str:
        """What all mutants are counted under."""
        return "all"

    @property
    def kind(self) -> str:
        """The class of the change."""
        return kind_of(self.before, self.after)


def kind_of(before: str, after: str) -> str:
    """The class of a change, from the first token that differs."""
    old, new = _tokens(before), _tokens(after)
    at = next((n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), 0)
    was, now = old[at : at + 1] or [""], new[at : at + 1] or [""]
    both = {was[0], now[0]}
    if re.search(r"\) (and False|or True)\b", after):
        return "branch"
    if at and old[at - 1] == "is":  # "is None" became "is not None", or the other way round
        return "comparison"
    for kind, words in (("flow", _FLOW), ("comparison", _COMPARISONS), ("logic", _LOGIC)):
        if both & words:
            return kind
    if all(word[:1].isdigit() for word in both):
        return "number"
    if all(_is_text(word) for word in both):
        return "text"
    if both & _ARITHMETIC or any(word.endswith("=") for word in both):
        return "arithmetic"
    if now[0] == "None" and re.match(r"[\w.\[\]:, |()\"]+ = None$", after.splitlines()[0]):
        return "assignment"
    return "argument"


def _tokens(text: str) -> list[str]:
    """The words of *text*, up to where it can't be read: it may be a part of a statement."""
    layout = (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.NEWLINE)
    found: list[str] = []
    with suppress(tokenize.TokenError, IndentationError):
        found.extend(
            token.string
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in layout
        )
    return found


def _is_text(word: str) -> bool:
    return word.lstrip("rbfRBF")[:1] in ("'", '"') and word != ""


def known(path: Path = KNOWN) -> dict[Change, str]:
    """The survivors that are explained, each with its reason."""
    return {
        (one["file"], one["function"], one["before"], one["after"]): one["reason"]
        for one in json.loads(path.read_text())
    }


def explained(mutants: Iterable[Mutant], reasons: Mapping[Change, str]) -> list[Mutant]:
    """*mutants*, of which the survivors that have a reason are marked so."""
    return [
        replace(one, end=EXPLAINED) if one.end == SURVIVED and one.change in reasons else one
        for one in mutants
    ]


def plain(mutant: Mutant) -> dict[str, str]:
    """*mutant* as an entry of survivors.json, without its reason."""
    entry = asdict(mutant)
    del entry["name"], entry["end"]
    return entry
