"""The base class of commands: its fields are the payload, `run` is the work."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from sync.commands.parts.argument import Argument, arguments
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.service import Service


class Command(BaseModel, ABC):
    """One command, with the payload it was given. The first line of its docstring is its help.

    A validator of the whole payload may raise ValueError with a text that continues the command's
    name: "needs 'ids' or a filter".
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @abstractmethod
    def run(self, service: "Service", deadline: Deadline) -> Mapping[str, Any]:
        """Do the work and return the answer, which has to be valid JSON."""

    @classmethod
    def title(cls) -> str:
        """The command's name, from that of its file: `dlq_list.py` is `dlq list`."""
        return cls.__module__.rpartition(".")[2].replace("_", " ")

    @classmethod
    def arguments(cls) -> tuple[Argument, ...]:
        return tuple(arguments(cls))

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """Validate *payload*. null means absent, "command" is left out.

        Raises ConfigError that names the command and every argument that is wrong.
        """
        given = {
            name: value
            for name, value in payload.items()
            if name != "command" and (value is not None or name not in cls.model_fields)
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ConfigError(cls._message(error, given)) from error

    @classmethod
    def _message(cls, error: ValidationError, given: Mapping[str, Any]) -> str:
        takes = {argument.name: argument for argument in cls.arguments()}
        if surplus := sorted(str(name) for name in given if name not in takes):
            names = ", ".join(takes) or "nothing"
            return f"{cls.title()} does not take {', '.join(surplus)}; it takes {names}"
        faults = [cls._fault(detail, takes, given) for detail in error.errors(include_url=False)]
        return "; ".join(dict.fromkeys(faults))

    @classmethod
    def _fault(
        cls, detail: ErrorDetails, takes: Mapping[str, Argument], given: Mapping[str, Any]
    ) -> str:
        if not detail["loc"]:  # it is about the whole payload
            return f"{cls.title()} {detail['ctx']['error']}"
        name = str(detail["loc"][0])
        if detail["type"] in {"missing", "string_too_short", "too_short"}:
            return f"{cls.title()} needs {name!r}"
        return f"{cls.title()}: {name!r} must be {takes[name].expected}, not {given[name]!r:.80}"
