"""`python -m sync`: tables for people, JSON for programs, and exit codes for both."""

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sync import commands
from sync.cli import front
from sync.cli.main import main
from sync.errors import ConfigError
from tests.doubles.account import Account
from tests.doubles.trouble import SOUND, one_letter
from tests.records import PRODUCTS
from tests.unit.commands.test_status import metric

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


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        (["dlq", "list"], "rows"),
        (["dlq", "replay", "--all", "--dry-run"], "results"),
        (["dlq", "replay", "--model", "Product"], "results"),
        (["dlq", "discard", "--sink", "opensearch", "--reason", "x"], "results"),
        (["dlq", "discard", "--all", "--reason", "x", "--dry-run"], "results"),
        (["resync", "--table", PRODUCTS], "counts"),
        (
            ["resync", "--table", PRODUCTS, *(f"--key=productId=p{n}" for n in range(1, 6))],
            "counts",
        ),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_a_limited_run_goes_on_from_its_cursor(
    words: list[str], counted: str, account: Account, sync: Sync
) -> None:
    """Which people are told last, and programs in the same line as the rest."""
    for number in range(1, 6):
        account.put(f"p{number}", **SOUND)
        one_letter(account, f"p{number}", number)
    _, out = sync(*words, "--limit", "1")
    more = shlex.split(out.splitlines()[-1])
    assert more[:-1] == ["there", "is", "more:", "the", "same", "with", "--cursor"]
    sizes, cursor = [1], more[-1]
    while cursor is not None:
        code, out = sync(*words, "--limit", "3", "--json", "--cursor", cursor)
        assert code == 0
        answer = json.loads(out)
        found, cursor = answer[counted], answer["cursor"]
        sizes.append(sum(found.values()) if counted == "counts" else len(found))
    assert sizes == [1, 3, 1]
    assert "there is more" not in sync(*words)[1]


def test_discards_are_chosen_as_replays_are(account: Account, sync: Sync) -> None:
    """By id, by filters, or all; a dry run says which."""
    for number in range(1, 4):
        one_letter(account, f"p{number}", number)
    account.consume("noise")
    why = ["--reason", "test data"]
    assert sync("dlq", "discard", "--kind", "unknown", *why) == (0, "1 discarded\n")
    dry = sync("dlq", "discard", "--model", "Product", "--dry-run", *why)
    assert dry == (0, "3 would be discarded\n")
    assert sync("dlq", "discard", "--model", "Product", *why) == (0, "3 discarded\n")
    assert sync("dlq", "discard", "--all", *why) == (0, "there was nothing to do\n")
    assert account.rows() == []


GREET = '''
from pydantic import Field
from sync.commands.parts.command import Command

class Greet(Command):
    """Greet somebody."""

    name: str = Field(description="whom")
    often: bool = Field(False, description="twice")

    def run(self, service, deadline):
        return {"said": f"hello {self.name}" * (1 + self.often), "stage": service.config.stage}
'''


def test_a_new_command_is_one_file(
    sync: Sync,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With flags, help, errors, and an answer that is drawn plainly."""
    (tmp_path / "greet.py").write_text(GREET)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "sync.commands.greet", None)  # forgotten when the test ends
    del sys.modules["sync.commands.greet"]
    assert sync("greet", "--name", "Ada") == (0, "said   hello Ada\nstage  test\n")
    assert json.loads(sync("greet", "--name", "A", "--often", "--json")[1])["said"] == "hello A" * 2
    with pytest.raises(SystemExit):
        sync("--help")
    assert "greet     Greet somebody\n" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="greet does not take nam; it takes name, often"):
        commands.load("greet").read({"nam": "Ada"})


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
