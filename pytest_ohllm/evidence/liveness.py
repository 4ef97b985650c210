"""Whether a run is still being written.

The process that writes a run holds a lock on its ``session.json``. The system lets go of it when
the process dies, however it dies, so a run that was killed is not taken for one that goes on.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Literal

type State = Literal["finished", "running", "interrupted"]

YOUNG = 600.0
"""Seconds: what was written so recently is left alone, as a lock may not be seen from elsewhere."""

_TRIES = 20
_PAUSE = 0.01


class Hold:
    """The lock of a process that writes a run; it goes with the process or ``release``."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = _locked(folder / "session.json")

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.release()


def state(folder: Path) -> State:
    """What the run in ``folder`` is doing."""
    if (folder / "end.json").exists():
        return "finished"
    return "running" if _is_held(folder / "session.json") else "interrupted"


def may_be_written(folder: Path, now: float | None = None) -> bool:
    """Whether it would be wrong to move or delete it: it goes on, or did minutes ago."""
    if (folder / "end.json").exists():
        return False
    now = time.time() if now is None else now
    return state(folder) == "running" or now - last_activity(folder) < YOUNG


def last_activity(folder: Path) -> float:
    """When something was last written, as a Unix time; 0 if nothing was."""
    times = [0.0]
    for name in ("events.jsonl", "session.json"):
        try:
            times.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return max(times)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock; ``None`` where the file system has no locks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    for _ in range(_TRIES):  # somebody who looks whether it is held, holds it for an instant
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except OSError:
            time.sleep(_PAUSE)
    os.close(descriptor)
    return None


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(descriptor)
