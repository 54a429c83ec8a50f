"""The schema of a stage file. Each field is checked here; AWS names the source of a limit."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_TABLE_ARN: Final = r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]{3,255}"
_URL: Final = r"https?://[^/\s?#]+"

TableName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]
"""DynamoDB developer guide, "Supported data types and naming rules"."""

Role = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""What models call a table, whatever its name is in a stage."""

Prefix = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]{0,30})?$")]
"""What the names of a stage's indexes or collections begin with."""

MemoryMb = Annotated[int, Field(ge=128, le=10_240)]
"""Lambda guide, configuration-memory: a whole CPU at 1,769 MB, and in proportion below."""


class Section(BaseModel):
    """A part of a stage file. An unknown field is an error: a typo would else change nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Table(Section):
    """A table whose changes are read.

    Without *stream* the stack makes it; with it the table exists, and the stack changes nothing
    about it. *keys* are its key attributes with their types, partition key first.
    """

    keys: dict[str, Literal["S", "N", "B"]] = Field(min_length=1, max_length=2)
    name: TableName | None = None  # None: stream-sync-{stage}-{role}
    stream: str | None = Field(None, pattern=rf"^{_TABLE_ARN}/stream/[0-9T:.-]+$")
    batch_size: int = Field(100, ge=1, le=10_000)
    batch_window_s: int = Field(0, ge=0, le=300)
    parallelization_factor: int = Field(1, ge=1, le=10)  # the order per item holds

    @property
    def exists(self) -> bool:
        """Whether the stack finds the table, and does not make it."""
        return self.stream is not None

    @property
    def arn(self) -> str | None:
        """The ARN of a table that exists."""
        return self.stream.partition("/stream/")[0] if self.stream else None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name and self.arn and self.arn.rpartition("/")[2] != self.name:
            raise ValueError(f"the stream is not one of the table {self.name}")
        return self


class Made(Section):
    """An OpenSearch domain of the stack. Sizes are those that AWS recommends for production."""

    instance_type: str = Field("r7g.large.search", pattern=r"^[a-z0-9-]+\.[a-z0-9]+\.search$")
    instances: int = Field(3, ge=1, le=80)
    zones: Literal[1, 2, 3] = 3
    master_type: str = Field("m7g.large.search", pattern=r"^[a-z0-9-]+\.[a-z0-9]+\.search$")
    masters: Literal[0, 3] = 3
    volume_type: Literal["gp3", "gp2"] = "gp3"
    volume_gb: int = Field(50, ge=10, le=24_576)  # of each data node

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.instances % self.zones:
            raise ValueError(f"{self.instances} instances can't be shared among {self.zones} zones")
        return self


class Existing(Section):
    """An OpenSearch domain that exists."""

    endpoint: str = Field(pattern=rf"^{_URL}/?$")
    arn: str = Field(pattern=r"^arn:aws[a-z-]*:(es|aoss):[a-z0-9-]+:\d{12}:[a-z]+/[a-z0-9-]+$")

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
    """Where documents for OpenSearch go. *prefix* keeps stages apart that share a domain."""

    made: Made | None = None
    existing: Existing | None = None
    prefix: Prefix = ""
    timeout_s: int = Field(20, ge=1, le=300)  # of one request
    refresh: bool | Literal["wait_for"] = False  # what a bulk request does at its end

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.made is not None and self.existing is not None:
            raise ValueError("made and existing exclude each other")
        return self


class Typesense(Section):
    """A Typesense server; AWS has none. Without *secret* the stack makes one for its API key."""

    url: str = Field(pattern=rf"^{_URL}/?$")
    secret: str | None = Field(
        None, pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+$"
    )
    prefix: Prefix = ""
    timeout_s: int = Field(20, ge=1, le=300)  # of one request
    concurrency: int = Field(2, ge=2, le=1000)  # batches at once; AWS's minimum


class Functions(Section):
    """Memory of each function, in MB."""

    stream_mb: MemoryMb = 1769
    resync_mb: MemoryMb = 1769
    typesense_mb: MemoryMb = 1024
    deadletters_mb: MemoryMb = 512
    admin_mb: MemoryMb = 1769


class Alarms(Section):
    """Who hears of alarms, and from what on."""

    email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    parked_messages: int = Field(100, ge=1)
    typesense_late_s: int = Field(900, ge=60)
    stream_late_s: int = Field(900, ge=60, le=86_400)  # records are lost at 24 h


class Network(Section):
    """A VPC for functions and a domain that the stack makes."""

    subnets: list[Annotated[str, Field(pattern=r"^subnet-[0-9a-z]+$")]] = Field(min_length=1)
    security_groups: list[Annotated[str, Field(pattern=r"^sg-[0-9a-z]+$")]] = Field(min_length=1)


class Stage(Section):
    """All that a stage is made of."""

    tables: dict[Role, Table] = Field(min_length=1)
    opensearch: OpenSearch | None = None
    typesense: Typesense | None = None
    sinks_off: list[str] = []
    strict_sinks: list[str] = []
    functions: Functions = Functions()
    alarms: Alarms = Alarms()
    network: Network | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    resync_concurrency: int = Field(5, ge=2, le=1000)
    park_delay_s: int | None = Field(None, ge=1, le=900)  # None: as short as is safe
    payload_days: int = Field(365, ge=1)
    given_up_to: Literal["bucket", "topic"] = "bucket"
    keep_data: bool = True  # when the stack is removed

    @model_validator(mode="before")
    @classmethod
    def _sections(cls, given: Any) -> Any:
        """A section that is named and left empty has its defaults: `opensearch:` makes a domain."""
        if not isinstance(given, dict):
            return given
        return {name: {} if value is None else value for name, value in given.items()}
