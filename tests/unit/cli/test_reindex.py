"""`python -m sync reindex …`: people wait for it, and see what it waits for."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sync.cli import front
from sync.cli.main import main
from tests.doubles.account import Account
from tests.doubles.shadowed import Shadowed
from tests.unit.runs.harness import Line

Reindex = Callable[..., tuple[int, str]]


@pytest.fixture
def line(account: Account) -> Line:
    account.memory = Shadowed()
    line = Line(account)
    line.put("a", "b", "c")
    return line


@pytest.fixture
def reindex(
    line: Line, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Reindex:
    """The command line on the account, whose workers go on between two looks."""
    monkeypatch.setattr("sync.cli.reindex.time.sleep", lambda _: line.step())

    def run(*arguments: str) -> tuple[int, str]:
        def carry_out(payload: Mapping[str, Any]) -> dict[str, Any]:
            return line.account.call(**payload)

        capsys.readouterr()
        of = ("reindex", "opensearch", "products", *arguments)
        return front.call(lambda: main(of, carry_out)), capsys.readouterr().out

    return run


def test_it_goes_on_until_readers_see_the_next_place(line: Line, reindex: Reindex) -> None:
    """And back, and until there is one place alone."""
    note = "is written to as well, until `reindex … --drop`\n"
    swapped = f"products: readers see products-v2\nproducts-v1 {note}"
    assert reindex() == (0, swapped)
    assert reindex("--rollback") == (
        0,
        f"products: readers see products-v1 again\nproducts-v2 {note}",
    )
    assert reindex() == (0, swapped)
    assert reindex("--drop") == (0, "products: readers see products-v2, and there is no other\n")
    assert reindex("--drop")[0] == 2


def test_programs_get_the_last_answer(reindex: Reindex) -> None:
    """As one line of JSON."""
    code, out = reindex("--json")
    assert (code, out.count("\n")) == (0, 1)
    assert json.loads(out)["phase"] == "swapped"


def test_it_does_not_wait_for_a_backfill_that_is_paused(line: Line, reindex: Reindex) -> None:
    """It says how to let it go on."""
    begun = line.account.call("reindex", sink="opensearch", target="products")
    id_ = begun["runs"][0]["id"]
    line.account.call("backfill pause", id=id_)
    assert reindex() == (1, f"paused: {id_}; `backfill resume` lets it go on\n")
    assert reindex("--json")[0] == 1


def test_what_differs_again_and_again_is_shown(
    line: Line, reindex: Reindex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person has to look at it; readers see the old place."""
    memory = line.account.memory
    assert isinstance(memory, Shadowed)
    resync = line.account.call

    def spoiled(command: str, **payload: Any) -> dict[str, Any]:
        memory.documents.pop(("products-v2", "b"), None)
        return resync(command, **payload)

    monkeypatch.setattr(line.account, "call", spoiled)
    code, out = reindex()
    assert code == 1
    assert out.startswith("1 documents of products-v2 still differ\n")
    assert "products/b" in out
    assert memory.places("products").live == "products-v1"
