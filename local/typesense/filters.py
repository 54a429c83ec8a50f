"""`filter_by`: comparisons joined by && and ||, with parentheses (filter.cpp)."""

import operator
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from local.typesense.answers import Document, Json, Refusal
from local.typesense.fields import Field
from local.typesense.nesting import values_at
from local.typesense.schema import Schema
from local.typesense.words import Tokens, tokens_of

Condition = Callable[[Document], bool]

_UNPARSED = "Could not parse the filter query."
_UNBALANCED = "Could not parse the filter query: unbalanced parentheses."
_TOKEN = re.compile(r"\s*(&&|\|\||\(|\)|(?:`[^`]*`|(?!&&|\|\|)[^()`])+)")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "": operator.eq,
}
_RANGES = {"int32": 2**31, "int64": 2**63}


def parse_filter(filter_by: str, schema: Schema) -> Condition:
    """What *filter_by* asks of a document; an empty one asks nothing. Raises Refusal."""
    if not filter_by.strip():
        return lambda _: True
    tokens, end = [], 0
    while end < len(filter_by.rstrip()):
        match = _TOKEN.match(filter_by, end)
        if match is None:
            raise Refusal(400, "Could not parse the filter filter_query.")  # sic
        tokens.append(match[1].strip())
        end = match.end()
    condition, rest = _either(tokens, schema)
    if rest:
        raise Refusal(400, _UNBALANCED)
    return condition


def _either(tokens: Sequence[str], schema: Schema) -> tuple[Condition, Sequence[str]]:
    """Comparisons from left to right: && and || bind alike, as on the server."""
    left, tokens = _operand(tokens, schema)
    while tokens and tokens[0] in ("&&", "||"):
        joined = tokens[0]
        right, tokens = _operand(tokens[1:], schema)
        left = _both(left, right) if joined == "&&" else _any(left, right)
    return left, tokens


def _both(left: Condition, right: Condition) -> Condition:
    return lambda document: left(document) and right(document)


def _any(left: Condition, right: Condition) -> Condition:
    return lambda document: left(document) or right(document)


def _operand(tokens: Sequence[str], schema: Schema) -> tuple[Condition, Sequence[str]]:
    if not tokens or tokens[0] in ("&&", "||", ")"):
        raise Refusal(400, _UNPARSED)
    if tokens[0] != "(":
        return _comparison(tokens[0], schema), tokens[1:]
    condition, rest = _either(tokens[1:], schema)
    if not rest or rest[0] != ")":
        raise Refusal(400, _UNBALANCED)
    return condition, rest[1:]


def _comparison(expression: str, schema: Schema) -> Condition:
    name, colon, value = (part.strip() for part in expression.partition(":"))
    if not colon:
        raise Refusal(400, _UNPARSED)
    if name == "id":
        return _by_id(value)
    field = schema.searched.get(name)
    if field is None:
        raise Refusal(404, f"Could not find a filter field named `{name}` in the schema.")
    match field.scalar:
        case "int32" | "int64" | "float":
            return _by_number(field, value)
        case "bool":
            return _by_bool(field, value)
        case "string":
            return _by_text(field, value, tokens_of(schema, field))
    raise Refusal(
        400,
        f"Error with filter field `{name}`:"
        " Unidentified field data type, see docs for supported data types.",
    )


def _by_id(value: str) -> Condition:
    negated, value = _sign(value)
    if not value:
        raise _empty("id")
    wanted = set(_listed(value))
    return lambda document: ("*" in wanted or document["id"] in wanted) != negated


def _by_number(field: Field, value: str) -> Condition:
    value = value.removeprefix("=").strip()
    negated = value.startswith("!") and not value.startswith("!=")
    if negated:
        value = value[1:].strip()
        if not value:
            raise Refusal(
                400,
                f"Error with filter field `{field.name}`:"
                " Filter value cannot be empty after '!' operator.",
            )
    if value.startswith("!=") and value[2:].strip().startswith("["):
        negated, value = True, value[2:].strip()
    several = value.startswith("[") and value.endswith("]")
    parts = _split(value[1:-1]) if several else [value]
    tests = [_number_test(field, part) for part in parts]
    differs = not several and value.startswith("!=")

    def fits(document: Document) -> bool:
        numbers = [n for n in values_at(document, field.name) if isinstance(n, int | float)]
        if differs:  # a document without the field differs too
            return all(tests[0](number) for number in numbers)
        return any(test(number) for test in tests for number in numbers) != negated

    return fits


