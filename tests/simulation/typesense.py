"""A Typesense server, as the sink's connection sees it.

It keeps no versions: of two writes of a document the one that comes last wins. What it answers
was seen with the real one's sources (sync/sinks/typesense/answers.py names them).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final

from sync.errors import Misconfigured, Unanswered
from sync.sinks.typesense import places
from sync.sinks.typesense.answers import request_failure
from sync.sinks.typesense.client import KNOWN_S
from sync.writing.shadows import SHADOW, Places
from tests.simulation.calls import LATE, WHOLE, Calls, Fault

IMPORT: Final = "typesense.import"
DELETE: Final = "typesense.delete"
ADMIN: Final = "typesense.admin"  # what commands ask
REFUSED_WORD: Final = "collection-refuses"  # a document with it is refused, until mended
FORBIDDEN_WORD: Final = "firewall-forbids"  # a request with it is, until all trouble is over
TIMEOUT_S: Final = 20.0
LATEST_S: Final = 19.0  # a request is over when it may have taken its timeout once more
NOT_NOW: Final[tuple[dict[str, Any], ...]] = (  # what a line says that is right
    {"code": 503, "error": "Not Ready"},
    {"code": 429, "error": "Queue is full"},
    {"code": 422, "error": "Rejecting write: DISK"},
    {"code": 500, "error": "Could not write to local storage."},
    {"error": "Request timed out."},
)


class TypesenseErrors:
    """What sync.sinks.typesense.client makes of the faults of calls."""

    def __init__(self, calls: Calls) -> None:
        self._random = calls.world.random

    def throttled(self) -> Exception:
        return request_failure(429, "Too many requests")

    def server_error(self) -> Exception:
        status, text = self._random.choice(
            ((503, "Not Ready or Lagging"), (500, "Could not"), (502, ""), (422, "Rejecting write"))
        )
        return request_failure(status, text)

    def timeout(self) -> Exception:
        return Unanswered("no answer: ReadTimeout")

    def cut(self) -> Exception:
        return Unanswered("no answer: RemoteProtocolError")


class Server:
    """Collections behind aliases; the documents that they hold, as they were sent.

    *behind*: the collection of each alias; *aliases*: those that there are at the moment.
    """

    def __init__(self, calls: Calls, aliases: tuple[str, ...]) -> None:
        self.behind = {alias: f"{alias}_v1" for alias in aliases}
        self.held: dict[tuple[str, str], dict[str, Any]] = {}  # by collection and id
        self.made = set(self.behind.values())
        self.aliases = set(aliases)
        self._known: dict[str, str] = {}  # what was looked up last, and until when it is used
        self._known_until = 0.0
        self.locked = False  # the API key is another one for now
        self.guarded = True  # a firewall before it reads what is sent
        self.most_bytes: int | None = None  # in a request, for a proxy before it
        self.mended = False
        self._calls = calls
        self._errors = TypesenseErrors(calls)
        self._starts = 0

    def seen(self) -> Iterator[tuple[tuple[str, str], Any]]:
        """Its documents, as they were meant: those that it can't hold exactly carry a text."""
        live = {of: alias for alias, of in self.behind.items() if not alias.endswith(SHADOW)}
        for (collection, id_), document in self.held.items():
            if collection not in live:
                continue
            place = live[collection], id_
            exact = document.get("_exact")
            plain = {name: value for name, value in document.items() if name != "id"}
            yield place, plain if exact is None else json.loads(exact, parse_float=Decimal)

    @property
    def live(self) -> set[str]:
        """The collections that readers see."""
        return {of for alias, of in self.behind.items() if not alias.endswith(SHADOW)}

    def lose(self, place: tuple[str, str]) -> None:
        """A document is gone, as if an old snapshot were restored."""
        del self.held[place]

    def hold(self, place: tuple[str, str], body: bytes) -> None:
        """Somebody else wrote a document."""
        self.held[place] = {"id": place[1], **json.loads(body)}

    def restart(self) -> None:
        """Documents survive, requests under way do not."""
        self._calls.world.note("typesense restarts")
        self._starts += 1

    def places(self, alias: str, timeout_s: float) -> tuple[Places, float]:
        """As it was looked up within the last second."""
        now = self._calls.world.now
        if now >= self._known_until:
            if self.locked:
                raise request_failure(
                    401, "Forbidden - a valid x-typesense-api-key header is needed"
                )
            self._known, self._known_until = self.targets(), now + KNOWN_S
        found = places.among(self._known, alias)
        if found.live is None:
            raise Misconfigured(f"404 there is no alias {alias}", of_target=True)
        return found, timeout_s

    def targets(self) -> dict[str, str]:
        return {alias: of for alias, of in self.behind.items() if alias in self.aliases}

    def places_now(self, alias: str) -> Places:
        return places.places(self._client, alias)

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places:
        return places.shadow(self._client, alias, schema)

    def swap(self, alias: str, live: str) -> Places:
        return places.swap(self._client, alias, live)

    def drop(self, alias: str, shadow: str) -> Places:
        return places.drop(self._client, alias, shadow)

    @property
    def _client(self) -> Any:
        return SimpleNamespace(aliases=Aliases(self), collections=Collections(self))

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> list[Any]:
        """Those of *ids* that there are, by one search."""

        def effect() -> list[Any]:
            collection = self._behind(alias)
            found = (self.held.get((collection, id_)) for id_ in ids)
            return [dict(document) for document in found if document is not None]

        found: list[Any] = self.ask(effect, timeout_s)
        return found

    def document(self, alias: str, document_id: str, timeout_s: float) -> Any:
        return self.ask(lambda: self.held.get((self._behind(alias), document_id)), timeout_s)

    def export_ids(self, alias: str, timeout_s: float) -> Iterator[str]:
        def effect() -> list[str]:
            collection = self._behind(alias)
            return sorted(id_ for of, id_ in self.held if of == collection)

        yield from self.ask(effect, timeout_s)

    def ask(self, effect: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
        """What commands ask for."""
        sent_to = self._starts

        def checked(_partial: bool) -> Any:
            if self._starts != sent_to:
                raise self._errors.cut()
            if self.locked:
                raise request_failure(
                    401, "Forbidden - a valid x-typesense-api-key header is needed"
                )
            return effect()

        return self._calls.make(ADMIN, checked, self._errors, timeout_s=timeout_s, possible=WHOLE)

    def _behind(self, alias: str) -> str:
        if alias not in self.aliases:
            raise Misconfigured(f"404 there is no alias {alias}", of_target=True)
        return self.behind[alias]

    def import_(self, target: str, lines: bytes, timeout_s: float) -> str:
        """The answer to upserting *lines*. Raises what sync.sinks.typesense.client does."""
        sent_to = self._starts

        def effect(partial: bool) -> str:
            self._check(target, sent_to)
            self._check_body(lines)
            random = self._calls.world.random
            unlucky = random.randrange(lines.count(b"\n") + 1) if partial else -1
            answers = []
            for at, line in enumerate(lines.split(b"\n")):
                if at == unlucky or (partial and random.random() < 0.3):
                    answers.append({**random.choice(NOT_NOW), "success": False})
                else:
                    answers.append(self._upsert(target, line))
            if partial and random.random() < 0.2:  # cut short: nobody knows what became of it
                del answers[unlucky]
            return "\n".join(json.dumps(answer) for answer in answers)

        answer: str = self._make(IMPORT, effect, timeout_s)
        return answer

    def delete(self, target: str, document_id: str, timeout_s: float) -> Any:
        """The answer to a delete, the same whether the document is there or not."""
        sent_to = self._starts

        def effect(partial: bool) -> Any:
            self._check(target, sent_to)
            if partial:
                return ["no object"]
            gone = self.held.pop((target, document_id), None)
            self._calls.world.note("typesense", "delete", document_id, gone is not None)
            return {"id": document_id}

        return self._make(DELETE, effect, timeout_s)

    def prepare(self, alias: str, schema: object) -> str:
        raise NotImplementedError("collections are there from the beginning")

    def close(self) -> None:
        """Nothing is held open."""

    def _make(self, site: str, effect: Any, timeout_s: float) -> Any:
        return self._calls.make(
            site,
            effect,
            self._errors,
            timeout_s=timeout_s,
            possible=WHOLE | LATE | {Fault.PARTIAL, Fault.CUT_LATE},
            latest_s=LATEST_S,
        )

    def _check(self, target: str, sent_to: int) -> None:
        if self._starts != sent_to:
            raise self._errors.cut()
        if self.locked:
            raise request_failure(401, "Forbidden - a valid x-typesense-api-key header is needed")
        if target not in self.made:
            raise request_failure(404, "Not Found")

    def _check_body(self, lines: bytes) -> None:
        """What a proxy and a firewall before the server say of a request. Raises."""
        if self.guarded and FORBIDDEN_WORD.encode() in lines:
            raise request_failure(403, "<html>Forbidden</html>")
        if self.most_bytes is not None and len(lines) > self.most_bytes and not self.mended:
            raise request_failure(413, "<html>Request Entity Too Large</html>")

    def _upsert(self, target: str, line: bytes) -> dict[str, Any]:
        document = json.loads(line, parse_float=_double)
        document_id = document["id"]
        if REFUSED_WORD.encode() in line and not self.mended:
            error = "Field `name` must be something else."
            return {"code": 400, "error": error, "id": document_id, "success": False}
        kept = {name: value for name, value in document.items() if value is not None}
        self.held[target, document_id] = kept
        self._calls.world.note("typesense", "put", document_id, str(kept)[:200])
        return {"id": document_id, "success": True}


class Aliases:
    """Those of the official client."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def retrieve(self) -> Any:
        def effect() -> Any:
            known = self._server.targets().items()
            return {"aliases": [{"name": name, "collection_name": of} for name, of in known]}

        return self._server.ask(effect)

    def upsert(self, name: str, what: Mapping[str, str]) -> None:
        def effect() -> None:
            self._server.behind[name] = what["collection_name"]
            self._server.aliases.add(name)

        self._server.ask(effect)

    def __getitem__(self, name: str) -> Any:
        def effect() -> None:
            self._server.behind.pop(name, None)
            self._server.aliases.discard(name)

        return SimpleNamespace(delete=lambda: self._server.ask(effect))


class Collections:
    """Those of the official client. None has synonyms or overrides."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def retrieve(self) -> Any:
        return self._server.ask(lambda: [self._told(name) for name in sorted(self._server.made)])

    def create(self, schema: Mapping[str, Any]) -> None:
        self._server.ask(lambda: self._server.made.add(schema["name"]))

    def __getitem__(self, name: str) -> Any:
        def delete() -> None:
            self._server.made.discard(name)
            for place in [place for place in self._server.held if place[0] == name]:
                del self._server.held[place]

        return SimpleNamespace(
            retrieve=lambda: self._server.ask(lambda: self._told(name)),
            delete=lambda: self._server.ask(delete),
            synonyms=SimpleNamespace(retrieve=lambda: {"synonyms": []}),
            overrides=SimpleNamespace(retrieve=lambda: {"overrides": []}),
        )

    def _told(self, name: str) -> Any:
        count = sum(of == name for of, _ in self._server.held)
        return {"name": name, "fields": [], "num_documents": count}


def _double(text: str) -> Decimal:
    """What the server tells of a fraction, which it keeps as a double."""
    return Decimal(repr(float(text)))
