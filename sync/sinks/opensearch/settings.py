"""Settings of the OpenSearch sink, from environment variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sync.errors import ConfigError
from sync.runtime.environment import one_of, prefix, required, seconds

_ENDPOINT = re.compile(r"(https?)://([A-Za-z0-9.-]+)(:\d{1,5})?/?")
_ON_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".on.aws")


@dataclass(frozen=True, slots=True)
class Settings:
    endpoint: str
    region: str | None  # to sign requests with; None: requests are not signed
    refresh: str  # the `refresh` of bulk requests: false, true or wait_for
    timeout_s: float  # the longest that a request may take
    prefix: str = ""  # of the names of aliases and indexes

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """From OPENSEARCH_ENDPOINT, OPENSEARCH_AUTH, OPENSEARCH_REFRESH,
        OPENSEARCH_TIMEOUT_S, OPENSEARCH_PREFIX and AWS_REGION.

        Raises ConfigError that names the first variable that is missing or wrong.
        """
        endpoint = required(env, "OPENSEARCH_ENDPOINT")
        parts = _ENDPOINT.fullmatch(endpoint)
        if parts is None:  # not shown: the value may hold a password
            raise ConfigError("OPENSEARCH_ENDPOINT must be http(s)://host or http(s)://host:port")
        auth = one_of(env, "OPENSEARCH_AUTH", ("aws", "none"))
        if parts[2].lower().endswith(_ON_AWS):
            if parts[1] == "http":
                raise ConfigError("OPENSEARCH_ENDPOINT must be https for an endpoint on AWS")
            if auth == "none":
                raise ConfigError("OPENSEARCH_AUTH must be aws for an endpoint on AWS")
        return cls(
            endpoint=endpoint,
            region=required(env, "AWS_REGION") if auth == "aws" else None,
            refresh=one_of(
                env, "OPENSEARCH_REFRESH", ("false", "true", "wait_for"), default="false"
            ),
            timeout_s=seconds(env, "OPENSEARCH_TIMEOUT_S", default=20.0, most=300.0),
            prefix=prefix(env, "OPENSEARCH_PREFIX"),
        )
