"""`mappings apply`: make what sinks write to."""

from typing import TYPE_CHECKING, Any, TypedDict

from sync.commands.parts.command import Command
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class Applied(TypedDict):
    """One for each target: {"sink", "target", "result"}, and why it is not made ("error",
    "error_class").

    A result is "created", "extended", "unchanged", "failed", or "waiting" where only a person can
    give what is missing, such as an API key.
    """

    targets: list[dict[str, Any]]


class MappingsApply(Command):
    """Make every index, collection and alias, or extend them by new fields.

    Raises ConfigError where a mapping is missing.
    """

    def run(self, service: "Service", deadline: Deadline) -> Applied:  # noqa: ARG002
        from sync.model import mappings

        return {"targets": list(mappings.apply(service.registry.sinks, service.env))}
