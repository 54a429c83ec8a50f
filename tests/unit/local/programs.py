"""Programs that tests make up."""

from pathlib import Path


def program(path: Path, script: str) -> Path:
    """Write a shell script that can be run to *path*."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
