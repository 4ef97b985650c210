"""A secret in a file of its own, for those who ask for it: readable by its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pytest_ohllm.profiles.errors import ProfileError

_MAX_BYTES = 64_000
_OTHERS = 0o077


def read(path: Path, option: str | None = None) -> str:
    """The secret in ``path``, without the line break at its end.

    Raises ``ProfileError``, which never quotes the content, if it cannot be read, is no regular
    file, or others than its owner may read or write it. ``option`` is what named it.
    """
    about = f"{option}: {path}" if option else f"the key file {path}"
    try:
        # Not blocking: a named pipe would wait for its writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            _check(os.fstat(file.fileno()), about, path)
            text = file.read().decode("utf-8")
    except OSError as error:
        raise ProfileError(f"{about} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ProfileError(f"{about} is not UTF-8: expected a file that holds one key") from error
    return text.removesuffix("\n").removesuffix("\r")


def _check(status: os.stat_result, about: str, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ProfileError(f"{about} is not a regular file: expected a file that holds one key")
    if status.st_size > _MAX_BYTES:
        raise ProfileError(f"{about} has {status.st_size:,} bytes: that is no key")
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise ProfileError(
            f"{about} may be used by others (mode {mode:04o}, expected 0600): "
            f"chmod 600 {path}, and change the key if others were there"
        )
