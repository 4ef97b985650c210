"""Locks on a folder of profiles: several programs may change it at once, and nothing gets lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_ohllm.profiles.errors import ProfileError

_SECONDS = 30.0


@contextmanager
def ours(folder: Path) -> Iterator[None]:
    """One command at a time. The SDK's store takes and releases its own lock for each step."""
    with _held(folder, ".ohllm.lock"):
        yield


@contextmanager
def of_the_sdk(folder: Path) -> Iterator[None]:
    """The lock of the SDK's store, for one step. It cannot be taken twice."""
    with _held(folder, ".profiles.lock"):
        yield


@contextmanager
def _held(folder: Path, name: str) -> Iterator[None]:
    lock = FileLock(folder / name, timeout=_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, Timeout) as error:
        raise ProfileError(f"cannot write to {folder}: {error}") from error
    try:
        yield
    finally:
        lock.release()
