"""Reads the documents in Typesense."""

from collections.abc import Iterator
from typing import Any, Final

from local.checker.http import ask
from local.checker.values import exact_json

_EXACT: Final = "_exact"
"""The field with the whole document as a text. Documents have it if Typesense would change them: it
drops nulls, and keeps numbers as 64-bit integers or doubles."""


class Collections:
    """Reads the Typesense at *url*, with exact numbers."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key

    def count(self, alias: str) -> int:
        """The number of documents behind *alias*. Raises Unreadable."""
        return int(exact_json(self._ask(f"/collections/{alias}"))["num_documents"])

    def all(self, alias: str) -> Iterator[tuple[str, Any]]:
        """Every document behind *alias* with its id. Raises Unreadable."""
        for line in self._ask(f"/collections/{alias}/documents/export").split("\n"):
            if line:
                yield meant(exact_json(line))

    def _ask(self, path: str) -> str:
        return ask(self.url, "GET", path, headers={"X-TYPESENSE-API-KEY": self.api_key})


def meant(held: dict[str, Any]) -> tuple[str, Any]:
    """The id and the original document of a document as Typesense keeps it."""
    id_ = held.pop("id")
    if _EXACT not in held:
        return id_, held
    try:
        return id_, exact_json(held[_EXACT])
    except (ValueError, TypeError):
        return id_, held  # the field is reported as a difference
