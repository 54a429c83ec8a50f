"""A collection: documents in the order they came, written one by one (collection.cpp)."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from local.typesense import nesting
from local.typesense.answers import BadJson, Document, Json, Refusal, dump, parse
from local.typesense.filters import Condition, parse_filter
from local.typesense.schema import Schema
from local.typesense.values import Action

Trap = Callable[[str, Document], Refusal | None]
"""Is asked before a document is written to a collection; what it gives is the line's failure."""


class Import(NamedTuple):
    """How lines are to be written, and what is said of each."""

    action: Action
    dirty_values: str
    return_doc: bool = False
    return_id: bool = False


class Collection:
    def __init__(self, schema: Schema, trap: Trap) -> None:
        self.schema = schema
        self._trap = trap
        self._documents: dict[str, Document] = {}
        self._next = 0  # numbers documents that come without an id

    def summary(self) -> dict[str, Any]:
        return self.schema.to_json(len(self._documents))

    def __len__(self) -> int:
        return len(self._documents)

    def documents(self, filter_by: str = "") -> Iterator[Document]:
        """Those that fit, oldest first. Raises Refusal."""
        fits: Condition = parse_filter(filter_by, self.schema)
        return (document for document in list(self._documents.values()) if fits(document))

    def get(self, document_id: str) -> Document:
        """Raises Refusal."""
        try:
            return self._documents[document_id]
        except KeyError:
            raise _missing(document_id) from None

    def remove(self, document_id: str) -> Document:
        """Raises Refusal."""
        document = self.get(document_id)
        del self._documents[document_id]
        return document

    def write(
        self, source: str | bytes, action: Action, dirty_values: str, *, document_id: str = ""
    ) -> Document:
        """Write one document, given as JSON, and return what is stored. Raises Refusal."""
        return self._write(_parsed(source), action, dirty_values, document_id)

    def _write(self, document: Document, action: Action, dirty_values: str, named: str) -> Document:
        self._identify(document, action, named)
        old = self._documents.get(document["id"])
        if failure := self._trap(self.schema.name, document):
            raise failure
        self.schema.admit(
            document, action, exists=old is not None, dirty=self.schema.dirty(dirty_values)
        )
        new = document
        if old is not None:
            new = deepcopy(document if action is Action.UPSERT else old)
            nesting.merge(new, document, old)
        for field in self.schema.fields:
            if not field.store:
                new.pop(field.name, None)
        self._documents[new["id"]] = new
        return new

    def _identify(self, document: Document, action: Action, named: str) -> None:
        """Give *document* its id, as *action* wants it (collection.cpp, to_doc)."""
        if named and document.setdefault("id", named) != named:
            raise Refusal(400, "The `id` of the resource does not match the `id` in the JSON body.")
        document_id = document.get("id")
        if document_id == "":
            raise Refusal(400, "The `id` should not be empty.")
        if "id" not in document:
            if action is Action.UPDATE:
                raise Refusal(400, "For update, the `id` key must be provided.")
            document["id"] = str(self._number())
        elif not isinstance(document_id, str):
            raise Refusal(400, "Document's `id` field should be a string.")
        elif document_id in self._documents:
            if action is Action.CREATE:
                raise Refusal(409, f"A document with id {document_id} already exists.")
        elif action is Action.UPDATE:
            raise _missing(document_id)
        else:
            self._number()  # new ones use up a number, named or not

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def import_lines(self, body: bytes, settings: Import) -> str:
        """Write each line of *body* that isn't empty; a line for each says how it went.

        A line's failure stops no other line, and what comes later with the same id wins.
        """
        lines = [line for line in body.split(b"\n") if line]
        return "\n".join(dump(self._import_line(line, settings)) for line in lines)

    def _import_line(self, line: bytes, settings: Import) -> Mapping[str, Json]:
        result: dict[str, Json] = {"success": True}
        document: Document = {}
        try:
            document = _parsed(line)
            written = self._write(document, settings.action, settings.dirty_values, "")
        except Refusal as refusal:
            result = {"success": False, "error": refusal.message, "code": refusal.code}
            if settings.return_doc:
                result["document"] = line.decode(errors="replace")  # as it came: text
            if settings.return_id and "id" in document:
                result["id"] = document["id"]
        else:
            if settings.return_doc:
                result["document"] = written
            if settings.return_id:
                result["id"] = written["id"]
        return result

    def update_all(self, source: bytes, dirty_values: str, filter_by: str) -> int:
        """Update every document that fits; how many took it. Raises Refusal."""
        if not filter_by.strip():
            return 0
        patch = _parsed(source)
        updated = 0
        for document in self.documents("" if filter_by.strip() == "*" else filter_by):
            try:
                self._write(
                    {**deepcopy(patch), "id": document["id"]}, Action.UPDATE, dirty_values, ""
                )
            except Refusal:
                continue  # the answer counts the others
            updated += 1
        return updated

    def alter(self, changes: Json) -> None:
        """Drop and add fields. Raises Refusal."""
        self.schema = self.schema.altered(changes, map(deepcopy, self._documents.values()))


def _parsed(source: str | bytes) -> Document:
    try:
        document = parse(source)
    except BadJson as error:
        raise Refusal(400, f"Bad JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refusal(400, "Bad JSON: not a properly formed document.")
    return document


def pruned(document: Document, params: Mapping[str, str]) -> Document:
    """*document* as `include_fields` and `exclude_fields` want it, by top-level names."""
    include = _names(params.get("include_fields", ""))
    exclude = _names(params.get("exclude_fields", ""))
    return {
        name: value
        for name, value in document.items()
        if name not in exclude and (not include or name in include)
    }


def _names(listed: str) -> set[str]:
    return {name.strip() for name in listed.split(",") if name.strip()}


def _missing(document_id: str) -> Refusal:
    return Refusal(404, f"Could not find a document with id: {document_id}")
