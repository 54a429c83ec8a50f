"""A request on its way to what answers it: its route, the key it needs, the collection it names."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus

from local.typesense.answers import Answer, Document, Refusal, parse_object, refuse
from local.typesense.collection import Collection
from local.typesense.keys import Keys

_FORBIDDEN = "Forbidden - a valid `x-typesense-api-key` header must be sent."


class Call(NamedTuple):
    """A request: *params* are those of the query, and the path's own."""

    method: str
    path: str
    params: Mapping[str, str]
    query: str  # as sent
    key: str
    body: bytes


class Route(NamedTuple):
    method: str
    path: str  # with :name for what varies
    action: str  # resource:operation, as http_data.cpp derives it; empty: needs no key
    handle: Callable[["Api", Call], Answer]

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """What varies in *path*, None if it is another route's."""
        pattern = re.sub(r":(\w+)", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return {k: unquote_plus(v) for k, v in found.groupdict().items()} if found else None


class Api:
    """All that the server knows, and who may do what with it; one request at a time."""

    def __init__(self, routes: Sequence[Route], admin_key: str) -> None:
        self._routes = routes
        self.keys = Keys(admin_key)
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        self.trap: Callable[[str, Document], Refusal | None] = lambda _name, _document: None
        self._lock = threading.Lock()

    def serve(self, call: Call) -> Answer:
        """The answer to *call*."""
        path = "/" + "/".join(filter(None, call.path.split("/")))
        for route in self._routes:
            if (varying := route.match(call.method, path)) is not None:
                break
        else:
            return Answer(404, b'{ "message": "Not Found"}')
        call = call._replace(params={**call.params, **varying})
        with self._lock:
            try:
                if not self._allowed(route, call):
                    return refuse(401, _FORBIDDEN)
                return route.handle(self, call)
            except Refusal as refusal:
                return refuse(refusal.code, refusal.message)

    def _allowed(self, route: Route, call: Call) -> bool:
        if not route.action:
            return True
        collection = call.params.get("collection", "")
        if route.action == "collections:create":
            try:
                collection = str(parse_object(call.body).get("name", ""))
            except Refusal:
                collection = ""
        return self.keys.allow(call.key, route.action, collection)

    def collection(self, call: Call) -> Collection:
        """The collection that a path names, itself or by an alias. Raises Refusal."""
        name = call.params["collection"]
        if name not in self.collections:  # whose names come before those of aliases
            name = self.aliases.get(name, "")
        if name not in self.collections:
            raise Refusal(404, "Collection not found")
        return self.collections[name]
