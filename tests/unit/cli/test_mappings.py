"""`python -m sync mappings apply`: what was made, what was not, and what is left to do."""

import json

import pytest

from sync.cli.main import main
from sync.model import mappings
from sync.model.mappings import Changed


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


CHANGED = [Changed("opensearch/products.json", ["name", "size.unit"]), Changed("s/t.json", ())]
TO_REINDEX = (
    "  name, size.unit can't be changed in place: after the deploy run "
    "python -m sync reindex opensearch products\n"
)


@pytest.mark.parametrize(
    ("command", "code", "first"),
    [
        ("check", 1, "out of date: {} (run python -m sync mappings write)\n"),
        ("write", 0, "wrote {}\n"),
    ],
)
def test_a_change_that_needs_a_reindex_is_told_before_the_deploy(
    command: str,
    code: int,
    first: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the fields, and the command to run; other changes are made in place."""
    for name in ("differing", "write"):
        monkeypatch.setattr(mappings, name, lambda _: CHANGED)
    assert main(["mappings", command]) == code
    lines = [first.format("opensearch/products.json"), TO_REINDEX, first.format("s/t.json")]
    assert capsys.readouterr().out == "".join(lines)
    assert main(["mappings", command, "--json"]) == code
    assert json.loads(capsys.readouterr().out) == [
        {"file": "opensearch/products.json", "reindex": ["name", "size.unit"]},
        {"file": "s/t.json", "reindex": []},
    ]
