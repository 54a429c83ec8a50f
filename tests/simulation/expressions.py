"""DynamoDB's expressions, as far as the service uses them (developer guide, "Expressions")."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from tests.simulation.requests import refused

Item = dict[str, dict[str, Any]]

_TOKEN: Final = re.compile(r"\s*([#:]?\w+|<>|<=|>=|[=<>(),])")
_CLAUSES: Final = ("SET", "REMOVE", "ADD")


class Names:
    """The names and values of a request."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._names: dict[str, str] = request.get("ExpressionAttributeNames", {})
        self._values: dict[str, dict[str, Any]] = request.get("ExpressionAttributeValues", {})

    def name(self, token: str) -> str:
        if not token.startswith("#"):
            return token
        if token not in self._names:
            raise refused(f"an expression attribute name is not defined: {token}")
        return self._names[token]

    def value(self, token: str) -> dict[str, Any]:
        if token not in self._values:
            raise refused(f"an expression attribute value is not defined: {token}")
        return self._values[token]


Condition = Callable[[Item, Names], bool]
Update = Callable[[Item, Names], Item]


@cache
def condition(text: str) -> Condition:
    """A condition: comparisons, attribute_exists and its opposite, begins_with, AND, OR and
    parentheses."""
    reader = _Reader(text)
    found = _or(reader)
    if reader.peek():
        raise refused(f"unexpected {reader.peek()!r} in {text!r}")
    return found


@cache
def update(text: str) -> Update:
    """SET with values and if_not_exists, REMOVE, and ADD of numbers; each clause once."""
    reader = _Reader(text)
    actions: list[tuple[str, Callable[[Item, Item, str, Names], None]]] = []
    clauses = []
    while clause := reader.peek():
        reader.take()
        if clause not in _CLAUSES or clause in clauses:
            raise refused(f"unexpected {clause!r} in {text!r}")
        clauses.append(clause)
        while True:
            actions.append(_action(clause, reader))
            if reader.peek() != ",":
                break
            reader.take()

    def apply(item: Item, names: Names) -> Item:
        new = dict(item)
        paths = [names.name(path) for path, _ in actions]
        if len(set(paths)) < len(paths):
            raise refused("two document paths overlap")
        for path, act in actions:
            act(item, new, names.name(path), names)
        return new

    return apply


def projected(text: str | None, item: Item, names: Names) -> Item:
    """What a projection leaves of *item*; all of it without one."""
    if text is None:
        return item
    wanted = [names.name(path.strip()) for path in text.split(",")]
    return {name: item[name] for name in wanted if name in item}


def _action(clause: str, reader: "_Reader") -> tuple[str, Callable[[Item, Item, str, Names], None]]:
    path = reader.name()
    if clause == "REMOVE":
        return path, lambda _old, new, name, _names: _remove(new, name)
    if clause == "ADD":
        token = reader.take()
        return path, lambda old, new, name, names: _add(old, new, name, names.value(token))
    reader.expect("=")
    token = reader.take()
    if token == "if_not_exists":  # noqa: S105 - a function's name
        reader.expect("(")
        other = reader.name()
        reader.expect(",")
        default = reader.take()
        reader.expect(")")

        def set_default(old: Item, new: Item, name: str, names: Names) -> None:
            new[name] = old.get(names.name(other)) or names.value(default)

        return path, set_default

    def set_value(_old: Item, new: Item, name: str, names: Names) -> None:
        new[name] = names.value(token)

    return path, set_value


def _remove(new: Item, name: str) -> None:
    new.pop(name, None)


def _add(old: Item, new: Item, name: str, value: dict[str, Any]) -> None:
    if "N" not in value:
        raise refused(f"ADD of {value}, which is no number")
    new[name] = {"N": str(int(old.get(name, {"N": "0"})["N"]) + int(value["N"]))}


def _or(reader: "_Reader") -> Condition:
    parts = [_and(reader)]
    while reader.peek() == "OR":
        reader.take()
        parts.append(_and(reader))
    return lambda item, names: any(part(item, names) for part in parts)


def _and(reader: "_Reader") -> Condition:
    parts = [_term(reader)]
    while reader.peek() == "AND":
        reader.take()
        parts.append(_term(reader))
    return lambda item, names: all(part(item, names) for part in parts)


def _term(reader: "_Reader") -> Condition:
    token = reader.take()
    if token == "(":  # noqa: S105 - a parenthesis
        inner = _or(reader)
        reader.expect(")")
        return inner
    if token in ("attribute_exists", "attribute_not_exists"):
        reader.expect("(")
        path = reader.name()
        reader.expect(")")
        wanted = token == "attribute_exists"  # noqa: S105
        return lambda item, names: (names.name(path) in item) is wanted
    if token == "begins_with":  # noqa: S105
        reader.expect("(")
        path = reader.name()
        reader.expect(",")
        beginning = reader.take()
        reader.expect(")")
        return lambda item, names: _begins(item.get(names.name(path)), names.value(beginning))
    operator, value = reader.take(), reader.take()
    if operator not in _COMPARE or not value.startswith(":"):
        raise refused(f"unexpected {operator!r} {value!r}")
    compare = _COMPARE[operator]
    return lambda item, names: compare(item.get(names.name(token)), names.value(value))


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Of a missing attribute, or one of another type, no order holds."""

    def compare(there: Any, given: Any) -> bool:
        if there is None or set(there) != set(given):
            return False
        ((tag, one),), ((_, other),) = there.items(), given.items()
        return test(int(one), int(other)) if tag == "N" else test(one, other)

    return compare


def _begins(there: dict[str, Any] | None, given: dict[str, Any]) -> bool:
    return there is not None and str(there.get("S", "")).startswith(given["S"])


_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda there, given: there == given,
    "<>": lambda there, given: there != given,
    "<": _ordered(lambda one, other: one < other),
    "<=": _ordered(lambda one, other: one <= other),
    ">": _ordered(lambda one, other: one > other),
    ">=": _ordered(lambda one, other: one >= other),
}


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise refused(f"not understood: {text!r}")
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise refused(f"{self._text!r} ends too early")
        self._at += 1
        return token

    def name(self) -> str:
        token = self.take()
        if not re.fullmatch(r"#?\w+", token) or token in _CLAUSES:
            raise refused(f"{token!r} is no name, in {self._text!r}")
        return token

    def expect(self, wanted: str) -> None:
        if self.take() != wanted:
            raise refused(f"no {wanted!r} where it should be in {self._text!r}")
