"""`python -m sync`: tables for people, JSON for programs, and exit codes for both."""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from sync.cli import front
from sync.cli.calls import deployed, pages
from sync.cli.keys import parse_key
from sync.cli.main import main
from sync.cli.screen import Progress, Screen
from sync.errors import ConfigError, SyncError
from tests.account import Account
from tests.records import PRODUCTS
from tests.unit.test_commands import SOUND, one_letter
from tests.unit.test_commands_status import metric
from tests.unit.test_deadletter_consumer import letter, poison

Sync = Callable[..., tuple[int, str]]


@pytest.fixture
def sync(account: Account, capsys: pytest.CaptureFixture[str]) -> Sync:
    """Runs the command line on the account; gives exit code and standard output."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()

        def carry_out(payload: Mapping[str, Any]) -> dict[str, Any]:
            return account.call(**payload)

        code = front.call(lambda: main(arguments, carry_out))
        return code, capsys.readouterr().out

    return run


def test_dead_letters_are_listed_by_group_and_row(account: Account, sync: Sync) -> None:
    """Sink, model, error, count and age, then the items themselves."""
    for number in range(1, 4):
        one_letter(account, f"p{number}", number)
    account.consume("noise")
    code, out = sync("dlq", "list")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["count", "sink", "model", "error", "kind", "oldest", "newest"]
    assert lines[1][:5] == ["3", "opensearch", "Product", "InvalidImage", "quarantined"]
    assert f"{PRODUCTS}(productId=p2)" in out
    assert "\x1b" not in out
    assert sync("dlq", "list", "--sink", "memory") == (0, "no open dead letters\n")


def test_json_is_all_that_stands_on_standard_output(account: Account, sync: Sync) -> None:
    """For every command that answers something."""
    id_ = one_letter(account)
    for arguments in (
        ["dlq", "list"],
        ["dlq", "show", id_],
        ["dlq", "replay", "--all", "--dry-run"],
        ["dlq", "discard", id_, "--reason", "test"],
        ["resync", "--table", PRODUCTS],
        ["status"],
        ["mappings", "check"],
    ):
        code, out = sync(*arguments, "--json")
        assert (code, out.count("\n")) == (0, 1)
        json.loads(out)


def made(*results: str) -> list[dict[str, str]]:
    why = {
        "failed": {"error": "401 Forbidden", "error_class": "Misconfigured"},
        "waiting": {"error": "the secret typesense holds no API key", "error_class": "NotGiven"},
    }
    return [
        {"sink": "s", "target": f"t{n}", "result": result, **why.get(result, {})}
        for n, result in enumerate(results)
    ]


@pytest.mark.parametrize(
    ("results", "code", "said"),
    [
        (["created", "unchanged", "extended"], 0, []),
        (
            ["created", "waiting", "waiting"],
            3,
            [
                "waiting: s/t1, s/t2",
                "  the secret typesense holds no API key",
                "",
                "Left for you to do: give what is missing (docs/deploying.md), then run",
                "  python -m sync mappings apply --stage prod",
            ],
        ),
        (["failed", "created"], 1, ["failed: s/t0", "  401 Forbidden"]),
        (
            ["failed", "waiting"],
            1,
            [
                "failed: s/t0",
                "  401 Forbidden",
                "",
                "waiting: s/t1",
                "  the secret typesense holds no API key",
                "",
                "Left for you to do: give what is missing (docs/deploying.md), then run",
                "  python -m sync mappings apply --stage prod",
            ],
        ),
    ],
)
def test_mappings_tell_what_was_not_made_and_what_is_left_to_do(
    results: list[str], code: int, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each cause once; a failure is 1, and what waits for a person alone is 3."""
    targets = made(*results)
    command = ["mappings", "apply", "--stage", "prod"]
    assert main(command, lambda _: {"targets": targets}) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(results)] == [f"{r:<10} s/t{n}" for n, r in enumerate(results)]
    assert lines[len(results) + 1 :] == said
    assert main([*command, "--json"], lambda _: {"targets": targets}) == code
    assert json.loads(capsys.readouterr().out) == targets


def test_a_list_is_as_long_as_asked_for(account: Account, sync: Sync) -> None:
    """Groups are of what is listed."""
    for number in range(1, 5):
        one_letter(account, f"p{number}", number)
    _, out = sync("dlq", "list", "--limit", "3", "--json")
    listed = json.loads(out)
    assert (len(listed["rows"]), listed["groups"][0]["count"]) == (3, 3)


def test_one_is_shown_whole(account: Account, sync: Sync) -> None:
    """With trace and record."""
    code, out = sync("dlq", "show", one_letter(account))
    assert code == 0
    assert "not a valid Product: price" in out
    assert '"price": {\n' in out
    assert f"{PRODUCTS}(productId=p)" in out


def test_a_replay_tells_what_is_still_open(account: Account, sync: Sync) -> None:
    """By its exit code too."""
    account.put("good", **SOUND)
    account.put("bad", name={"S": "x"})
    one_letter(account, "good", 1)
    one_letter(account, "bad", 2)
    code, out = sync("dlq", "replay", "--all")
    assert code == 1
    assert "1 replayed" in out
    assert "InvalidImage: not a valid Product: price: Field required" in out
    account.put("bad", **SOUND)
    assert sync("dlq", "replay", "--model", "Product")[0] == 0
    assert sync("dlq", "replay", "--all") == (0, "there was nothing to do\n")
    assert account.rows() == []


