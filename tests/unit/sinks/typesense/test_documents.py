"""Documents on their way to Typesense and back; what its answers mean; its schema; settings."""

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.keys import Source
from sync.errors import (
    ConfigError,
    Misconfigured,
    NotGiven,
    Refused,
    RegistryError,
    Retry,
    Throttled,
    Unanswered,
    Unavailable,
)
from sync.model.fields import Keyword, Number, Object, Text, Timestamp
from sync.model.model import Model
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.answers import (
    Busy,
    Forbidden,
    TooLarge,
    document_failure,
    read_delete,
    read_import,
    request_failure,
)
from sync.sinks.typesense.documents import EXACT, decode, encode
from sync.sinks.typesense.schema import collection
from sync.sinks.typesense.settings import Settings
from sync.writing.op import Done, Op
from sync.writing.sink import Schematic
from tests.in_process import mock_aws

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:typesense-AbCdEf"
ENV = {"TYPESENSE_URL": "https://search.example.com", "TYPESENSE_API_KEY_ARN": ARN}


def op(body: bytes | None, id_: str = "1") -> Op:
    return Op("typesense", Source("t", {}), "c", id_, body, 1)


def as_typesense(line: bytes) -> Any:
    """A line as the server keeps it: others than 64-bit integers are doubles, nulls are dropped."""

    def integer(digits: str) -> int | float:
        number = int(digits)
        return number if -(2**63) <= number < 2**64 else float(digits)

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(each) for name, each in value.items() if each is not None}
        if isinstance(value, list):
            return [kept(each) for each in value if each is not None]
        return value

    return json.loads(json.dumps(kept(json.loads(line, parse_int=integer))), parse_float=Decimal)


numbers = st.one_of(
    st.integers(-(10**38), 10**38),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=5) | numbers,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def written(value: Any) -> str:
    """JSON with every digit."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=4))
def test_what_is_read_back_is_what_was_sent(document: dict[str, Any]) -> None:
    """To the last of 38 digits, and with its nulls, though Typesense keeps neither."""
    body = written(document).encode()
    held = as_typesense(encode(op(body, "é")))
    assert held["id"] == "é"
    assert decode(held) == json.loads(body, parse_float=Decimal)


@pytest.mark.parametrize("name", ["id", EXACT])
def test_an_attribute_of_a_name_that_is_ours_is_kept(name: str) -> None:
    """An open model's document has all attributes of the item."""
    body = json.dumps({name: "the item's", "other": 1}).encode()
    held = as_typesense(encode(op(body, "1")))
    assert held["id"] == "1"
    assert decode(held) == {name: "the item's", "other": 1}


@pytest.mark.parametrize(
    ("body", "loses"),
    [
        (b'{"n":19.99,"at":"2026-01-02T03:04:05.123456789Z","t":"null"}', False),
        (b'{"n":18446744073709551615}', False),
        (b'{"n":18446744073709551616}', True),
        (b'{"n":-9223372036854775809}', True),
        (b'{"n":0.1234567890123456}', False),
        (b'{"n":0.12345678901234567}', True),
        (b'{"n":1E-130}', False),
        (b'{"a":[{"b":null}]}', True),
        (b"{}", False),
    ],
)
def test_only_what_would_lose_something_is_carried_twice(body: bytes, loses: bool) -> None:
    """Nearly no document is."""
    assert (EXACT in json.loads(encode(op(body)))) == loses


