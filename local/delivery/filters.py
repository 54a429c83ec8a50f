"""Which records a mapping's filters let through.

The rules are from the Lambda guide, "Control which events Lambda sends to your function" (filter
rule syntax) and page FI (with-ddb-filtering). Where both are silent, the matching of EventBridge is
assumed, because the syntax comes from there.

- There are up to five patterns, OR-ed. The fields of one pattern are AND-ed; `$or` holds
  alternatives. A leaf is a list of rules, and at least one of them has to hold.
- A pattern names leaves, and `exists` looks only at leaves (FI): for a map it is always false.
- DynamoDB writes numbers as strings, so `numeric` never matches an N (FI).
- A missing field matches `{"exists": false}` and nothing else, not even anything-but.
- Assumed: a list in the record (SS, NS, L) matches if one of its elements does.
- Assumed: fields outside `dynamodb` (eventName, userIdentity) can be filtered on. The guide
  names only `dynamodb`, but existing mappings filter on eventName.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync.errors import ConfigError

MAX_FILTERS = 5
MAX_PATTERN_LENGTH = 4096

Matcher = Callable[[Any], bool]  # gets a value of the record; None if it is missing
Rule = Callable[[Sequence[Any]], bool]  # gets the leaves of a field; none if it is missing

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


class Filters:
    """The filters of one mapping. Without any, every record passes. Raises ConfigError."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        if len(patterns) > MAX_FILTERS:
            raise ConfigError(f"FilterCriteria: {len(patterns)} filters, {MAX_FILTERS} at most")
        self._matchers = tuple(_parse(pattern) for pattern in patterns)

    def __bool__(self) -> bool:
        return bool(self._matchers)

    def match(self, event: Mapping[str, Any]) -> bool:
        """Whether *event*, a record as Lambda passes it, reaches the function."""
        return not self._matchers or any(matches(event) for matches in self._matchers)


def _parse(text: str) -> Matcher:
    if len(text) > MAX_PATTERN_LENGTH:
        raise ConfigError(
            f"FilterCriteria: a pattern of {len(text)} characters, {MAX_PATTERN_LENGTH} at most"
        )
    try:
        return _compile(json.loads(text))
    except ValueError as error:
        raise ConfigError(f"FilterCriteria: {error}: {text!r}") from error


def _compile(pattern: object) -> Matcher:
    """The matcher of *pattern*; raises ValueError if it isn't one."""
    if not isinstance(pattern, dict) or not pattern:
        raise ValueError("a pattern is an object with fields")
    tests = [_field(name, below) for name, below in pattern.items()]

    def matches(value: Any) -> bool:
        if isinstance(value, list):
            return any(map(matches, value))
        fields = value if isinstance(value, Mapping) else {}
        return all(test(fields) for test in tests)

    return matches


def _field(name: str, below: object) -> Matcher:
    if name == "$or":
        if not isinstance(below, list) or len(below) < 2:
            raise ValueError("$or needs two patterns or more")
        alternatives = [_compile(pattern) for pattern in below]
        return lambda fields: any(matches(fields) for matches in alternatives)
    if isinstance(below, list):
        if not below:
            raise ValueError(f"{name} has no rules")
        rules = [_rule(rule) for rule in below]

        def leaf(fields: Any) -> bool:
            leaves = _leaves(fields[name]) if name in fields else []
            return any(rule(leaves) for rule in rules)

        return leaf
    deeper = _compile(below)
    return lambda fields: deeper(fields.get(name))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [leaf for element in value for leaf in _leaves(element)]
    return [] if isinstance(value, Mapping) else [value]


def _rule(rule: object) -> Rule:
    if _plain(rule):
        return _any(lambda value: _equal(value, rule))
    if not isinstance(rule, dict) or len(rule) != 1:
        raise ValueError(f"one operator to a rule, not {rule}")
    [(operator, argument)] = rule.items()
    match operator, argument:
        case "exists", bool():
            return lambda leaves: bool(leaves) is argument
        case "prefix", str():
            return _any(lambda value: isinstance(value, str) and value.startswith(argument))
        case "suffix", str():
            return _any(lambda value: isinstance(value, str) and value.endswith(argument))
        case "equals-ignore-case", str():
            return _any(lambda value: isinstance(value, str) and value.lower() == argument.lower())
        case "anything-but", list() if argument and all(map(_plain, argument)):
            return _any(lambda value: not any(_equal(value, other) for other in argument))
        case "numeric", list() if _bounds(argument):
            return _any(lambda value: numeric(argument, value))
    raise ValueError(f"Lambda has no such rule for DynamoDB: {rule}")


def _any(holds: Callable[[Any], bool]) -> Rule:
    return lambda leaves: any(map(holds, leaves))


def numeric(bounds: Sequence[Any], value: object) -> bool:
    """Whether *value* is a number within *bounds*, such as [">", 0, "<=", 5].

    DynamoDB's N is never one: in the record it is a string (FI).
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(
        _COMPARISONS[comparison](value, bound)
        for comparison, bound in zip(bounds[::2], bounds[1::2], strict=True)
    )


def _bounds(argument: list[Any]) -> bool:
    return len(argument) in (2, 4) and all(
        comparison in _COMPARISONS
        and isinstance(bound, int | float)
        and not isinstance(bound, bool)
        for comparison, bound in zip(argument[::2], argument[1::2], strict=True)
    )


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _equal(value: object, other: object) -> bool:
    """Equality as in JSON, where true is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and value == other
