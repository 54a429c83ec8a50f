"""Reading the payload of a command. Every method raises ConfigError that names what is wrong."""

from collections.abc import Mapping
from typing import Any

from sync.errors import ConfigError


class Arguments:
    """The payload of one command. null is as good as absent."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = payload
        self._command = payload["command"]

    def text(self, name: str) -> str | None:
        value: str | None = self._one(name, str, "a text")
        return value

    def needed(self, name: str) -> str:
        """A text that has to be there, and not empty."""
        value = (self.text(name) or "").strip()
        if not value:
            raise ConfigError(f"{self._command} needs {name!r}")
        return value

    def flag(self, name: str) -> bool:
        return bool(self._one(name, bool, "true or false"))

    def count(self, name: str, *, default: int, most: int) -> int:
        """A whole number over 0; more than *most* are taken as *most*."""
        value: int | None = self._one(name, int, "a whole number over 0")
        if isinstance(value, bool) or (value is not None and value < 1):
            raise ConfigError(f"{self._command}: {name!r} must be a whole number over 0")
        return min(value or default, most)

    def texts(self, name: str) -> list[str]:
        """Without doubles."""
        found = self.objects(name, str, "texts")
        return list(dict.fromkeys(found))

    def objects(self, name: str, kind: type, what: str) -> list[Any]:
        """A list of values of *kind*; empty where it is absent."""
        value = self._one(name, list, f"a list of {what}") or []
        if not all(isinstance(element, kind) for element in value):
            raise ConfigError(f"{self._command}: {name!r} must be a list of {what}")
        return list(value)

    def has(self, name: str) -> bool:
        return self._payload.get(name) is not None

    def _one(self, name: str, kind: type, what: str) -> Any:
        value = self._payload.get(name)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"{self._command}: {name!r} must be {what}, not {value!r:.80}")
        return value
