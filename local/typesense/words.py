"""Text as words (tokenizer.cpp): folded, without accents, of letters and digits alone."""

import unicodedata
from collections.abc import Callable, Iterator

from local.typesense.fields import Field
from local.typesense.schema import Schema

Tokens = Callable[[str], list[str]]


def tokens_of(schema: Schema, field: Field) -> Tokens:
    """How the words of *field* are found: white space parts them, other marks vanish."""
    del field  # its locale would matter
    separators = frozenset(schema.token_separators)
    kept = frozenset(schema.symbols_to_index)

    def tokens(text: str) -> list[str]:
        plain = (c for c in unicodedata.normalize("NFKD", text.lower()))
        letters = (
            " " if c.isspace() or c in separators else c
            for c in plain
            if c.isalnum() or c.isspace() or c in separators or c in kept
        )
        return "".join(letters).split()

    return tokens


def typos(word: str, other: str, most: int) -> int:
    """How many letters are wrong, missing or too many, if no more than *most*; else more."""
    if abs(len(word) - len(other)) > most:
        return most + 1
    row = list(range(len(other) + 1))
    for index, letter in enumerate(word, 1):
        row = list(_next_row(row, letter, other, index))
    return row[-1]


def _next_row(above: list[int], letter: str, other: str, index: int) -> Iterator[int]:
    left = index
    yield left
    for column, there in enumerate(other, 1):
        left = min(left + 1, above[column] + 1, above[column - 1] + (letter != there))
        yield left
