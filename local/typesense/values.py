"""Values against their fields, and what becomes of those that don't fit (validator.cpp)."""

import re
import struct
from collections.abc import Iterable
from enum import Enum

from local.typesense.answers import Document, Json, Refusal
from local.typesense.fields import Field

_ARTICLES = {  # for one value, and for an array's; the server's own grammar
    "string": ("a", "an array of"),
    "int32": ("an", "an array of"),
    "int64": ("an", "an array of"),
    "float": ("a", "a array of"),
    "bool": ("a", "a array of"),
}
_INT32_MAX = 2**31 - 1
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Action(Enum):
    """What a write means by a document that is there already, or isn't."""

    CREATE = "create"
    UPSERT = "upsert"
    UPDATE = "update"
    EMPLACE = "emplace"


class Dirty(Enum):
    """`dirty_values`: what becomes of a value of the wrong type."""

    COERCE_OR_REJECT = "coerce_or_reject"
    COERCE_OR_DROP = "coerce_or_drop"
    DROP = "drop"
    REJECT = "reject"

    @property
    def drops(self) -> bool:
        return self in (Dirty.DROP, Dirty.COERCE_OR_DROP)


class _Dropped(Exception):
    """The value is left out of the document."""


def validate(
    document: Document,
    fields: Iterable[Field],
    *,
    default_sorting_field: str,
    action: Action,
    exists: bool,
    dirty: Dirty,
) -> None:
    """Bring *document*, flattened, to the types of *fields*, in place. Raises Refusal.

    An integer outside 32 bits passes an int32 field, as on the server: only coerced values are
    held against the range.
    """
    if (
        default_sorting_field
        and default_sorting_field not in document
        and action in (Action.CREATE, Action.UPSERT)
    ):
        raise Refusal(
            400,
            f"Field `{default_sorting_field}` has been declared as a default sorting field,"
            " but is not found in the document.",
        )
    partial = action is Action.UPDATE or (action is Action.EMPLACE and exists)
    for field in fields:
        if field.scalar == "object":
            continue
        if field.name not in document:
            if field.optional or partial or not field.store:
                continue
            raise Refusal(
                400,
                f"Field `{field.name}` has been declared in the schema,"
                " but is not found in the document.",
            )
        if field.optional and document[field.name] is None:
            if not exists:  # an update still needs the key, to remove it
                del document[field.name]
            continue
        try:
            document[field.name] = _fit(field, document[field.name], dirty)
        except _Dropped:
            del document[field.name]


def _fit(field: Field, value: Json, dirty: Dirty) -> Json:
    if not field.array:
        return value if _has_type(field.scalar, value) else _coerce(field, value, dirty)
    if value is None:
        return []
    if not isinstance(value, list):
        if field.optional and dirty.drops:
            raise _Dropped
        raise Refusal(400, f"Field `{field.name}` must be an array.")
    fitting = []
    for element in value:
        try:
            keep = _has_type(field.scalar, element) or (element is None and field.nested)
            fitting.append(element if keep else _coerce(field, element, dirty))
        except _Dropped:
            continue
    return fitting


def _has_type(kind: str, value: Json) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "int32" | "int64":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":  # whole numbers may be put into it
            return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, bool)


def _coerce(field: Field, value: Json, dirty: Dirty) -> Json:
    refusal = _wrong_type(field, value)
    if dirty is Dirty.REJECT:
        raise refusal
    coerced = None if dirty is Dirty.DROP else _coerced(field.scalar, value)
    if coerced is None:
        # Text that is no bool is refused even where it could be dropped.
        text_for_bool = field.scalar == "bool" and isinstance(value, str)
        drop = dirty is Dirty.DROP or (dirty is Dirty.COERCE_OR_DROP and not text_for_bool)
        if drop and field.optional:
            raise _Dropped
        raise refusal
    if field.type == "int32" and coerced > _INT32_MAX:
        if field.optional and dirty is Dirty.COERCE_OR_REJECT:  # sic
            raise _Dropped
        raise Refusal(400, f"Field `{field.name}` exceeds maximum value of int32.")
    return coerced


def _wrong_type(field: Field, value: Json) -> Refusal:
    if field.nested and isinstance(value, list):
        return Refusal(
            400,
            f"Field `{field.name}` has an incorrect type."
            " Hint: field inside an array of objects must be an array type as well.",
        )
    article = _ARTICLES[field.scalar][field.array]
    return Refusal(400, f"Field `{field.name}` must be {article} {field.scalar}.")


def _coerced(kind: str, value: Json) -> Json:
    """*value* as *kind*, None where there is no way."""
    match kind, value:
        case _, None | list() | dict():
            return None
        case "string", bool():
            return "true" if value else "false"
        case "string", int():
            return str(value)
        case "string", float():
            return format(_single(value), "g")
        case "int32" | "int64", bool():
            return int(value)
        case "int32" | "int64", float():
            return int(_single(value))  # by way of 32 bits, which 64-bit integers don't survive
        case "int32" | "int64", str():
            size = 32 if kind == "int32" else 64
            return _whole(value, size)
        case "float", bool():
            return float(value)
        case "float", str():
            return float(value) if _FLOAT.fullmatch(value) else None
        case "bool", str():
            return {"true": True, "false": False}.get(value.lower())
        case "bool", int():
            return {0: False, 1: True}.get(value)
    return None


def _single(value: float) -> float:
    """*value* as 32 bits hold it."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return value
    return float(single)


def _whole(digits: str, bits: int) -> int | None:
    if not re.fullmatch(r"-?\d+", digits):
        return None
    number = int(digits)
    return number if -(1 << bits - 1) <= number < 1 << bits - 1 else None
