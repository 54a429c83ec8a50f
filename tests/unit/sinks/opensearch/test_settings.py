"""Settings of the OpenSearch sink."""

import subprocess
import sys

import pytest

from sync.errors import ConfigError
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.settings import Settings

LOCAL = "http://127.0.0.1:9200"
DOMAIN = "https://search-x.eu-west-1.es.amazonaws.com"
GOOD = {"OPENSEARCH_ENDPOINT": LOCAL, "OPENSEARCH_AUTH": "none"}
ON_AWS = {
    "OPENSEARCH_ENDPOINT": DOMAIN,
    "OPENSEARCH_AUTH": "aws",
    "AWS_REGION": "eu-west-1",
}


@pytest.mark.parametrize(
    ("env", "settings"),
    [
        (GOOD, Settings("http://127.0.0.1:9200", None, "false", 20.0)),
        (
            {**GOOD, "AWS_REGION": "eu-west-1"},
            Settings("http://127.0.0.1:9200", None, "false", 20.0),
        ),
        (
            {**GOOD, "OPENSEARCH_REFRESH": "wait_for"},
            Settings(GOOD["OPENSEARCH_ENDPOINT"], None, "wait_for", 20.0),
        ),
        (
            {**GOOD, "OPENSEARCH_TIMEOUT_S": "3"},
            Settings(GOOD["OPENSEARCH_ENDPOINT"], None, "false", 3.0),
        ),
        (
            {**GOOD, "OPENSEARCH_REFRESH": "true", "OPENSEARCH_ENDPOINT": f"{LOCAL}/"},
            Settings(f"{LOCAL}/", None, "true", 20.0),
        ),
        (
            {**ON_AWS, "OPENSEARCH_ENDPOINT": "http://search.internal"},
            Settings("http://search.internal", "eu-west-1", "false", 20.0),
        ),
        (ON_AWS, Settings(ON_AWS["OPENSEARCH_ENDPOINT"], "eu-west-1", "false", 20.0)),
    ],
)
def test_settings_are_read(env: dict[str, str], settings: Settings) -> None:
    """A region means that requests are signed."""
    assert Settings.from_env(env) == settings


NO_URL = "OPENSEARCH_ENDPOINT must be http(s)://host or http(s)://host:port"
NO_NUMBER = "OPENSEARCH_TIMEOUT_S must be a number over 0 and at most 300, not"


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({}, "OPENSEARCH_ENDPOINT is not set"),
        ({**GOOD, "OPENSEARCH_ENDPOINT": " "}, "OPENSEARCH_ENDPOINT is not set"),
        ({**GOOD, "OPENSEARCH_ENDPOINT": "localhost:9200"}, NO_URL),
        ({**GOOD, "OPENSEARCH_ENDPOINT": "ftp://localhost"}, NO_URL),
        ({**GOOD, "OPENSEARCH_ENDPOINT": "http://me:hunter2@localhost"}, NO_URL),
        ({**GOOD, "OPENSEARCH_ENDPOINT": "http://localhost/path"}, NO_URL),
        ({**GOOD, "OPENSEARCH_ENDPOINT": "http://localhost\nx"}, NO_URL),
        ({**GOOD, "OPENSEARCH_AUTH": ""}, "OPENSEARCH_AUTH is not set"),
        (
            {**GOOD, "OPENSEARCH_AUTH": "basic"},
            "OPENSEARCH_AUTH must be one of aws, none, not 'basic'",
        ),
        (
            {**ON_AWS, "OPENSEARCH_AUTH": "none"},
            "OPENSEARCH_AUTH must be aws for an endpoint on AWS",
        ),
        ({**ON_AWS, "AWS_REGION": ""}, "AWS_REGION is not set"),
        (
            {**ON_AWS, "OPENSEARCH_ENDPOINT": "http://x.ES.amazonaws.com"},
            "OPENSEARCH_ENDPOINT must be https for an endpoint on AWS",
        ),
        (
            {**GOOD, "OPENSEARCH_REFRESH": "yes"},
            "OPENSEARCH_REFRESH must be one of false, true, wait_for, not 'yes'",
        ),
        ({**GOOD, "OPENSEARCH_TIMEOUT_S": "301"}, f"{NO_NUMBER} '301'"),
        ({**GOOD, "OPENSEARCH_TIMEOUT_S": "0"}, f"{NO_NUMBER} '0'"),
    ],
)
def test_what_is_missing_or_wrong_is_named(env: dict[str, str], why: str) -> None:
    """And a password in an endpoint is not repeated."""
    with pytest.raises(ConfigError) as caught:
        OpenSearch.from_env(env)
    assert str(caught.value) == why


def test_a_sink_takes_its_timeout_from_its_settings() -> None:
    """Nothing is connected yet."""
    assert OpenSearch.from_env({**GOOD, "OPENSEARCH_TIMEOUT_S": "300"}).timeout_s == 300.0


def test_clients_are_not_imported_before_the_first_write() -> None:
    """They take 0.3 s, which a start pays for nothing where no record is for this sink."""
    code = (
        "import sys; from sync.sinks.opensearch import OpenSearch as sink\n"
        f"sink.from_env({ON_AWS!r})\n"
        "print({'boto3', 'botocore', 'opensearchpy', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
