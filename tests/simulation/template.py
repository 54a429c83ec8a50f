"""What serverless.yml says of functions, queues and mappings, so that nothing of it is a copy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from sync.stages.files import parse
from sync.stages.tables import references

TEMPLATE: Final = Path(__file__).parents[2] / "serverless.yml"
_STAGE: Final = parse(
    """
    tables: {core: {keys: {PK: S, SK: S}}}
    opensearch:
    typesense: {url: https://typesense.example.org}
    """,
    "a stage in production",
)
RETENTION_S: Final = 4 * 86_400  # where a queue says nothing (CloudFormation, AWS::SQS::Queue)
VISIBILITY_S: Final = 30


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """A queue, by its logical id. *dead_letters*: the queue that its redrive policy names."""

    id: str
    name: str  # without the stage
    fifo: bool
    visibility_s: float
    retention_s: float
    delay_s: float
    most_receives: int | None
    dead_letters: str | None


@dataclass(frozen=True, slots=True)
class Polling:
    """A mapping from a queue to a function."""

    queue: str
    function: str
    batch_size: int
    window_s: float
    concurrency: int


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # of a module without types
    """Reads `!Ref X` as X, and `!GetAtt X.Arn` as X.Arn."""


def _tagged(loader: Any, _tag: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


class Template:
    """serverless.yml, *text*, with the fields of a stage in production."""

    def __init__(self, text: str) -> None:
        self._read = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        self._fields = _STAGE.model_dump(mode="json")
        _, self._resources = self._read["resources"]  # the first is of the stage's tables
        self.timeouts_s: dict[str, float] = {
            name: float(self._value(function["timeout"]))
            for name, function in self._read["functions"].items()
        }
        self.queues = {queue.id: queue for queue in self._queues()}
        self.polled = tuple(self._polled())
        self.stream = self._stream()

    def _queues(self) -> Iterator[QueueSettings]:
        for name, resource in self._resources["Resources"].items():
            if resource["Type"] != "AWS::SQS::Queue":
                continue
            properties = resource["Properties"]
            redrive = properties.get("RedrivePolicy")
            yield QueueSettings(
                name,
                properties["QueueName"].removeprefix("${self:custom.name}-"),
                fifo=properties.get("FifoQueue", False),
                visibility_s=float(properties.get("VisibilityTimeout", VISIBILITY_S)),
                retention_s=float(properties.get("MessageRetentionPeriod", RETENTION_S)),
                delay_s=float(properties.get("DelaySeconds", 0)),
                most_receives=redrive["maxReceiveCount"] if redrive else None,
                dead_letters=_named(redrive["deadLetterTargetArn"]) if redrive else None,
            )

    def _polled(self) -> Iterator[Polling]:
        for function, settings in self._read["functions"].items():
            events = settings.get("events", ())
            for event in events if isinstance(events, list) else ():  # else those of the tables
                if sqs := event.get("sqs"):
                    yield Polling(
                        _named(sqs["arn"]),
                        function,
                        batch_size=int(self._value(sqs["batchSize"])),
                        window_s=float(self._value(sqs.get("maximumBatchingWindow", 0))),
                        concurrency=int(self._value(sqs["maximumConcurrency"])),
                    )

    def _stream(self) -> dict[str, Any]:
        """The settings of the streams' mappings, as `MappingSettings` calls them."""
        said = references(_STAGE.tables)["events"][0]["stream"]
        return {
            "batch_size": said["batchSize"],
            "window_s": said["batchWindow"],
            "parallelization_factor": said["parallelizationFactor"],
            "bisect": said["bisectBatchOnFunctionError"],
            "maximum_retry_attempts": said["maximumRetryAttempts"],
            "partial_responses": said["functionResponseType"] == "ReportBatchItemFailures",
            "starting_position": said["startingPosition"],
        }

    def _value(self, text: Any) -> Any:
        """*text*, or the field of the stage that it names."""
        named = re.fullmatch(r"\$\{self:custom\.stage\.([\w.]+)(, \d+)?\}", str(text))
        return reduce(getitem, named[1].split("."), self._fields) if named else text


def _named(arn: str) -> str:
    return arn.removesuffix(".Arn")


DEPLOYED: Final = Template(TEMPLATE.read_text())
