"""Settings of the Typesense sink: the server, and the secret that holds its key."""

import subprocess
import sys
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sync.errors import ConfigError, Misconfigured, NotGiven
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.settings import Settings
from tests.doubles.in_process import mock_aws

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:typesense-AbCdEf"
ENV = {"TYPESENSE_URL": "https://search.example.com", "TYPESENSE_API_KEY_ARN": ARN}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://search.example.com", ("https", "search.example.com", 443)),
        ("http://127.0.0.1:8108/", ("http", "127.0.0.1", 8108)),
        ("http://[::1]:8108", ("http", "[::1]", 8108)),
    ],
)
def test_settings_are_read(url: str, server: tuple[str, str, int]) -> None:
    """A port is that of the protocol unless it is given."""
    assert Settings.from_env({**ENV, "TYPESENSE_URL": url}) == Settings(*server, ARN, 20.0)


NO_URL = "TYPESENSE_URL must be http(s)://host or http(s)://host:port"


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"TYPESENSE_URL": ""}, "TYPESENSE_URL is not set"),
        ({"TYPESENSE_URL": "search.example.com"}, NO_URL),
        ({"TYPESENSE_URL": "https://me:hunter2@search"}, NO_URL),
        ({"TYPESENSE_URL": "https://search/path"}, NO_URL),
        ({"TYPESENSE_API_KEY_ARN": ""}, "TYPESENSE_API_KEY_ARN is not set"),
        (
            {"TYPESENSE_API_KEY_ARN": "plainkey"},
            "TYPESENSE_API_KEY_ARN must be a secret's ARN, not 'plainkey'",
        ),
        (
            {"TYPESENSE_TIMEOUT_S": "0"},
            "TYPESENSE_TIMEOUT_S must be a number over 0 and at most 300, not '0'",
        ),
        (
            {"TYPESENSE_TIMEOUT_S": "301"},
            "TYPESENSE_TIMEOUT_S must be a number over 0 and at most 300, not '301'",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(env: dict[str, str], why: str) -> None:
    """And a password in a URL is not repeated."""
    with pytest.raises(ConfigError) as caught:
        Typesense.from_env({**ENV, **env})
    assert str(caught.value) == why


def test_a_sink_takes_its_timeout_from_its_settings() -> None:
    """Nothing is connected yet."""
    assert Typesense.from_env({**ENV, "TYPESENSE_TIMEOUT_S": "300"}).timeout_s == 300.0


@pytest.mark.parametrize("secret", ["two words", "zażółć"])
def test_a_secret_that_holds_no_key_is_told_by_its_name(secret: str) -> None:
    """Not by what it holds."""
    clients = {"secretsmanager": Secrets(secret)}.__getitem__
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env(ENV).api_key(clients)
    assert not isinstance(caught.value, NotGiven)
    assert str(caught.value) == f"what the secret {ARN} holds is no API key"


@pytest.mark.parametrize("secret", [None, "", " "])
def test_a_secret_into_which_nobody_has_put_the_key_is_a_thing_to_do(secret: str | None) -> None:
    """As the stack makes it: without a value."""
    clients = {"secretsmanager": Secrets(secret)}.__getitem__
    with pytest.raises(NotGiven) as caught:
        Settings.from_env(ENV).api_key(clients)
    assert str(caught.value) == f"the secret {ARN} holds no API key of Typesense yet"


class Secrets:
    def __init__(self, secret: str | None) -> None:
        self.secret = secret

    def get_secret_value(self, **_: str) -> dict[str, str]:
        if self.secret is None:  # as AWS has it: nobody ever put a value
            raise ClientError(
                {
                    "Error": {
                        "Code": "ResourceNotFoundException",
                        "Message": "Secrets Manager can't find the specified secret value for "
                        "staging label: AWSCURRENT",
                    }
                },
                "GetSecretValue",
            )
        return {"SecretString": self.secret}


def test_the_key_comes_from_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for by its ARN; a missing one is about us."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        secrets = boto3.client("secretsmanager", "us-east-1")
        arn = secrets.create_secret(Name="typesense", SecretString="k3y\n")["ARN"]
        clients: Any = {"secretsmanager": secrets}.__getitem__
        settings = Settings.from_env({**ENV, "TYPESENSE_API_KEY_ARN": arn})
        assert settings.api_key(clients) == "k3y"
        with pytest.raises(Misconfigured, match=f"^reading the secret {ARN}: "):
            Settings.from_env(ENV).api_key(clients)
        empty = secrets.create_secret(Name="empty")["ARN"]
        with pytest.raises(NotGiven):
            Settings.from_env({**ENV, "TYPESENSE_API_KEY_ARN": empty}).api_key(clients)


def test_nothing_is_imported_before_the_first_write() -> None:
    """The worker's cold start is paid by the first action, not by a start that has none."""
    code = (
        "import sys; from sync.sinks.typesense import Typesense as sink\n"
        "import sync.lanes.worker\n"
        f"sink.from_env({ENV!r})\n"
        "print({'boto3', 'typesense', 'httpx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
