"""Stages that the tests package."""

from typing import Any, Final

from local.stages import TABLES

PROD: Final[dict[str, Any]] = {
    "tables": TABLES,
    "opensearch": None,  # a domain with its defaults
    "typesense": {"url": "https://typesense.example.org"},
}
SUBNETS: Final = [f"subnet-0123456789abcdef{n}" for n in range(3)]
VPC: Final[dict[str, Any]] = {
    **PROD,
    "network": {"subnets": SUBNETS, "security_groups": ["sg-0123456789abcdef0"]},
    "alarms": {"email": "ops@example.org"},
}
ARN: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"
ATTACHED: Final[dict[str, Any]] = {  # a table and a domain that are there, mirrored, and no more
    "tables": {
        "orders": {
            "keys": {"name": "S", "created": "N"},
            "stream": f"{ARN}/stream/2026-01-01T00:00:00.000",
        }
    },
    "opensearch": {
        "existing": {
            "endpoint": "https://search.eu-west-1.es.amazonaws.com",
            "arn": "arn:aws:es:eu-west-1:123456789012:domain/search",
        },
        "prefix": "shop-",
    },
}
