"""What was noted when a check began: the test it is, and the command that runs it again."""

from __future__ import annotations

import json
from pathlib import Path


def node_id(folder: Path) -> str:
    """pytest's id of the test whose evidence is in ``folder``; empty if nobody has noted it."""
    return _noted(folder, "node")


def rerun_command(folder: Path) -> str:
    """The command that runs the check again; empty if nobody has noted it."""
    return _noted(folder, "rerun")


def _noted(folder: Path, name: str) -> str:
    try:
        found = json.loads((folder / "started.json").read_bytes()).get(name)
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
