"""Requests signed with AWS credentials, checked by botocore's own signer."""

from hashlib import sha256
from traceback import format_exception

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sync.errors import Misconfigured
from sync.sinks.opensearch import OpenSearch
from sync.writing.op import Done
from tests.contract.sinks import Subject, patient
from tests.fault_proxy import (
    FaultProxy,
    Forward,
    Reply,
    Request,
)

pytestmark = pytest.mark.parametrize("subject", ["opensearch"], indirect=True)

WRITTEN = Done.WRITTEN


SECRET = "wJalrXUtnFEMI/K7MDENG"  # noqa: S105 - made up


def signature_of(request: Request, secret: str) -> str:
    """What botocore makes of a request: a second opinion on its signature."""
    authorization = request.header("authorization") or ""
    fields = dict(part.split("=", 1) for part in authorization.split(" ", 1)[1].split(", "))
    signed = [(name, request.header(name)) for name in fields["SignedHeaders"].split(";")]
    assert {"host", "x-amz-date", "x-amz-content-sha256"} <= dict(signed).keys()
    aws = AWSRequest(
        request.method,
        f"http://{request.header('host')}{request.path}",
        headers=dict(signed),
        data=request.body,
    )
    aws.context["timestamp"] = request.header("x-amz-date")
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", secret), "es", "eu-west-1")
    signature = signer.signature(signer.string_to_sign(aws, signer.canonical_request(aws)), aws)
    scope = f"AKIDEXAMPLE/{signer.scope(aws).split('/', 1)[1]}"
    assert fields["Credential"] == scope
    return signature


def checked(request: Request, forward: Forward) -> Reply:
    """The service's part: 403 unless body and signature are right."""
    body_is_signed = request.header("x-amz-content-sha256") == sha256(request.body).hexdigest()
    if body_is_signed and (request.header("authorization") or "").endswith(
        f"Signature={signature_of(request, SECRET)}"
    ):
        return forward(request)
    return Reply(403, b'{"message":"The request signature we calculated does not match"}')


@pytest.fixture
def signing(
    subject: Subject, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """The subject's sink signs, and the proxy checks; the secret is to be set."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    subject.sink = OpenSearch.from_env(
        {
            "OPENSEARCH_ENDPOINT": proxy.url,
            "OPENSEARCH_AUTH": "aws",
            "AWS_REGION": "eu-west-1",
        }
    )
    proxy.fail(checked, times=None)
    return monkeypatch


def test_requests_are_signed_as_sent(subject: Subject, signing: pytest.MonkeyPatch) -> None:
    """botocore's signature of the compressed body and of the query is the same."""
    signing.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert subject.write(subject.put("1"), subject.delete("2")) == dict.fromkeys("12", WRITTEN)


def test_a_session_token_is_signed(
    subject: Subject, proxy: FaultProxy, signing: pytest.MonkeyPatch
) -> None:
    """As Lambda's credentials have one."""
    signing.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    signing.setenv("AWS_SESSION_TOKEN", "token")
    assert subject.write(subject.put("1")) == {"1": WRITTEN}
    assert "x-amz-security-token" in (proxy.requests[0].header("authorization") or "")


def test_a_wrong_secret_is_ours_to_mend(subject: Subject, signing: pytest.MonkeyPatch) -> None:
    """A 403 for the signature hands back, and the error does not hold the secret."""
    signing.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    (outcome,) = subject.sink.write([subject.put("1")], patient())
    assert isinstance(outcome.result, Misconfigured)
    assert "403" in str(outcome.result)
    assert "wrong" not in "".join(format_exception(outcome.result))


def test_missing_credentials_are_ours_to_mend(
    subject: Subject, signing: pytest.MonkeyPatch
) -> None:
    """Nothing is sent unsigned."""
    signing.delenv("AWS_ACCESS_KEY_ID")
    signing.setenv("AWS_EC2_METADATA_DISABLED", "true")
    signing.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    signing.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert subject.write(subject.put("1")) == {"1": Misconfigured}
    assert subject.proxy
    assert subject.proxy.requests == []
