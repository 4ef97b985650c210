"""JSON files that people edit: a mistake is told in one line, and no file is half written."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from pytest_ohllm.profiles.errors import ProfileError

_MAX_BYTES = 1_000_000  # a profile has about 2,000


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises ``FileNotFoundError`` if there is no such file, and ``ProfileError``, which never quotes
    the content, if it cannot be read as an object.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ProfileError(f"{path} is {kind}: expected a JSON file")
        if status.st_size > _MAX_BYTES:
            raise ProfileError(f"{path} has {status.st_size:,} bytes: that is no profile")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path} is not valid JSON: {_reason(error)}: correct it") from error
    if not isinstance(data, dict):
        raise ProfileError(f"{path} holds {_shape(data)}: expected a JSON object")
    return data


def replace_object(path: Path, data: dict[str, Any]) -> None:
    """Write ``data`` to ``path``, 0600: readers see the old file or the new one.

    Where ``path`` is a symbolic link, what it points to is replaced. Raises ``ProfileError``.
    """
    try:
        target = path.resolve()
        # mkstemp makes the file 0600, and os.replace keeps that.
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".ohllm-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, indent=2)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:
        raise ProfileError(f"cannot write {path}: {error}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return type(error).__name__


def _shape(data: object) -> str:
    if data is None:
        return "null"
    names = {list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(data), "a number")
