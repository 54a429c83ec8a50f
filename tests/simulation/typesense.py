"""A Typesense server, as the sink's connection sees it.

It keeps no versions: of two writes of a document the one that comes last wins. What it answers
was seen with the real one's sources (sync/sinks/typesense/answers.py names them).
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from sync.errors import Unanswered
from sync.sinks.typesense.answers import request_failure
from sync.writing.shadows import Places
from tests.simulation.calls import LATE, WHOLE, Calls, Fault

IMPORT: Final = "typesense.import"
DELETE: Final = "typesense.delete"
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
    """Collections behind aliases; the documents that they hold, as they were sent."""

    def __init__(self, calls: Calls, aliases: tuple[str, ...]) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.aliases = set(aliases)
        self.locked = False  # the API key is another one for now
        self.guarded = True  # a firewall before it reads what is sent
        self.most_bytes: int | None = None  # in a request, for a proxy before it
        self.mended = False
        self._calls = calls
        self._errors = TypesenseErrors(calls)
        self._starts = 0

    def held(self) -> Iterator[tuple[tuple[str, str], Any]]:
        """Its documents, as they were meant: those that it can't hold exactly carry a text."""
        for place, document in self.documents.items():
            exact = document.get("_exact")
            plain = {name: value for name, value in document.items() if name != "id"}
            yield place, plain if exact is None else json.loads(exact, parse_float=Decimal)

    def restart(self) -> None:
        """Documents survive, requests under way do not."""
        self._calls.world.note("typesense restarts")
        self._starts += 1

    def places(self, alias: str, timeout_s: float) -> tuple[Places, float]:
        return Places(alias, None), timeout_s

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
            gone = self.documents.pop((target, document_id), None)
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
        if target not in self.aliases:
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
        self.documents[target, document_id] = kept
        self._calls.world.note("typesense", "put", document_id, str(kept)[:200])
        return {"id": document_id, "success": True}


def _double(text: str) -> Decimal:
    """What the server tells of a fraction, which it keeps as a double."""
    return Decimal(repr(float(text)))
