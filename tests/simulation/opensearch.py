"""An OpenSearch server, as the sink's connection sees it: bulk requests, and what commands ask.

Seen with OpenSearch 3.6 (tests/contract): external_gte versions, deletes that leave a tombstone
in memory, refusals of single documents, and requests that fail as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from types import SimpleNamespace
from typing import Any, Final

import orjson

from sync.errors import Unanswered, Unavailable
from sync.sinks.opensearch import places
from sync.sinks.opensearch.answers import request_failure
from sync.sinks.opensearch.client import named
from sync.writing.comparing import exact
from sync.writing.shadows import SHADOW, Places
from tests.simulation.calls import LATE, WHOLE, Calls, Fault

SITE: Final = "opensearch.bulk"
ADMIN: Final = "opensearch.admin"  # what commands ask
REFUSED_WORD: Final = "index-refuses"  # a document with it fails to be parsed, until mended
NOT_NOW: Final = (  # what a shard or an index says that is not right just then
    (429, "rejected_execution_exception"),
    (503, "unavailable_shards_exception"),
    (403, "cluster_block_exception"),
)
TIMEOUT_S: Final = 20.0  # of what commands ask
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
    """Indexes behind aliases. Documents and tombstones have versions.

    *behind*: the index of each alias; *aliases*: those that there are at the moment.
    """

    def __init__(self, calls: Calls, aliases: tuple[str, ...], *, gc_deletes_s: float) -> None:
        self.behind = {alias: f"{alias}-v1" for alias in aliases}
        self.held: dict[tuple[str, str], bytes] = {}  # by index and id
        self.aliases = set(aliases)
        self.indices = Indices(self, calls)
        self.blocked = False  # read-only: the flood stage of disk use
        self.locked = False  # the password is another one for now
        self.mended = False
        self._calls = calls
        self._gc_deletes_s = gc_deletes_s
        self._versions: dict[tuple[str, str], int] = {}  # of documents
        self._numbers: dict[tuple[str, str], int] = {}  # of the last write of each document
        self._written = 0
        self._tombstones: dict[tuple[str, str], tuple[int, float]] = {}  # version, and since when
        self._starts = 0

    @property
    def seen(self) -> dict[tuple[str, str], bytes]:
        """What readers see, by alias and id."""
        live = {index: alias for alias, index in self.behind.items() if not alias.endswith(SHADOW)}
        return {(live[i], id_): body for (i, id_), body in self.held.items() if i in live}

    @property
    def live(self) -> set[str]:
        """The indexes that readers see."""
        return {of for alias, of in self.behind.items() if not alias.endswith(SHADOW)}

    def lose(self, place: tuple[str, str]) -> None:
        """A document is gone, and nothing remembers it, as if an old snapshot were restored."""
        for kept in (self.held, self._versions, self._numbers):
            kept.pop(place, None)

    def hold(self, place: tuple[str, str], body: bytes) -> None:
        """Somebody else wrote a document."""
        self.held[place] = body
        self._versions[place] = 1
        self._written += 1
        self._numbers[place] = self._written

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

    def places(self, alias: str) -> Places:
        with named(alias):
            return places.places(self._client, alias)

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places:
        with named(alias):
            return places.shadow(self._client, alias, schema)

    def swap(self, alias: str, live: str) -> Places:
        with named(alias):
            return places.swap(self._client, alias, live)

    def drop(self, alias: str, shadow: str) -> Places:
        with named(alias):
            return places.drop(self._client, alias, shadow)

    @property
    def _client(self) -> Any:
        return SimpleNamespace(indices=self.indices)

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> Any:
        """`POST /alias/_mget`."""

        def effect(_partial: bool) -> Any:
            index = self.index(alias)
            found = ((id_, self.held.get((index, id_))) for id_ in ids)
            return {
                "docs": [
                    {"_id": id_, "found": body is not None}
                    | ({} if body is None else {"_source": exact(body)})
                    for id_, body in found
                ]
            }

        return self.ask(effect, timeout_s)

    def shards(self, alias: str, timeout_s: float) -> Any:
        """`GET /alias/_search_shards`."""
        return self.ask(
            lambda _: {"shards": [[{"index": self.index(alias), "shard": 0}]]}, timeout_s
        )

    def refresh(self, alias: str, timeout_s: float) -> None:
        """`POST /alias/_refresh`; all that is written is seen at once."""
        self.ask(lambda _: self.index(alias), timeout_s)

    def search(self, index: str, shard: int, query: Mapping[str, Any], timeout_s: float) -> Any:
        """`POST /index/_search` by sequence numbers."""

        def effect(_partial: bool) -> Any:
            if index not in self.indices.made:
                raise _raised(404, "index_not_found_exception")
            ((_, wanted),) = query["query"]["range"].items()
            of_index = (place for place in self.held if place[0] == index)
            numbered = sorted((self._numbers[place], place[1]) for place in of_index)
            found = [each for each in numbered if each[0] > wanted["gt"]]
            if query["sort"][0]["_seq_no"]["order"] == "desc":
                found.reverse()
            hits = [{"_id": id_, "sort": [number]} for number, id_ in found[: query["size"]]]
            return {"timed_out": False, "_shards": {"successful": 1}, "hits": {"hits": hits}}

        assert shard == 0
        return self.ask(effect, timeout_s)

    def ask(self, effect: Callable[[bool], Any], timeout_s: float) -> Any:
        """What commands ask for."""
        sent_to = self._starts

        def checked(partial: bool) -> Any:
            if self._starts != sent_to:
                raise ERRORS.cut()
            if self.locked:
                raise _raised(401, "security_exception")
            return effect(partial)

        return self._calls.make(ADMIN, checked, ERRORS, timeout_s=timeout_s, possible=WHOLE)

    def index(self, alias: str) -> str:
        """The index behind *alias*. Raises Misconfigured."""
        if alias not in self.aliases:
            raise _raised(404, "index_not_found_exception")
        return self.behind[alias]

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
        index = self.behind[target]
        head = {**head, "_index": index}
        if self.blocked:
            return _failure(kind, head, 429, "cluster_block_exception")
        if kind == "update":
            return _failure(kind, head, 404, "document_missing_exception")
        key = index, document_id
        version = head["version"]
        if head.get("version_type") == "external_gte" and version < self._version(key):
            return _failure(kind, head, 409, "version_conflict_engine_exception")
        if source is None:
            there = self.held.pop(key, None)
            self._versions.pop(key, None)
            self._numbers.pop(key, None)
            self._tombstones[key] = version, self._calls.world.now
            self._calls.world.note(index, "delete", document_id, version)
            return {kind: {"_index": index, "_id": document_id, "_version": version,
                           "result": "deleted" if there else "not_found",
                           "status": 200 if there else 404}}  # fmt: skip
        if not self.mended and REFUSED_WORD.encode() in source:
            return _failure(kind, head, 400, "mapper_parsing_exception")
        created = key not in self.held
        self.held[key] = source
        self._written += 1
        self._numbers[key] = self._written
        self._versions[key] = version
        self._tombstones.pop(key, None)
        self._calls.world.note(index, "put", document_id, version, source.decode())
        return {kind: {"_index": index, "_id": document_id, "_version": version,
                       "result": "created" if created else "updated",
                       "status": 201 if created else 200}}  # fmt: skip

    def _version(self, key: tuple[str, str]) -> int:
        version, since = self._tombstones.get(key, (-1, 0.0))
        if self._calls.world.now > since + self._gc_deletes_s:
            version = -1
        return max(version, self._versions.get(key, -1))


class Indices:
    """Those of opensearch-py's client, as far as a reindex asks for them."""

    def __init__(self, server: Server, calls: Calls) -> None:
        self.made: dict[str, Any] = {index: {"properties": {}} for index in server.behind.values()}
        self._server = server
        self._calls = calls

    def exists_alias(self, *, name: str) -> bool:
        return bool(self._ask(lambda: name in self._server.aliases))

    def get_alias(self, *, name: str | None = None, index: str | None = None) -> Any:
        def effect() -> Any:
            if name is not None:
                return {self._server.index(name): {"aliases": {name: {}}}}
            aliases = [a for a, of in self._server.behind.items() if of == index]
            return {index: {"aliases": {alias: {} for alias in aliases}}}

        return self._ask(effect)

    def get(self, *, index: str, ignore_unavailable: bool) -> Any:
        assert ignore_unavailable
        return self._ask(lambda: [name for name in self.made if fnmatch(name, index)])

    def refresh(self, *, index: str) -> None:
        self._ask(lambda: index in self.made)  # all that is written is seen at once

    def get_mapping(self, *, index: str) -> Any:
        return self._ask(lambda: {index: {"mappings": self.made[index]}})

    def create(self, *, index: str, body: Mapping[str, Any]) -> Any:
        def effect() -> Any:
            if index in self.made:
                raise _raised(400, "resource_already_exists_exception")
            self.made[index] = body["mappings"]
            for alias in body["aliases"]:
                self._point(alias, index)
            return {"acknowledged": True}

        return self._ask(effect)

    def update_aliases(self, *, body: Mapping[str, Any]) -> Any:
        def effect() -> Any:
            for action in body["actions"]:
                ((kind, what),) = action.items()
                if kind == "remove":
                    if self._server.behind.get(what["alias"]) != what["index"]:
                        raise _raised(404, "aliases_not_found_exception")
                    del self._server.behind[what["alias"]]
                else:
                    self._point(what["alias"], what["index"])
            return {"acknowledged": True}

        return self._ask(effect)

    def delete(self, *, index: str) -> Any:
        def effect() -> Any:
            if self.made.pop(index, None) is None:
                raise _raised(404, "index_not_found_exception")
            for alias in [a for a, of in self._server.behind.items() if of == index]:
                del self._server.behind[alias]
                self._server.aliases.discard(alias)
            for place in [place for place in self._server.held if place[0] == index]:
                self._server.lose(place)
            return {"acknowledged": True}

        return self._ask(effect)

    def _point(self, alias: str, index: str) -> None:
        self._server.behind[alias] = index
        self._server.aliases.add(alias)
        self._calls.world.note("alias", alias, index)

    def _ask(self, effect: Callable[[], Any]) -> Any:
        return self._server.ask(lambda _partial: effect(), TIMEOUT_S)


def _failure(kind: str, head: dict[str, Any], status: int, error: str) -> dict[str, Any]:
    told = {"type": error, "reason": "simulated", "caused_by": {"type": "i_o_exception"}}
    return {kind: {"_index": head["_index"], "_id": head["_id"], "status": status, "error": told}}


def _raised(status: int, error: str) -> Exception:
    return request_failure(status, {"type": error, "reason": "simulated"})
