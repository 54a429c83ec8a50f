"""JSON of what may be anything: a letter must always be possible."""

import json
from collections.abc import Iterator
from typing import Any


def compact(value: Any) -> str:
    """JSON in ASCII, so that lone surrogates survive as escapes and characters are bytes.

    However deep *value* is nested; what JSON has no place for becomes its text.
    """
    try:
        return json.dumps(value, separators=(",", ":"), default=str)
    except RecursionError:
        return "".join(_pieces(value))


def _pieces(value: Any) -> Iterator[str]:
    """*value* as JSON, piece by piece, from a stack of our own instead of the interpreter's."""
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
    """Text that is JSON already."""

    __slots__ = ()


def _push(stack: list[Any], entries: list[tuple[str, Any]]) -> None:
    for at in range(len(entries) - 1, -1, -1):
        head, inner = entries[at]
        stack += [inner, _Piece(("," if at else "") + head)]
