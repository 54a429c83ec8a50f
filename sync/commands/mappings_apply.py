"""`mappings apply`: create the indexes, collections and aliases that sinks write to."""

from typing import TYPE_CHECKING, Any, TypedDict

from sync.commands.parts.command import Command
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class Applied(TypedDict):
    """One object for each target: "sink", "target", "result"; if it failed or waits, "error" and
    "error_class" too.

    A result is "created", "extended", "unchanged", "failed", or "waiting" for something that only a
    person can supply, such as an API key.
    """

    targets: list[dict[str, Any]]


class MappingsApply(Command):
    """Create every index, collection and alias, or add new fields to them.

    Raises ConfigError if a mapping is missing.
    """

    def run(self, service: "Service", deadline: Deadline) -> Applied:  # noqa: ARG002
        from sync.model import mappings, mirror

        registry = service.registry
        mirrors = mirror.among(registry.models)
        return {"targets": list(mappings.apply(registry.sinks, service.env, mirrors=mirrors))}
