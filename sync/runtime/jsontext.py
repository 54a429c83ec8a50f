"""Compact JSON: `strict` of our own values; `compact` of any, as dead letters may hold."""

import json
from collections.abc import Iterator
from typing import Any


def strict(value: Any) -> str:
    """*value* as JSON without blanks, in ASCII. Raises TypeError for a type that JSON lacks."""
    return json.dumps(value, separators=(",", ":"))


def compact(value: Any) -> str:
    """*value* as JSON without blanks, in ASCII: a character is a byte, a lone surrogate an escape.

    Nesting may be of any depth. A value of a type that JSON lacks becomes `str(value)`.
    """
    try:
        return json.dumps(value, separators=(",", ":"), default=str)
    except RecursionError:
        return "".join(_pieces(value))


def _pieces(value: Any) -> Iterator[str]:
    """*value* as JSON, in pieces; without recursion, which deep nesting would exhaust."""
    stack: list[Any] = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, _Piece):
            yield top
        elif isinstance(top, dict):
            stack.append(_Piece("}"))
            entries = [(f"{json.dumps(str(name))}:", inner) for name, inner in top.items()]
            _push(stack, entries)
            stack.append(_Piece("{"))
        elif isinstance(top, list | tuple):
            stack.append(_Piece("]"))
            _push(stack, [("", inner) for inner in top])
            stack.append(_Piece("["))
        else:
            yield json.dumps(top, default=str)


class _Piece(str):
    """Text on the stack that is JSON already."""

    __slots__ = ()


def _push(stack: list[Any], entries: list[tuple[str, Any]]) -> None:
    """Push each (head, value) of *entries*, last first, with a comma before all but the first."""
    for at in range(len(entries) - 1, -1, -1):
        head, inner = entries[at]
        stack += [inner, _Piece(("," if at else "") + head)]
