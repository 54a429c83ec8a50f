"""API keys: the one given at the start, which may do everything, and those made with it."""

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.typesense.answers import Json, Refusal

_FAR_FUTURE = 64_723_363_199  # Unix seconds, in the year 4020: what the server fills in
_PREFIX = 4
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Key:
    id: int
    value: str
    description: str
    actions: Sequence[str]
    collections: Sequence[str]
    expires_at: int  # Unix seconds
    autodelete: bool

    def allows(self, action: str, collection: str) -> bool:
        """Whether it may do *action*, `resource:operation`, to a collection or alias as named in
        the request; collections are named by regular expressions (auth_manager.cpp).
        """
        resource = action.partition(":")[0]
        return (
            time.time() <= self.expires_at
            and any(each in ("*", action, f"{resource}:*") for each in self.actions)
            and any(
                each == "*" or not collection or _matches(each, collection)
                for each in self.collections
            )
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "actions": list(self.actions),
            "autodelete": self.autodelete,
            "collections": list(self.collections),
            "description": self.description,
            "expires_at": self.expires_at,
            "id": self.id,
            "value": self.value,
        }

    def shown(self) -> dict[str, Any]:
        """As a key is listed: its value only begun."""
        json = self.to_json()
        prefix = json.pop("value")[:_PREFIX]
        return {**json, "value_prefix": prefix}


class Keys:
    def __init__(self, admin: str) -> None:
        self._admin = admin
        self._keys: dict[int, Key] = {}
        self._next = 0

    def allow(self, value: str, action: str, collection: str) -> bool:
        """Whether the key *value* opens a route."""
        if value and secrets.compare_digest(value.encode(), self._admin.encode()):
            return True
        return any(
            key.value == value and key.allows(action, collection) for key in self._keys.values()
        )

    def create(self, json: Mapping[str, Json]) -> Key:
        """Raises Refusal."""
        _check(json)
        value = json.get("value", secrets.token_urlsafe(_LENGTH)[:_LENGTH])
        if value == self._admin or any(key.value == value for key in self._keys.values()):
            raise Refusal(409, "API key generation conflict.")
        key = Key(
            self._next,
            value,
            json["description"],
            json["actions"],
            json["collections"],
            json.get("expires_at", _FAR_FUTURE),
            json.get("autodelete", False),
        )
        self._keys[key.id] = key
        self._next += 1
        return key

    def get(self, key_id: str) -> Key:
        """Raises Refusal."""
        if not key_id.isdecimal() or int(key_id) not in self._keys:
            raise Refusal(404, "Not found.")
        return self._keys[int(key_id)]

    def remove(self, key_id: str) -> Key:
        """Raises Refusal."""
        return self._keys.pop(self.get(key_id).id)

    def all(self) -> list[Key]:
        return list(self._keys.values())


def _check(json: Mapping[str, Json]) -> None:
    for needed in ("description", "actions", "collections"):
        if needed not in json:
            raise Refusal(400, f"Could not find a `{needed}` key.")
    if not isinstance(json.get("value", ""), str):
        raise Refusal(400, "Key value must be a string.")
    if not isinstance(json["description"], str):
        raise Refusal(400, "Key description must be a string.")
    for name in ("actions", "collections"):
        listed = json[name]
        if (
            not isinstance(listed, list)
            or not listed
            or not all(isinstance(e, str) for e in listed)
        ):
            raise Refusal(400, f"Wrong format for `{name}`. It should be an array of string.")
    expires = json.get("expires_at", 0)
    if not isinstance(expires, int) or isinstance(expires, bool) or expires < 0:
        raise Refusal(400, "Wrong format for `expires_at`. It should be an unsigned integer.")


def _matches(pattern: str, name: str) -> bool:
    try:
        return pattern == name or re.fullmatch(pattern, name) is not None
    except re.error:
        return False
