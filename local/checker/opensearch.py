"""Reads the documents in OpenSearch."""

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from local.checker.expectation import Ref
from local.checker.http import ask
from local.checker.values import Unreadable, exact_json

_PAGE: Final = 2_000  # documents in one answer


class Documents:
    """Reads the OpenSearch at *url*, with exact numbers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer. Raises Unreadable with the request and its failure."""
        text = ask(
            self.url,
            method,
            path,
            body=None if body is None else json.dumps(body, default=_json_number).encode(),
            headers={"Content-Type": "application/json"},
        )
        return exact_json(text)

    def search(self, alias: str, body: Mapping[str, Any]) -> Any:
        """The answer to one search; it finds what was there at the last refresh."""
        return self.request("POST", f"/{alias}/_search", body)

    def count(self, alias: str) -> int:
        """The number of documents that a search would find now."""
        return int(self.request("GET", f"/{alias}/_count")["count"])

    def get(self, refs: Iterable[Ref]) -> dict[Ref, Any]:
        """Those documents at *refs* that a search finds now."""
        by_alias: dict[str, list[str]] = {}
        for ref in refs:
            by_alias.setdefault(ref.alias, []).append(ref.id)
        found: dict[Ref, Any] = {}
        for alias, ids in by_alias.items():
            for start in range(0, len(ids), _PAGE):
                page = ids[start : start + _PAGE]
                answer = self.search(alias, {"query": {"ids": {"values": page}}, "size": len(page)})
                for hit in answer["hits"]["hits"]:
                    found[Ref(alias, hit["_id"])] = hit["_source"]
        return found

    def all(self, alias: str) -> Iterator[tuple[str, Any]]:
        """Refresh *alias*, and yield each of its documents with its id. Raises Unreadable."""
        self.request("POST", f"/{alias}/_refresh")
        answer = self.request(
            "POST",
            f"/{alias}/_search?scroll=1m",
            {"size": _PAGE, "sort": ["_doc"], "track_total_hits": True},
        )
        expected, seen = int(answer["hits"]["total"]["value"]), 0
        while hits := answer["hits"]["hits"]:
            for hit in hits:
                seen += 1
                yield hit["_id"], hit["_source"]
            more = {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
            answer = self.request("POST", "/_search/scroll", more)
        self.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})
        if seen != expected:
            raise Unreadable(f"{alias}: {expected} documents by its own count, {seen} read")


def _json_number(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)  # a search compares doubles anyway
    raise TypeError(f"{type(value).__name__} is not a value to search for")
