"""What can be told of a regular expression without running it."""

import re
from collections.abc import Iterator
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]  # no public parser of re's
from re import _parser  # type: ignore[attr-defined]  # the same
from typing import Any

_ANY = "x"
_MORE = 2  # how many repeats a sample has beyond none


def _parse(pattern: str) -> Any:
    return _parser.parse(pattern, re.DOTALL)


def literal_prefix(pattern: str) -> str:
    """The text that every match of *pattern* begins with; may be empty."""
    parsed = _parse(pattern)
    if parsed.state.flags & re.IGNORECASE:  # a literal then has other spellings
        return ""
    prefix = []
    for kind, argument in parsed:
        if kind is not sre.LITERAL:
            break
        prefix.append(chr(argument))
    return "".join(prefix)


def literal(pattern: str) -> str | None:
    """The one text that *pattern* matches; None where it may match others."""
    prefix = literal_prefix(pattern)
    return prefix if len(_parse(pattern)) == len(prefix) else None


@lru_cache(maxsize=4096)
def samples(pattern: str) -> tuple[str, ...]:
    """A few texts that *pattern* matches in full, shortest choices first; may be none."""
    found = []
    for choice in range(_MORE + 1):
        try:
            text = "".join(_texts(_parse(pattern), choice))
        except _Unknown:
            return ()
        if re.fullmatch(pattern, text, re.DOTALL) and text not in found:
            found.append(text)
    return tuple(found)


class _Unknown(Exception):
    """The pattern has a construct that no sample is made for."""


def _texts(parsed: Any, choice: int) -> Iterator[str]:
    """Pieces of one text: of each alternative the *choice*-th, of each repeat *choice* more."""
    for kind, argument in parsed:
        if kind is sre.LITERAL:
            yield chr(argument)
        elif kind is sre.ANY:
            yield _ANY
        elif kind is sre.NOT_LITERAL:
            yield _ANY if chr(argument) != _ANY else "y"
        elif kind is sre.IN:
            yield _member(argument, choice)
        elif kind is sre.BRANCH:
            branches = argument[1]
            yield from _texts(branches[choice % len(branches)], choice)
        elif kind is sre.SUBPATTERN:
            yield from _texts(argument[-1], choice)
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            low, high, inner = argument
            for _ in range(min(low + choice, int(high))):
                yield from _texts(inner, choice)
        elif kind is sre.AT:
            continue  # an anchor takes no text
        else:
            raise _Unknown


_CLASSES = {sre.CATEGORY_DIGIT: "0", sre.CATEGORY_WORD: "a", sre.CATEGORY_SPACE: " "}
_PROBES = "a0A-_#.xyz~ "


def _member(members: Any, choice: int) -> str:
    """A character of a class: `[A-Z\\d]`, `[^#]`."""
    if members and members[0][0] is sre.NEGATE:
        for probe in _PROBES:
            if not any(_holds(member, probe) for member in members[1:]):
                return probe
        raise _Unknown
    kind, argument = members[choice % len(members)]
    if kind is sre.LITERAL:
        return chr(argument)
    if kind is sre.RANGE:
        return chr(argument[0])
    if kind is sre.CATEGORY and argument in _CLASSES:
        return _CLASSES[argument]
    raise _Unknown


def _holds(member: tuple[Any, Any], text: str) -> bool:
    kind, argument = member
    if kind is sre.LITERAL:
        return ord(text) == int(argument)
    if kind is sre.RANGE:
        return bool(argument[0] <= ord(text) <= argument[1])
    return bool(kind is sre.CATEGORY and _CLASSES.get(argument) == text)
