"""Which runs can go, and how they go."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.liveness import may_be_written
from pytest_ohllm.evidence.run_store import Entry


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stay: runs younger than ``age`` seconds, the newest ``number``, ``size`` bytes."""

    age: float | None = None
    number: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Doomed:
    """A run that is to go, how large it is, and why."""

    entry: Entry
    size: int
    why: str


def doomed(entries: Sequence[Entry], limits: Limits, now: float | None = None) -> list[Doomed]:
    """The runs that are beyond a limit, of ``entries`` from the newest to the oldest.

    A run that is still being written is never one of them, and neither is a link to a run.
    """
    now = time.time() if now is None else now
    found, total = [], 0
    for number, entry in enumerate(entries, 1):
        size = size_of(entry.path)
        total += size
        why = _why(entry, number, total, limits, now)
        if why and not entry.path.is_symlink() and not may_be_written(entry.path, now):
            found.append(Doomed(entry, size, why))
    return found


def delete(path: Path) -> None:
    """Delete the run folder ``path``. Raises ``RunError``; half a run is never left as a run."""
    if may_be_written(path):
        raise RunError(f"{path.name} has begun to be written again, and stays")
    aside = path.with_name(f".pruned-{secrets.token_hex(6)}")
    try:
        path.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise RunError(f"{path} cannot be deleted: {error.strerror or error}") from error


def size_of(folder: Path) -> int:
    """Bytes of the files in ``folder``; links count for nothing."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def _why(entry: Entry, number: int, total: int, limits: Limits, now: float) -> str | None:
    if limits.age is not None and (age := now - _started(entry)) > limits.age:
        return f"it is {age / 86_400:.0f} days old"
    if limits.number is not None and number > limits.number:
        return f"{limits.number} newer ones stay"
    if limits.size is not None and total > limits.size:
        return "newer ones take the space"
    return None


def _started(entry: Entry) -> float:
    try:
        return datetime.fromisoformat(entry.started).timestamp()
    except ValueError:
        return entry.path.stat().st_mtime
