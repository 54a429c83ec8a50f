"""Settings of the Typesense sink, from environment variables and from the API key's secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from sync.aws.clients import Clients, failures
from sync.errors import ConfigError, Misconfigured, NotGiven
from sync.runtime.environment import matching, prefix, required, seconds

_URL: Final = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::(\d{1,5}))?/?")
_PORTS: Final = {"http": 80, "https": 443}
_KEY: Final = re.compile(r"[!-~]+")  # characters that a header holds unquoted
# Only the message distinguishes a secret without a value from a missing secret.
_EMPTY: Final = re.compile(r"ResourceNotFoundException.*secret value")


@dataclass(frozen=True, slots=True)
class Settings:
    protocol: str
    host: str
    port: int
    api_key_arn: str  # of the secret that holds the key
    timeout_s: float  # the longest that a request may take
    prefix: str = ""  # of the names of aliases and collections

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """From TYPESENSE_URL, TYPESENSE_API_KEY_ARN, TYPESENSE_TIMEOUT_S and
        TYPESENSE_PREFIX.

        Raises ConfigError that names the first variable that is missing or wrong.
        """
        parts = _URL.fullmatch(required(env, "TYPESENSE_URL"))
        if parts is None:  # not shown: the value may hold a password
            raise ConfigError("TYPESENSE_URL must be http(s)://host or http(s)://host:port")
        return cls(
            protocol=parts[1],
            host=parts[2],
            port=int(parts[3] or _PORTS[parts[1]]),
            api_key_arn=matching(
                env,
                "TYPESENSE_API_KEY_ARN",
                r"arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:\S+",
                "a secret's ARN",
            ),
            timeout_s=seconds(env, "TYPESENSE_TIMEOUT_S", default=20.0, most=300.0),
            prefix=prefix(env, "TYPESENSE_PREFIX"),
        )

    def api_key(self, clients: Clients) -> str:
        """The API key that the secret holds now. Raises Retry."""
        from botocore.exceptions import ClientError

        with failures(f"reading the secret {self.api_key_arn}"):
            try:
                answer = clients("secretsmanager").get_secret_value(SecretId=self.api_key_arn)
            except ClientError as error:
                if not _EMPTY.search(str(error)):
                    raise
                answer = {}  # the stack creates the secret without a value
        key = str(answer.get("SecretString") or "").strip()
        if not key:
            raise NotGiven(f"the secret {self.api_key_arn} holds no API key of Typesense yet")
        if not _KEY.fullmatch(key):
            raise Misconfigured(f"what the secret {self.api_key_arn} holds is no API key")
        return key
