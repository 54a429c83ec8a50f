"""The schema of a stage file. Each field is checked here; AWS names the source of a limit.

Descriptions are for people: docs/stages.md is made of them (sync/stages/reference.py).
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sync.runtime.environment import PREFIX, ROLE, TABLE

_TABLE_ARN: Final = r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}"
_URL: Final = r"https?://[^/\s?#]+"

Role = Annotated[str, Field(pattern=rf"^{ROLE}$")]
"""What models call a table, whatever its name is in a stage."""

Prefix = Annotated[str, Field(pattern=rf"^{PREFIX}$")]
"""What the names of a stage's indexes or collections begin with."""

MemoryMb = Annotated[int, Field(ge=128, le=10_240)]
"""Lambda guide, configuration-memory: a whole CPU at 1,769 MB, and in proportion below."""

TimeoutS = Annotated[int, Field(ge=1, le=300)]


class Section(BaseModel):
    """A part of a stage file. An unknown field is an error: a typo would else change nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Table(Section):
    """A table whose changes are read.

    Without *stream* the stack makes it; with it the table exists, and the stack changes nothing
    about it.
    """

    keys: dict[str, Literal["S", "N", "B"]] = Field(
        min_length=1,
        max_length=2,
        description="its key attributes and their types, partition key first: `{PK: S, SK: S}`",
    )
    stream: str | None = Field(
        None,
        pattern=rf"^{_TABLE_ARN}/stream/[0-9T:.-]+$",
        description="the ARN of its stream, for a table that exists; without it the stack makes "
        "the table",
    )
    name: Annotated[str, Field(pattern=rf"^{TABLE}$")] | None = Field(
        None, description="of a table that the stack makes, if not `stream-sync-<stage>-<role>`"
    )
    batch_size: int = Field(
        100, ge=1, le=10_000, description="records of an invocation of the stream function at most"
    )
    batch_window_s: int = Field(
        0, ge=0, le=300, description="seconds to gather them: fewer invocations, later documents"
    )
    parallelization_factor: int = Field(
        1, ge=1, le=10, description="batches of a shard at once; the order per item holds"
    )

    @property
    def arn(self) -> str | None:
        """The ARN of a table that exists."""
        return self.stream.partition("/stream/")[0] if self.stream else None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name and self.stream:
            raise ValueError("name is for a table that the stack makes; stream names this one")
        return self


class Made(Section):
    """An OpenSearch domain of the stack. Sizes are those that AWS recommends for production."""

    instance_type: str = Field(
        "r7g.large.search",
        pattern=r"^[a-z0-9-]+\.[a-z0-9]+\.search$",
        description="of the data nodes",
    )
    instances: int = Field(3, ge=1, le=80, description="how many; a multiple of the zones")
    zones: Literal[1, 2, 3] = Field(3, description="in how many zones they stand")
    master_type: str = Field(
        "m7g.large.search",
        pattern=r"^[a-z0-9-]+\.[a-z0-9]+\.search$",
        description="of the nodes that manage the others",
    )
    masters: Literal[0, 3] = Field(3, description="how many of these")
    volume_type: Literal["gp3", "gp2"] = Field("gp3", description="of each data node's disk")
    volume_gb: int = Field(50, ge=10, le=24_576, description="its size")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.instances % self.zones:
            raise ValueError(f"{self.instances} instances can't be shared among {self.zones} zones")
        return self


class Existing(Section):
    """An OpenSearch domain that exists. The stack changes nothing about it."""

    endpoint: str = Field(pattern=rf"^{_URL}/?$", description="`https://…`")
    arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:(es|aoss):[a-z0-9-]+:\d{12}:[a-z]+/[a-z0-9-]+$",
        description="what the functions' roles are given access to",
    )

    @field_validator("arn")
    @classmethod
    def _no_collection(cls, arn: str) -> str:
        if ":aoss:" in arn:
            raise ValueError(
                "a serverless collection: those for vectors and time series take no document ids "
                "(OpenSearch Service guide, serverless-genref), and none takes versions"
            )
        return arn


class OpenSearch(Section):
    """Where documents for OpenSearch go: a domain that the stack makes, or one that exists."""

    made: Made | None = Field(None, description="a domain of the stack, if none is `existing`")
    existing: Existing | None = Field(None, description="a domain that is there")
    prefix: Prefix = Field(
        "",
        description="what the names of indexes and aliases begin with, where stages share a domain",
    )
    timeout_s: TimeoutS = Field(
        20,
        description="seconds that one request may take; "
        "[others wait for twice that](guarantees.md#who-waits-for-what)",
    )
    refresh: bool | Literal["wait_for"] = Field(
        False, description="`true` makes every write searchable at once, and slower; for tests"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.made is not None and self.existing is not None:
            raise ValueError("made and existing exclude each other")
        return self


class Typesense(Section):
    """A Typesense server; AWS has none."""

    url: str = Field(pattern=rf"^{_URL}/?$", description="`https://…`, with or without a port")
    secret: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+$",
        description="the ARN of the secret with its API key; without it the stack makes one, for "
        "you to fill",
    )
    prefix: Prefix = Field("", description="what the names of collections and aliases begin with")
    timeout_s: TimeoutS = Field(20, description="seconds that one request may take")
    concurrency: int = Field(
        2,
        ge=2,
        le=1000,
        description="batches written at once; Typesense asks for no more imports than cores less "
        "two",
    )


class Functions(Section):
    """Memory of each function in MB, and with it its CPU: 1,769 MB are a whole one."""

    stream_mb: MemoryMb = Field(1769, description="of the function that reads the streams")
    resync_mb: MemoryMb = Field(1769, description="of that for parked keys")
    typesense_mb: MemoryMb = Field(1024, description="it mostly waits for Typesense")
    deadletters_mb: MemoryMb = Field(512, description="nobody waits for it")
    runs_mb: MemoryMb = Field(1769, description="of that for backfills")
    admin_mb: MemoryMb = Field(1769, description="of that for commands")


class Alarms(Section):
    """Who hears of alarms, and from what on they ring."""

    email: str | None = Field(
        None,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="AWS asks this address to confirm. Alarms called `…-stopped` ring until Lambda "
        "has read for the first time",
    )
    parked_messages: int = Field(
        100,
        ge=1,
        description="how many parked messages ring at once; any ring after half an hour",
    )
    typesense_late_s: int = Field(
        900, ge=60, description="how long an action may wait on the Typesense queue"
    )
    stream_late_s: int = Field(
        900,
        ge=60,
        le=86_400,
        description="how late a stream may be before `status` is yellow; records are lost at 24 h",
    )


class Network(Section):
    """A VPC for functions and for a domain that the stack makes."""

    subnets: list[Annotated[str, Field(pattern=r"^subnet-[0-9a-z]+$")]] = Field(
        min_length=1,
        description="with a route to SNS and S3; a domain stands in the first of them, one a zone",
    )
    security_groups: list[Annotated[str, Field(pattern=r"^sg-[0-9a-z]+$")]] = Field(
        min_length=1, description="they must allow themselves on port 443"
    )


class Stage(Section):
    """All that a stage is made of."""

    tables: dict[Role, Table] = Field(
        min_length=1, description="by the role that models call them by"
    )
    opensearch: OpenSearch | None = Field(None, description="without it: no OpenSearch")
    typesense: Typesense | None = Field(None, description="without it: no Typesense")
    sinks_off: list[str] = Field([], description="other sinks that nothing is written to")
    strict_sinks: list[str] = Field(
        [], description="sinks whose failures Lambda retries instead of parking their keys"
    )
    functions: Functions = Field(Functions(), description="their memory")
    alarms: Alarms = Field(Alarms(), description="who hears of them, and from what on")
    network: Network | None = Field(None, description="without it: outside of a VPC")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="`WARNING` leaves out the line of each record"
    )
    resync_concurrency: int = Field(5, ge=2, le=1000, description="batches of parked keys at once")
    runs_concurrency: int = Field(8, ge=2, le=1000, description="segments of backfills at once")
    park_delay_s: int | None = Field(
        None,
        ge=1,
        le=900,
        description="seconds until a parked key is tried again, if not as soon as is safe: 41 with "
        "the timeouts here",
    )
    payload_days: int = Field(
        365,
        ge=1,
        description="how long S3 keeps large bodies of dead letters, and given-up batches that "
        "nothing could read",
    )
    given_up_to: Literal["bucket", "topic"] = Field(
        "bucket",
        description="where Lambda tells of batches that it gave up on: a `bucket` gets them whole; "
        "the `topic` gets their numbers alone, and what they were has to be found by `resync`",
    )
    keep_data: bool = Field(
        True, description="whether a removed stack leaves its tables, payloads and secret behind"
    )

    @model_validator(mode="before")
    @classmethod
    def _sections(cls, given: Any) -> Any:
        """A section that is named and left empty has its defaults: `opensearch:` makes a domain."""
        if not isinstance(given, dict):
            return given
        return {name: {} if value is None else value for name, value in given.items()}