@pytest.mark.parametrize(
    ("id_", "body"),
    [
        ("", b"{}"),
        ("x" * 513, b"{}"),
        ("\ud800", b"{}"),
        ("1", b""),
        ("1", b"[1]"),
        ("1", b'{"a":1}\n{"a":2}'),
        ("1", b'{"a":null'),
        ("1", b'{"a":null,}'),
        ("1", b'{"a":"\xff null"}'),
        ("1", b'{"a":"\xff"}'),  # Typesense would drop the byte
        ("1", b'{"a":"\xed\xa0\x80"}'),
        ("1", b'{"a":"\\ud800"}'),
        ("1", b'{"a":' * 18_500 + b"1" + b"}" * 18_500),  # … and end at this
        ("1", b'{"a":' + b"[" * 80_000 + b"]" * 80_000 + b"}"),
        ("1", b'{"a":"%b"}' % (b"x" * 10_000_000)),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_would_alter_another_line_is_refused(id_: str, body: bytes) -> None:
    """Or what can't be stored at all."""
    with pytest.raises(Refused):
        encode(op(body, id_))


def test_a_field_called_id_does_not_move_the_document() -> None:
    """Of two keys of one name Typesense takes the last, and that is ours."""
    assert json.loads(encode(op(b'{"id":"elsewhere"}')))["id"] == "1"


# Answers.


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (400, "Field `n` must be a float.", Refused),
        (400, "Document's `id` field should be a string.", Refused),
        (404, "Field `a.b` not found.", Refused),
        (413, "too large", Refused),
        (401, "Forbidden", Misconfigured),
        (429, "Rate limit exceeded or blocked", Throttled),
        (422, "Rejecting write: running out of resource type: OUT_OF_DISK", Throttled),
        (500, "Could not write to on-disk storage.", Unavailable),
        (503, "Not Ready or Lagging", Unavailable),
        (409, "A document with id 1 already exists.", Unavailable),
        (None, None, Unavailable),
        ("400", "", Unavailable),
        (200, "", Unavailable),
    ],
)
def test_a_line_s_failure_says_whose_it_is(code: Any, error: Any, kind: type[Exception]) -> None:
    """Only what speaks of the document refuses it."""
    assert type(document_failure(code, error)) is kind


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, "Forbidden - a valid `x-typesense-api-key` header must be sent.", Misconfigured),
        (403, "", Forbidden),
        (404, "Collection not found", Misconfigured),
        (400, "Parameter `action` must be a create|update|upsert.", Misconfigured),
        (302, "", Misconfigured),
        (413, "", TooLarge),
        (422, "Rejecting write: running out of resource type: OUT_OF_MEMORY", Busy),
        (429, "Rate limit exceeded or blocked", Busy),
        (503, "Not Ready or Lagging", Busy),
        (408, "", Unanswered),
        (500, "", Unanswered),
        (504, None, Unanswered),
        (None, "All nodes are unhealthy", Unanswered),
    ],
)
def test_a_request_s_failure_is_never_a_document_s(
    status: Any, error: Any, kind: type[Exception]
) -> None:
    """And whether it may yet take effect is told apart."""
    failure = request_failure(status, error)
    assert type(failure) is kind
    assert isinstance(failure, Retry | TooLarge)


def test_an_import_is_read_line_by_line() -> None:
    """In the order of the documents."""
    lines = '{"success":true,"id":"1"}\n{"success":false,"code":400,"error":"no"}\n{"success":true}'
    results = read_import(lines, [op(b"{}", "1"), op(b"{}", "2"), op(b"{}", "3")])
    assert [results[0], results[2]] == [Done.WRITTEN] * 2
    assert isinstance(results[1], Refused)


@pytest.mark.parametrize("own", ["", '"id":"1",'], ids=["0.24", "30"])
def test_a_failed_line_is_read_without_the_document_in_it(own: str) -> None:
    """Newer servers give its id too; all of them the document, which has no place in a log."""
    line = f'{{"code":400,"document":"{{\\"t\\":\\"secret\\"}}","error":"no",{own}"success":false}}'
    (result,) = read_import(line, [op(b"{}", "1")])
    assert isinstance(result, Refused)
    assert str(result) == "400 no"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        '{"success":true}\n{"success":true}',
        "{}",
        "[true]",
        '{"success":"yes"}',
        '{"success":tr',
        '{"success":true,"id":"2"}',
    ],
)
def test_an_answer_about_something_else_tells_nothing(answer: str) -> None:
    """Too few lines, too many, or other ones."""
    with pytest.raises(Unanswered):
        read_import(answer, [op(b"{}")])


@pytest.mark.parametrize("answer", [None, [], {}, {"id": "2"}, {"message": "welcome"}])
def test_a_delete_has_to_be_confirmed(answer: Any) -> None:
    """By the document's id, or a count."""
    with pytest.raises(Unanswered):
        read_delete(answer, op(None))
    assert read_delete({"id": "1"}, op(None)) is Done.WRITTEN
    assert read_delete({"num_deleted": 0}, op(None)) is Done.WRITTEN


def test_an_error_does_not_quote_the_document() -> None:
    """The parser's own messages do."""
    failure = document_failure(400, "Bad JSON: [101] syntax error; last read: '\"secret'")
    assert str(failure) == "400 Bad JSON: [101] syntax error"
    assert len(str(document_failure(400, "x" * 5_000))) < 500


# Schema.


class Part(Model):
    code: Keyword


class Thing(Model):
    name: Text
    kind: Keyword
    price: Number
    count: int
    live: bool | None = None
    at: Timestamp
    tags: list[Keyword] | None = None
    times: list[Timestamp]
    part: Part
    parts: list[Part]
    extra: Object | None = None


class Sparse(Model):
    name: Text | None = None


class Other(Model):
    name: Keyword


class Extra(Model):
    extra: Keyword


