"""Stage files that are written by a program: of the local stack, and of tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sync.stages.files import path_of

TABLES: Final = {
    "core": {"keys": {"PK": "S", "SK": "S"}},
    "products": {"keys": {"productId": "S"}},
}


def local(typesense_url: str, **more: Any) -> dict[str, Any]:
    """The stage of this machine. *more* replaces sections."""
    return {
        "tables": TABLES,
        "opensearch": {"timeout_s": 3},
        "typesense": {"url": typesense_url, "timeout_s": 3},
        "log_level": "DEBUG",
        "keep_data": False,
        **more,
    }


def write(folder: Path, stage: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Write the file of *stage* to *folder*; returns what osls needs to find it there."""
    folder.mkdir(parents=True, exist_ok=True)
    path_of(stage, folder).write_text(json.dumps(content, indent=1))  # JSON is YAML, too
    return {"STREAM_SYNC_STAGES": str(folder)}
