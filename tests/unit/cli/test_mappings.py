"""`python -m sync mappings apply`: what was made, what was not, and what is left to do."""

import json

import pytest

from sync.cli.main import main


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
