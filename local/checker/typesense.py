"""What Typesense holds."""

from collections.abc import Iterator
from typing import Any, Final

from local.checker.http import ask
from local.checker.values import exact_json

_EXACT: Final = "_exact"
"""Where a document carries itself as a text, whole, if Typesense would keep less of it: it drops
nulls, and holds numbers as 64-bit integers or doubles."""


class Collections:
    """Reads a Typesense at *url* as what its documents stand for; numbers come exact."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.api_key = api_key

    def count(self, alias: str) -> int:
        """Documents behind *alias*. Raises Unreadable."""
        return int(exact_json(self._ask(f"/collections/{alias}"))["num_documents"])

    def all(self, alias: str) -> Iterator[tuple[str, Any]]:
        """Every document behind *alias* with its id. Raises Unreadable."""
        for line in self._ask(f"/collections/{alias}/documents/export").split("\n"):
            if line:
                yield meant(exact_json(line))

    def _ask(self, path: str) -> str:
        return ask(self.url, "GET", path, headers={"X-TYPESENSE-API-KEY": self.api_key})


def meant(held: dict[str, Any]) -> tuple[str, Any]:
    """The id of a document as Typesense holds it, and the document that this stands for."""
    id_ = held.pop("id")
    if _EXACT not in held:
        return id_, held
    try:
        return id_, exact_json(held[_EXACT])
    except (ValueError, TypeError):
        return id_, held  # then it differs by this very field
