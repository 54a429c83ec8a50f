"""An OpenSearch server, as a bulk request sees it.

Seen with OpenSearch 3.6 (tests/contract): external_gte versions, deletes that leave a tombstone
in memory, refusals of single documents, and requests that fail as a whole.
"""

from typing import Any, Final

import orjson

from sync.errors import Unanswered, Unavailable
from sync.sinks.opensearch.answers import request_failure
from tests.simulation.calls import LATE, WHOLE, Calls, Fault

SITE: Final = "opensearch.bulk"
REFUSED_WORD: Final = "index-refuses"  # a document with it fails to be parsed, until mended
NOT_NOW: Final = (  # what a shard or an index says that is not right just then
    (429, "rejected_execution_exception"),
    (503, "unavailable_shards_exception"),
    (403, "cluster_block_exception"),
)
REJECTED_WORD: Final = "server-rejects"  # a request with it fails as a whole, until mended


class OpenSearchErrors:
    """What sync.sinks.opensearch.client makes of the faults of calls."""

    def throttled(self) -> Exception:
        return _raised(429, "rejected_execution_exception")

    def server_error(self) -> Exception:
        return _raised(503, "no_master")

    def timeout(self) -> Exception:
        return Unanswered("no answer: ReadTimeout")

    def cut(self) -> Exception:
        return Unavailable("no answer: ConnectionError")


ERRORS: Final = OpenSearchErrors()


class Server:
    """Indexes behind aliases. Documents and tombstones have versions."""

    def __init__(self, calls: Calls, aliases: tuple[str, ...], *, gc_deletes_s: float) -> None:
        self.documents: dict[tuple[str, str], bytes] = {}
        self.aliases = set(aliases)
        self.blocked = False  # read-only: the flood stage of disk use
        self.locked = False  # the password is another one for now
        self.mended = False
        self._calls = calls
        self._gc_deletes_s = gc_deletes_s
        self._versions: dict[tuple[str, str], int] = {}  # of documents
        self._tombstones: dict[tuple[str, str], tuple[int, float]] = {}  # version, and since when
        self._starts = 0

    def restart(self) -> None:
        """Documents survive; tombstones, and requests under way, do not."""
        self._calls.world.note("opensearch restarts")
        self._tombstones.clear()
        self._starts += 1

    def bulk(self, body: bytes, timeout_s: float) -> Any:
        """`POST /_bulk?require_alias=true`. Raises what sync.sinks.opensearch.client does."""
        sent_to = self._starts

        def effect(partial: bool) -> Any:
            if self._starts != sent_to:
                raise ERRORS.cut()
            return self._bulk(body, partial)

        return self._calls.make(
            SITE,
            effect,
            ERRORS,
            timeout_s=timeout_s,
            possible=WHOLE | LATE | {Fault.PARTIAL},
        )

    def prepare(self, alias: str, schema: object) -> str:
        raise NotImplementedError("indexes are there from the beginning")

    def _bulk(self, body: bytes, partial: bool) -> Any:
        if self.locked:
            raise _raised(401, "security_exception")
        if not body.endswith(b"\n"):
            raise _raised(400, "illegal_argument_exception")
        if not self.mended and REJECTED_WORD.encode() in body:
            raise _raised(400, "parse_exception")
        lines = iter(body.splitlines())
        items = []
        failed = False
        chance = self._calls.world.random
        for line in lines:
            ((kind, head),) = orjson.loads(line).items()
            source = None if kind == "delete" else next(lines)
            if partial and head["_index"] in self.aliases and (chance.random() < 0.5 or not failed):
                failed = True
                items.append(_failure(kind, head, *chance.choice(NOT_NOW)))
                continue
            items.append(self._item(kind, head, source))
        return {"took": 1, "errors": True, "items": items}

    def _item(self, kind: str, head: dict[str, Any], source: bytes | None) -> dict[str, Any]:
        target, document_id = head["_index"], head["_id"]
        if target not in self.aliases:
            return _failure(kind, head, 404, "index_not_found_exception")
        if self.blocked:
            return _failure(kind, head, 429, "cluster_block_exception")
        if kind == "update":
            return _failure(kind, head, 404, "document_missing_exception")
        key = target, document_id
        version = head["version"]
        if head.get("version_type") == "external_gte" and version < self._version(key):
            return _failure(kind, head, 409, "version_conflict_engine_exception")
        if source is None:
            there = self.documents.pop(key, None)
            self._versions.pop(key, None)
            self._tombstones[key] = version, self._calls.world.now
            self._calls.world.note("index", "delete", document_id, version)
            return {kind: {"_index": f"{target}-v1", "_id": document_id, "_version": version,
                           "result": "deleted" if there else "not_found",
                           "status": 200 if there else 404}}  # fmt: skip
        if not self.mended and REFUSED_WORD.encode() in source:
            return _failure(kind, head, 400, "mapper_parsing_exception")
        created = key not in self.documents
        self.documents[key] = source
        self._versions[key] = version
        self._tombstones.pop(key, None)
        self._calls.world.note("index", "put", document_id, version, source.decode())
        return {kind: {"_index": f"{target}-v1", "_id": document_id, "_version": version,
                       "result": "created" if created else "updated",
                       "status": 201 if created else 200}}  # fmt: skip

    def _version(self, key: tuple[str, str]) -> int:
        version, since = self._tombstones.get(key, (-1, 0.0))
        if self._calls.world.now > since + self._gc_deletes_s:
            version = -1
        return max(version, self._versions.get(key, -1))


def _failure(kind: str, head: dict[str, Any], status: int, error: str) -> dict[str, Any]:
    told = {"type": error, "reason": "simulated", "caused_by": {"type": "i_o_exception"}}
    return {kind: {"_index": head["_index"], "_id": head["_id"], "status": status, "error": told}}


def _raised(status: int, error: str) -> Exception:
    return request_failure(status, {"type": error, "reason": "simulated"})
