"""Whether an answer has the shape that a TypedDict of the client promises."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict


def complaints(value: object, wanted: Any, where: str = "answer") -> Iterator[str]:
    """Each place where *value* is not what the type *wanted* says; more keys than told are fine."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if wanted is Any or isinstance(wanted, TypeVar) or wanted is object:
        return
    if is_typeddict(origin or wanted):
        yield from _typed_dict(value, origin or wanted, where)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for index, each in enumerate(value):
            yield from complaints(each, arguments[0], f"{where}[{index}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where} is no dict"
    elif origin in (Union, UnionType):
        if all(list(complaints(value, each, where)) for each in arguments):
            yield f"{where} is none of {wanted}"
    elif origin is Literal:
        if value not in arguments:
            yield f"{where} is {value!r}, none of {arguments}"
    elif wanted is float:
        if not isinstance(value, int | float):
            yield f"{where} is no number"
    elif not isinstance(value, wanted):
        yield f"{where} is no {wanted.__name__}"


def _typed_dict(value: object, wanted: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no dict"
        return
    yield from (f"{where} has no {name}" for name in wanted.__required_keys__ - value.keys())
    for name, hint in get_type_hints(wanted).items():
        if name in value:
            yield from complaints(value[name], hint, f"{where}.{name}")