def test_a_schema_has_explicit_types() -> None:
    """Of a nested model each field by itself; a map of unknown fields is not declared at all, and
    nothing is left for documents to decide.
    """
    schema = collection([Thing.document_schema()])
    assert schema["enable_nested_fields"] is True
    assert schema["fields"] == [
        {"name": "name", "type": "string", "optional": False},
        {"name": "kind", "type": "string", "facet": True, "optional": False},
        {"name": "price", "type": "float", "optional": False},
        {"name": "count", "type": "int64", "optional": False},
        {"name": "live", "type": "bool", "optional": True},
        {"name": "at", "type": "string", "sort": True, "optional": False},
        {"name": "tags", "type": "string[]", "facet": True, "optional": True},
        {"name": "times", "type": "string[]", "optional": False},
        {"name": "part.code", "type": "string", "facet": True, "optional": False},
        {"name": "parts.code", "type": "string[]", "facet": True, "optional": True},
    ]
    assert issubclass(Typesense, Schematic)
    assert (
        Typesense.schema([Thing.document_schema()])
        == Typesense.schema([Thing.document_schema()])
        == schema
    )


def test_a_field_is_needed_only_where_every_model_of_the_alias_needs_it() -> None:
    """Else the documents of one of them were refused."""
    found = {
        field["name"]: field["optional"]
        for field in collection([Thing.document_schema(), Sparse.document_schema()])["fields"]
    }
    assert set(found.values()) == {True}
    reverse = collection([Sparse.document_schema(), Thing.document_schema()])["fields"]
    assert {field["name"]: field["optional"] for field in reverse} == found
    assert not collection([Thing.document_schema()])["fields"][0]["optional"]


def test_two_models_of_one_alias_have_to_agree_on_a_field() -> None:
    """Else one of them is refused, document by document; also on what is not declared."""
    with pytest.raises(RegistryError, match="Other.name: another model of the alias differs"):
        collection([Thing.document_schema(), Other.document_schema()])
    with pytest.raises(RegistryError, match="Extra.extra: another model of the alias differs"):
        collection([Thing.document_schema(), Extra.document_schema()])


@pytest.mark.parametrize("name", ["id", EXACT])
def test_a_name_that_the_sink_needs_is_refused(name: str) -> None:
    """A document's id is made of its keys."""

    class Taken(Model):
        pass

    Taken.model_fields[name] = Thing.model_fields["name"]
    with pytest.raises(RegistryError, match=f"Taken.{name}: Typesense has a use for the name"):
        collection([Taken.document_schema()])


# Settings.


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


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"TYPESENSE_URL": ""}, "TYPESENSE_URL"),
        ({"TYPESENSE_URL": "search.example.com"}, "TYPESENSE_URL"),
        ({"TYPESENSE_URL": "https://me:hunter2@search"}, "TYPESENSE_URL"),
        ({"TYPESENSE_URL": "https://search/path"}, "TYPESENSE_URL"),
        ({"TYPESENSE_API_KEY_ARN": ""}, "TYPESENSE_API_KEY_ARN"),
        ({"TYPESENSE_API_KEY_ARN": "plainkey"}, "TYPESENSE_API_KEY_ARN"),
        ({"TYPESENSE_TIMEOUT_S": "0"}, "TYPESENSE_TIMEOUT_S"),
    ],
)
def test_what_is_missing_or_wrong_is_named(env: dict[str, str], name: str) -> None:
    """And a password in a URL is not repeated."""
    with pytest.raises(ConfigError, match=name) as caught:
        Typesense.from_env({**ENV, **env})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("secret", ["two words", "zażółć"])
def test_a_secret_that_holds_no_key_is_told_by_its_name(secret: str) -> None:
    """Not by what it holds."""
    clients = {"secretsmanager": Secrets(secret)}.__getitem__
    with pytest.raises(Misconfigured, match="holds is no API key") as caught:
        Settings.from_env(ENV).api_key(clients)
    assert not isinstance(caught.value, NotGiven)
    assert ARN in str(caught.value)
    assert "words" not in str(caught.value)


@pytest.mark.parametrize("secret", [None, "", " "])
def test_a_secret_into_which_nobody_has_put_the_key_is_a_thing_to_do(secret: str | None) -> None:
    """As the stack makes it: without a value."""
    clients = {"secretsmanager": Secrets(secret)}.__getitem__
    with pytest.raises(NotGiven, match="holds no API key of Typesense yet") as caught:
        Settings.from_env(ENV).api_key(clients)
    assert ARN in str(caught.value)


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
        with pytest.raises(Misconfigured, match="reading the secret"):
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
