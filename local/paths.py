"""Where the local stack writes, and which user its servers run as."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"  # logs and results of this clone; safe to delete when the stack is down


def server_user() -> str | None:
    """The user to run servers as, None for our own. Root uses nobody: OpenSearch refuses root."""
    return "nobody" if os.geteuid() == 0 else None


def reachable(path: Path) -> bool:
    """Whether the server user can enter *path*, which may not exist yet."""
    if server_user() is None:
        return True
    path = path.resolve()
    return all(p.stat().st_mode & 0o001 for p in (path, *path.parents) if p.exists())
