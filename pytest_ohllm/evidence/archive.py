"""A run as one file that can be given away: the evidence and nothing else, redacted once more.

The same run gives the same bytes: order, times and rights of what is in it are always the same.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_ohllm.evidence.check_folder import Redacts
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.files import PRIVATE_FILE, encode
from pytest_ohllm.evidence.liveness import state
from pytest_ohllm.evidence.members import RUN_ID, members
from pytest_ohllm.evidence.plain import as_json

SUFFIX = ".zip"
MOST_FILES = 50_000
LARGEST_FILE = 128 * 1024 * 1024
LARGEST_TOTAL = 1024 * 1024 * 1024
"""Of an archive; what is larger is neither written nor read."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that the format knows
_UNIX = 3
_MODE = (stat.S_IFREG | PRIVATE_FILE) << 16
_SHORTEST_HOME = 4


class Censors(Redacts, Protocol):
    """What takes secrets out, and finds those that were forgotten."""

    def contains(self, data: str | bytes, /) -> list[str]:
        """What is left in ``data``."""
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written; ``changed`` are the files from which something was taken out."""

    path: Path
    files: int
    size: int
    changed: tuple[str, ...]


def export(
    folder: Path,
    target: Path,
    censor: Censors,
    *,
    home: Path | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write the run in ``folder`` to ``target``, in one step and for its owner only.

    Paths below ``home`` are written as ``~``. Raises ``RunError``: for a run that still goes on,
    for a secret that is left, for a target that is there already, for a run that is too large.
    """
    if state(folder) == "running":
        raise RunError(f"{folder.name} is still being written: export it when it has ended")
    if not overwrite and target.exists():
        raise RunError(f"{target} exists: name another file, or replace it with --overwrite")
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                files, changed = _fill(file, folder, _Cleaner(censor, home))
            size = temporary.stat().st_size
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{target} cannot be written: {error.strerror or error}") from error
    return Exported(target, files, size, changed)


def _fill(file: object, folder: Path, cleaner: _Cleaner) -> tuple[int, tuple[str, ...]]:
    """Write the evidence in ``folder``; how many files it has, and which of them were changed."""
    root = _root(folder)
    files = total = 0
    changed, left = [], []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=False) as archive:  # type: ignore[call-overload]
        for name, path in members(folder):
            data = path.read_bytes()
            clean = cleaner.clean(name, data)
            files, total = files + 1, total + len(clean)
            if files > MOST_FILES or len(clean) > LARGEST_FILE or total > LARGEST_TOTAL:
                raise RunError(f"{folder.name} is too large for an archive, from {name} on")
            if found := {*cleaner.censor.contains(name), *cleaner.censor.contains(clean)}:
                left.append(f"{name} ({', '.join(sorted(found))})")
            if clean != data:
                changed.append(name)
            archive.writestr(_info(f"{root}/{name}"), clean)
    if left:
        shown = cleaner.censor.text("; ".join(left[:5]))
        raise RunError(f"nothing was written: a secret is left in {len(left)} files: {shown}")
    return files, tuple(changed)


def _root(folder: Path) -> str:
    """The one folder in the archive: the run's id."""
    try:
        found = str(json.loads((folder / "session.json").read_bytes())["run_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder} is not a run folder: session.json cannot be read") from error
    if not RUN_ID.fullmatch(found):
        raise RunError(f"{folder}: the run's id, {found[:40]!r}, is none that we write")
    return found


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.create_system, info.external_attr = _UNIX, _MODE
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


class _Cleaner:
    """Takes out of one file what nobody else should see."""

    def __init__(self, censor: Censors, home: Path | None) -> None:
        self.censor = censor
        text = str(home or "").rstrip("/")
        found = encode(json.dumps(text, ensure_ascii=False)[1:-1])
        usable = len(text) >= _SHORTEST_HOME
        self._home = (
            re.compile(rb"(?<![\w.~-])" + re.escape(found) + rb"(?![\w.-])") if usable else None
        )

    def clean(self, name: str, data: bytes) -> bytes:
        """The content of ``name`` without secrets; JSON stays JSON."""
        if self._home is not None:
            data = self._home.sub(b"~", data)
        text = data.decode("utf-8", "backslashreplace")
        if name.endswith(".json"):
            return encode(self._json(text, indent=1) + "\n")
        if name.endswith(".jsonl"):
            lines = (self._json(line) for line in text.split("\n") if line.strip())
            return encode("".join(f"{line}\n" for line in lines))
        return encode(self.censor.text(text))

    def _json(self, text: str, indent: int | None = None) -> str:
        try:
            return as_json(self.censor.value(json.loads(text)), indent=indent)
        except (ValueError, RecursionError):  # damaged, by a crash for example
            return self.censor.text(text.rstrip("\n"))
