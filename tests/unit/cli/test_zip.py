"""The command line is for people's machines: no function is shipped with it."""

import re
from pathlib import Path

from local import package
from sync import commands
from tests.unit.test_layers import ROOT, imported


def test_the_zip_has_commands_and_no_command_line(tmp_path: Path) -> None:
    """Nothing in it imports what is left out, or what only the command line needs."""
    package._copy_own(ROOT, tmp_path)
    shipped = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*.py")}
    assert [path for path in shipped if path.startswith(package.FOR_PEOPLE)] == []
    for name in commands.names():
        assert f"sync/commands/{name.replace(' ', '_')}.py" in shipped
    away = re.compile(r"(sync\.cli|rich|local|tests)\b")
    assert [(p, m) for p, text in shipped.items() for m in imported(text) if away.match(m)] == []


def test_what_draws_answers_is_no_requirement_of_functions() -> None:
    """It is one of whoever clones the repository."""
    assert not re.search(r"^rich==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    development = (ROOT / "requirements" / "dev.txt").read_text()
    assert re.search(r"^rich==.*\\\n +--hash=", development, re.MULTILINE)
