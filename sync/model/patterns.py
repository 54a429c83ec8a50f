"""What a regular expression says of the texts that it matches: prefix, literal text, samples.

The standard library has no public parser of regular expressions, so its private one is used. On a
Python without it, `literal_prefix` gives "" and `samples` nothing. The registry then tries every
pattern of a table, and finds overlapping models only when a record matches both.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

try:
    from re._constants import (  # type: ignore[import-not-found]
        ANY,
        AT,
        BRANCH,
        CATEGORY,
        CATEGORY_DIGIT,
        CATEGORY_SPACE,
        CATEGORY_WORD,
        IN,
        LITERAL,
        MAX_REPEAT,
        MIN_REPEAT,
        NEGATE,
        NOT_LITERAL,
        POSSESSIVE_REPEAT,
        RANGE,
        SUBPATTERN,
    )
    from re._parser import parse  # type: ignore[import-not-found]

    _EXAMPLES = {CATEGORY_DIGIT: "0", CATEGORY_WORD: "a", CATEGORY_SPACE: " "}
except ImportError:
    parse = None

CAN_PARSE: Final = parse is not None

_ANY = "x"
_PROBES = "a0A-_#.xyz~ "  # tried in turn for a character that a negated class allows
_MORE_REPEATS = 2  # a sample has up to this many repeats beyond the fewest
_LITERAL_TEXT = re.compile(r"(?:[^\\.^$*+?{}\[\]|()]|\\\W)*")


def literal_prefix(pattern: str) -> str:
    """The text that every match of *pattern* begins with; may be empty."""
    if not CAN_PARSE:
        return ""
    parsed = _parse(pattern)
    if parsed.state.flags & re.IGNORECASE:  # the prefix could be spelled in several ways
        return ""
    prefix = []
    for kind, argument in parsed:
        if kind is not LITERAL:
            break
        prefix.append(chr(argument))
    return "".join(prefix)


def literal(pattern: str) -> str | None:
    """The only text that *pattern* matches: it is plain text, perhaps with escaped punctuation.

    None for any other pattern.
    """
    return re.sub(r"\\(\W)", r"\1", pattern) if _LITERAL_TEXT.fullmatch(pattern) else None


@lru_cache(maxsize=4096)
def samples(pattern: str) -> tuple[str, ...]:
    """Up to three texts that *pattern* matches in full, shortest repeats first; may be none."""
    if not CAN_PARSE:
        return ()
    found = []
    for choice in range(_MORE_REPEATS + 1):
        try:
            text = "".join(_texts(_parse(pattern), choice))
        except _Unknown:
            return ()
        if re.fullmatch(pattern, text, re.DOTALL) and text not in found:
            found.append(text)
    return tuple(found)


class _Unknown(Exception):
    """The pattern has a construct that no sample is made for."""


def _parse(pattern: str) -> Any:
    return parse(pattern, re.DOTALL)


def _texts(parsed: Any, choice: int) -> Iterator[str]:
    """Pieces of one sample: of each alternative the *choice*-th, of each repeat *choice* more
    than the fewest. Raises _Unknown."""
    for kind, argument in parsed:
        if kind is LITERAL:
            yield chr(argument)
        elif kind is ANY:
            yield _ANY
        elif kind is NOT_LITERAL:
            yield _ANY if chr(argument) != _ANY else "y"
        elif kind is IN:
            yield _member(argument, choice)
        elif kind is BRANCH:
            branches = argument[1]
            yield from _texts(branches[choice % len(branches)], choice)
        elif kind is SUBPATTERN:
            yield from _texts(argument[-1], choice)
        elif kind in (MAX_REPEAT, MIN_REPEAT, POSSESSIVE_REPEAT):
            low, high, inner = argument
            for _ in range(min(low + choice, int(high))):
                yield from _texts(inner, choice)
        elif kind is AT:
            continue  # an anchor matches no character
        else:
            raise _Unknown


def _member(members: Any, choice: int) -> str:
    """A character of a class such as `[A-Z\\d]` or `[^#]`. Raises _Unknown."""
    if members and members[0][0] is NEGATE:
        for probe in _PROBES:
            if not any(_holds(member, probe) for member in members[1:]):
                return probe
        raise _Unknown
    kind, argument = members[choice % len(members)]
    if kind is LITERAL:
        return chr(argument)
    if kind is RANGE:
        return chr(argument[0])
    if kind is CATEGORY and argument in _EXAMPLES:
        return _EXAMPLES[argument]
    raise _Unknown


def _holds(member: tuple[Any, Any], text: str) -> bool:
    """Whether the character *text* is in *member*, as far as the examples of categories tell."""
    kind, argument = member
    if kind is LITERAL:
        return ord(text) == int(argument)
    if kind is RANGE:
        return bool(argument[0] <= ord(text) <= argument[1])
    return bool(kind is CATEGORY and _EXAMPLES.get(argument) == text)