def test_a_replay_ends_at_its_limit(account: Account, sync: Sync) -> None:
    """Over pages as within one."""
    for number in range(1, 5):
        one_letter(account, f"p{number}", number)
    _, out = sync("dlq", "replay", "--all", "--limit", "3", "--json")
    assert json.loads(out)["counts"] == {"replayed": 3}
    assert len(account.rows()) == 1


def test_a_dry_run_says_so_and_does_nothing(account: Account, sync: Sync) -> None:
    """Exit code 0: nothing is wrong yet."""
    one_letter(account)
    assert sync("dlq", "replay", "--all", "--dry-run") == (0, "1 would be replayed\n")
    assert len(account.rows()) == 1


def test_what_was_not_there_to_discard_is_told(account: Account, sync: Sync) -> None:
    """A typo in an id is no success."""
    code, out = sync("dlq", "discard", one_letter(account), "nope", "--reason", "test data")
    assert code == 1
    assert "1 discarded" in out
    assert "1 not found" in out
    assert "test data" in sync("dlq", "list", "--status", "discarded")[1]


def test_keys_and_whole_tables_are_resynced(account: Account, sync: Sync) -> None:
    """Failures name the item, and the exit code says so."""
    account.put("a,b", **SOUND)
    account.put("d", name={"S": "x"})
    keys = ["--key", "productId=a,b", "--key", "productId=d"]
    code, out = sync("resync", "--table", PRODUCTS, *keys)
    assert code == 1
    assert account.document("a%2Cb") == {"productId": "a,b", "name": "Kettle", "price": 5}
    assert "1 written" in out
    assert f"{PRODUCTS}(productId=d)" in out
    code, out = sync("resync", "--table", PRODUCTS, "--json")
    assert (code, json.loads(out)["counts"]) == (1, {"written": 1, "failed": 1})
    assert sync("resync", "--table", PRODUCTS, "--limit", "1", "--dry-run")[0] == 0


def test_status_is_red_by_its_exit_code(account: Account, sync: Sync) -> None:
    """With what to run."""
    assert sync("status")[0] == 0
    metric(account, "IteratorAge", 90_000_000, FunctionName="stream-sync-test-stream")
    code, out = sync("status")
    assert code == 1
    assert out.startswith("red\n")
    assert f"python -m sync resync --table {PRODUCTS}" in out
    assert "90,000 s" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["dlq", "replay"],
        ["dlq", "show", "nope"],
        ["dlq", "discard", "a", "--reason", " "],
        ["resync", "--table", "nope"],
        ["resync", "--table", PRODUCTS, "--key", "p"],
        ["resync", "--table", PRODUCTS, "--key", "{"],
        ["resync", "--table", PRODUCTS, "--key", "PK=x"],
    ],
)
def test_a_bad_call_ends_with_2(
    arguments: list[str], sync: Sync, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever refuses it."""
    code, out = sync(*arguments)
    assert (code, out) == (2, "")


@pytest.mark.parametrize(
    "arguments", [[], ["dlq"], ["dlq", "list", "--limit", "0"], ["dlq", "discard", "a"], ["resync"]]
)
def test_a_call_that_cannot_be_read_ends_with_2(arguments: list[str]) -> None:
    """As argparse has it."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("productId=p", {"productId": {"S": "p"}}),
        ("PK=A#1,SK=B#2,3", {"PK": {"S": "A#1"}, "SK": {"S": "B#2,3"}}),
        ("productId=a=b", {"productId": {"S": "a=b"}}),
        ('{"id": {"N": "5"}}', {"id": {"N": "5"}}),
    ],
)
def test_keys_are_easily_typed(text: str, key: Any) -> None:
    """Texts as NAME=VALUE, everything else as DynamoDB's JSON."""
    assert parse_key(text) == key


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

    def held(limit: int | None) -> list[int]:
        found = pages(call, {}, held=lambda a: len(a["rows"]), limit=limit, size=4)
        return [len(answer["rows"]) for answer in found]

    assert [held(None), held(5), held(4)] == [[4, 4, 4], [4, 1], [4]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_and_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and pipes get plain lines."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    Screen(terminal).say("fine", "green")
    Screen(pipe).say("fine", "green")
    assert (terminal.getvalue(), pipe.getvalue()) == ("\x1b[32mfine\x1b[0m\n", "fine\n")
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(plain := Terminal()).say("fine", "green")
    assert plain.getvalue() == "fine\n"
    for file in (terminal, pipe):
        with Progress(file, "replayed", 4) as progress:
            progress.add(2)
    assert "replayed [###############...............] 2/4" in terminal.getvalue()
    assert pipe.getvalue() == "fine\n"


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


def test_many_results_are_cut_for_people_and_whole_for_programs(
    account: Account, sync: Sync
) -> None:
    """A screen is short."""
    for number in range(25):
        account.consume(letter(poison(f"p{number:02}", number=number)), message_id=f"{number}")
    _, out = sync("dlq", "list")
    assert "… and 5 more; --json shows all" in out
    assert len(json.loads(sync("dlq", "list", "--json")[1])["rows"]) == 25
