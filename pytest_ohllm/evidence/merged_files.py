"""The evidence of one run copied into another, under names that are free there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ohllm.evidence.check_folder import json_document
from pytest_ohllm.evidence.files import make_folder, replace_file
from pytest_ohllm.evidence.members import members
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.slug import slug
from pytest_ohllm.model import Run


def copy_evidence(source: Path, run: Run, names: Mapping[str, str], target: Path) -> None:
    """Copy what the run in ``source`` has observed to ``target``.

    ``names`` maps the names of its profiles to new ones. What describes the run as a whole is not
    copied.
    """
    slugs = {slug(name): (name, new) for name, new in names.items()}
    for profile in run.profiles:  # of a name that was redacted, the folder is called otherwise
        for check in profile.checks:
            slugs.setdefault(check.folder.split("/")[1], (profile.name, names[profile.name]))
    for relative, path in members(source):
        parts = relative.split("/")
        if relative == "events.jsonl":
            _append_events(path, target / relative, run.run_id, names)
        elif parts[0] == "hosts" and not (target / relative).exists():
            put(target / relative, path.read_bytes())
        elif parts[0] == "profiles":
            old, new = slugs.get(parts[1], (parts[1], parts[1]))
            data = path.read_bytes()
            if new != old:
                parts[1] = slug(new)
                data = _renamed(path.name, data, old, new)
            put(target.joinpath(*parts), data)


def put(path: Path, data: bytes) -> None:
    """Write a file, and the folders above it."""
    make_folder(path.parent)
    replace_file(path, data)


def _renamed(file: str, data: bytes, old: str, new: str) -> bytes:
    """A record that names its profile, with the new name."""
    if not file.endswith(".json"):
        return data
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(found, dict) or found.get("profile") != old:
        return data
    return json_document({**found, "profile": new}, Redactor())


def _append_events(path: Path, target: Path, run_id: str, names: Mapping[str, str]) -> None:
    """The events of a run after those of the others: each names its run."""
    lines = []
    for line in path.read_bytes().split(b"\n"):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            name = found.get("profile")
            told = {"profile": names.get(name, name)} if isinstance(name, str) else {}
            record: dict[str, Any] = {**found, **told, "run": run_id}
            lines.append(json.dumps(record, ensure_ascii=False).encode())
    before = target.read_bytes() if target.exists() else b""
    put(target, before + b"".join(line + b"\n" for line in lines))
