"""Making what sinks write to."""

from typing import TYPE_CHECKING, Any

from sync.commands.arguments import Arguments
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


def apply(_given: Arguments, service: "Service", _deadline: Deadline) -> dict[str, Any]:
    """`{"command": "mappings apply"}`: make or extend every index and alias.

    Answers `{"targets": [{"sink", "target", "result"}]}`, one for each target; result is "created",
    "extended" or "unchanged". One that could not be made is "failed", or "waiting" where only a
    person can give what is missing, such as an API key; both say why ("error", "error_class").
    Raises ConfigError where a mapping is missing.
    """
    from sync.model import mappings

    return {"targets": list(mappings.apply(service.registry.sinks, service.env))}
