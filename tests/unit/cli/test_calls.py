"""Payloads on their way to the admin function, and answers on their way back."""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from sync.cli.calls import deployed, pages
from sync.errors import ConfigError, SyncError


class Functions:
    """A Lambda client that answers once, and keeps what it was asked."""

    def __init__(self, answer: Any = None, error: Exception | None = None) -> None:
        self.answer = answer
        self.error = error
        self.asked: dict[str, Any] = {}

    def invoke(self, **request: Any) -> Any:
        self.asked = request
        if self.error:
            raise self.error
        return {**self.answer, "Payload": io.BytesIO(json.dumps(self.answer["Payload"]).encode())}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Invoke")


def use(monkeypatch: pytest.MonkeyPatch, functions: Functions) -> None:
    monkeypatch.setattr(boto3, "client", lambda service, **_: functions)


def test_a_command_is_a_payload_of_the_stage_s_admin_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same that anyone may send by hand."""
    functions = Functions({"Payload": {"ok": 1}})
    use(monkeypatch, functions)
    assert deployed("prod")({"command": "status"}) == {"ok": 1}
    assert functions.asked["FunctionName"] == "stream-sync-prod-admin"
    assert json.loads(functions.asked["Payload"]) == {"command": "status"}


@pytest.mark.parametrize(
    ("functions", "kind", "named"),
    [
        (
            Functions(
                {
                    "Payload": {"errorType": "ConfigError", "errorMessage": "no command"},
                    "FunctionError": "Unhandled",
                }
            ),
            ConfigError,
            "no command",
        ),
        (
            Functions(
                {
                    "Payload": {"errorType": "Unavailable", "errorMessage": "503"},
                    "FunctionError": "Unhandled",
                }
            ),
            SyncError,
            "Unavailable: 503",
        ),
        (
            Functions(
                error=ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke")
            ),
            ConfigError,
            "stream-sync-dev-admin is not deployed here",
        ),
        (
            Functions(error=refused("AccessDenied")),
            SyncError,
            "AccessDenied",
        ),
        (Functions(error=NoCredentialsError()), ConfigError, "credentials"),
        (Functions(error=EndpointConnectionError(endpoint_url="http://x")), SyncError, "http://x"),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_apart(
    functions: Functions, kind: type[Exception], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call or a setting (2), or anything else (1)."""
    use(monkeypatch, functions)
    with pytest.raises(SyncError, match=named) as error:
        deployed("dev")({"command": "status"})
    assert type(error.value) is kind


def test_pages_are_asked_for_until_the_last() -> None:
    """And no more than the limit in all."""
    asked: list[Mapping[str, Any]] = []

    def call(payload: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(payload)
        done = int(payload["cursor"] or 0) + payload["limit"]
        return {"rows": [0] * payload["limit"], "cursor": str(done) if done < 10 else None}

    def held(**payload: Any) -> list[int]:
        found = pages(call, payload, held=lambda a: len(a["rows"]), size=4)
        return [len(answer["rows"]) for answer in found]

    assert [held(), held(limit=5), held(limit=4)] == [[4, 4, 4], [4, 1], [4]]
    assert held(cursor="4", limit=5) == [4, 1]
    assert [asked[n]["cursor"] for n in (-2, -1)] == ["4", "8"]


def test_here_needs_the_functions_settings() -> None:
    """And names the first that is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "sync", "status", "--here"],
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: STAGE is not set" in done.stderr