def _number_test(field: Field, part: str) -> Callable[[float], bool]:
    low, dots, high = part.partition("..")
    if dots:
        least, most = _number(field, low.strip()), _number(field, high.strip())
        return lambda number: least <= number <= most
    sign = next(sign for sign in _COMPARISONS if part.startswith(sign))
    if not sign and not re.match(r"[-+.\d]", part):
        raise Refusal(
            400,
            f"Error with filter field `{field.name}`: Numerical field has an invalid comparator.",
        )
    compare, limit = _COMPARISONS[sign], _number(field, part[len(sign) :].strip())
    return lambda number: compare(number, limit)


def _number(field: Field, digits: str) -> float:
    kind = field.scalar
    if kind == "float":
        if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", digits):
            raise Refusal(400, f"Error with filter field `{field.name}`: Not a float.")
        return float(digits)
    number = int(digits) if re.fullmatch(r"-?\d+", digits) else None
    if number is None or (kind == "int64" and not -_RANGES[kind] <= number < _RANGES[kind]):
        raise Refusal(400, f"Error with filter field `{field.name}`: Not an {kind}.")
    if not -_RANGES[kind] <= number < _RANGES[kind]:
        raise Refusal(
            400,
            f"Error with filter field `{field.name}`: `{digits}` exceeds the range of an int32.",
        )
    return number


def _by_bool(field: Field, value: str) -> Condition:
    negated, value = _sign(value)
    if not value:
        raise _empty(field.name)
    several = value.startswith("[") and value.endswith("]")
    parts = _split(value[1:-1]) if several else [value]
    if not set(parts) <= {"true", "false"}:
        noun = "Values" if several else "Value"
        colon = ":" if several else ""
        raise Refusal(
            400, f"{noun} of filter field `{field.name}`{colon} must be `true` or `false`."
        )
    wanted = {part == "true" for part in parts}
    return lambda document: any(v in wanted for v in values_at(document, field.name)) != negated


def _by_text(field: Field, value: str, tokens: Tokens) -> Condition:
    whole = value.startswith(("=", "!="))  # else the field need only contain it
    negated, value = _sign(value)
    if not value:
        raise _empty(field.name)
    wanted = [_text_test(part, tokens, whole=whole) for part in _listed(value)]

    def fits(document: Document) -> bool:
        texts = [tokens(text) for text in values_at(document, field.name) if isinstance(text, str)]
        return any(test(words) for test in wanted for words in texts) != negated

    return fits


def _text_test(part: str, tokens: Tokens, *, whole: bool) -> Callable[[list[str]], bool]:
    prefix = part.endswith("*")
    wanted = tokens(part.removesuffix("*"))

    def fits(words: list[str]) -> bool:
        if prefix and wanted:
            start = wanted[-1]
            if whole:
                size = len(wanted)
                return words[: size - 1] == wanted[:-1] and any(
                    word.startswith(start) for word in words[size - 1 : size]
                )
            return all(word in words for word in wanted[:-1]) and any(
                word.startswith(start) for word in words
            )
        return words == wanted if whole else all(word in words for word in wanted)

    return fits


def _sign(value: str) -> tuple[bool, str]:
    """Whether *value* is negated, and what follows the sign."""
    for sign, negated in (("!=", True), ("!", True), ("=", False)):
        if value.startswith(sign):
            return negated, value[len(sign) :].strip()
    return False, value


def _listed(value: str) -> list[str]:
    """The values of a list, or the one value; backticks keep what lies between them whole."""
    return _split(value[1:-1] if value.startswith("[") and value.endswith("]") else value)


def _split(listed: str) -> list[str]:
    commas = [-1]
    quoted = False
    for index, character in enumerate(listed):
        quoted ^= character == "`"
        if character == "," and not quoted:
            commas.append(index)
    commas.append(len(listed))
    parts = (listed[left + 1 : right].strip() for left, right in pairwise(commas))
    return [part.replace("`", "") for part in parts if part]


def _empty(name: str) -> Refusal:
    return Refusal(400, f"Error with filter field `{name}`: Filter value cannot be empty.")


def filter_value(value: Json) -> str:
    """*value* as a filter would have to name it, and as facets show it."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
    return str(value)
