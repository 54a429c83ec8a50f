"""Values as golden files hold them: readable JSON that is the same in every run."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = Any

LONGEST: Final = 300  # characters of a text that are shown
MOST: Final = 10  # elements of a list that are shown
# Sentences for people may be reworded, and a trace names lines of code.
_TEXTS: Final = frozenset({"error", "message", "reason", "trace", "why", "broken_by"})
_RANDOM: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def plain(value: Any) -> Json:
    """*value* as JSON: bytes as base64, tuples as lists."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def short(value: Json) -> Json:
    """*value*, with long texts and lists replaced by their length and a digest."""
    if isinstance(value, dict):
        return {name: short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if len(value) <= MOST:
            return [short(inner) for inner in value]
        ends = {"first": short(value[0]), "last": short(value[-1])}
        return {"elements": len(value), **ends, "sha256": _digest(json.dumps(value))}
    if isinstance(value, str) and len(value) > LONGEST:
        return f"<{len(value)} characters, sha256 {_digest(value)}>"
    return value


def is_cut(value: Json) -> bool:
    """Whether `short` has replaced something in *value*."""
    text = json.dumps(value)
    return '"sha256"' in text or ", sha256 " in text


def masked(value: Json) -> Json:
    """*value* with each sentence for people replaced by "<text>"."""
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {name: _masked(name, inner) for name, inner in value.items()}


def _masked(name: str, value: Json) -> Json:
    if name in _TEXTS and isinstance(value, str) and value:
        return "<text>"
    if name in _TEXTS and isinstance(value, dict) and value.get("S"):
        return {"S": "<text>"}
    return masked(value)


def random_id(text: str) -> str:
    """A constant for *text*, if that looks like a random id."""
    return "<random>" if _RANDOM.fullmatch(text) else f"<not random: {text}>"


def message(text: str) -> Json:
    """A message that is JSON, parsed, and its size as it was sent."""
    return {"bytes": len(text.encode()), "body": short(json.loads(text))}


def exact(text: str) -> Json:
    """The number *text*; as a text where a float would lose digits."""
    return float(text) if repr(float(text)) == text else f"<number {text}>"


def shape(value: Json) -> Json:
    """The names and types in *value*; a list has one shape for all its elements."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        found: Json = None
        for n, inner in enumerate(value):
            found = shape(inner) if n == 0 else together(found, shape(inner))
        return [] if found is None else [found]
    if isinstance(value, bool):
        return "boolean"
    return {int: "integer", float: "number", str: "text"}.get(type(value), "null")


def together(one: Json, other: Json) -> Json:
    """The shape of values that have either shape."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = [*one, *(name for name in other if name not in one)]
        return {
            name: together(one[name], other[name])
            if name in one and name in other
            else one.get(name, other.get(name))
            for name in names
        }
    if isinstance(one, list) and isinstance(other, list):
        return [together(*one, *other)] if one and other else one or other
    if one == other:
        return one
    return " or ".join(sorted({*_kinds(one), *_kinds(other)}))


def _kinds(found: Json) -> Iterator[str]:
    if isinstance(found, str):
        yield from found.split(" or ")
    else:
        yield "object" if isinstance(found, dict) else "list"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
