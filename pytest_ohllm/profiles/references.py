"""Where the secrets of saved profiles are to be found: names of variables, never values.

They stand in a file of their own beside the SDK's profile files, because the SDK drops what it does
not know. The name does not end in ``.json``, or the SDK would list the file as a profile.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from filelock import FileLock, Timeout

from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.files import read_object

FILE_NAME = ".ohllm-references"
VERSION = 1
ENV = "env:"
"""Prefix of a reference to an environment variable."""
STORED = "file:"
"""The reference of a secret that stands, as plain text, in the profile's own file."""

_LOCK_SECONDS = 30.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY_PREFIX = re.compile(
    r"(sk[-_]|gsk_|AIza|xai-|hf_|gh[a-z]_|github_pat_|AKIA|ASIA|pplx-|nvapi-|r8_|eyJ)"
)
_DENSE = re.compile(r"(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{20,}")


def check_variable(name: str, option: str) -> str:
    """``name`` if it can be an environment variable and does not look like a key itself.

    Raises ``ProfileError`` without repeating what was given: it may be the secret.
    """
    keylike = len(name) > 64 or _KEY_PREFIX.match(name) or _DENSE.fullmatch(name)
    if keylike or not _VARIABLE.fullmatch(name):
        raise ProfileError(
            f"{option}: give the NAME of an environment variable, not the key "
            "(letters, digits and '_' only, such as MY_KEY)"
        )
    return name


def read(folder: Path) -> dict[str, dict[str, str]]:
    """The references of every profile in ``folder``: profile name -> field -> reference.

    Raises ``ProfileError`` if the file is there and cannot be understood.
    """
    path = folder / FILE_NAME
    try:
        data = read_object(path)
    except FileNotFoundError:
        return {}
    version = data.get("schema_version")
    if version != VERSION:
        raise ProfileError(
            f"{path}: schema_version is {version!r}, this version of pytest-ohllm reads {VERSION}: "
            "update it, or delete the file and add the profiles again"
        )
    profiles = data.get("profiles")
    if not _is_table(profiles):
        raise ProfileError(
            f'{path}: expected {{"profiles": {{name: {{field: reference}}}}}}: '
            "delete the file and add the profiles again"
        )
    return {name: dict(fields) for name, fields in profiles.items()}


def _is_table(value: Any) -> TypeGuard[dict[str, dict[str, str]]]:
    return isinstance(value, dict) and all(
        isinstance(fields, dict) and all(isinstance(text, str) for text in fields.values())
        for fields in value.values()
    )


def write(folder: Path, name: str, references: Mapping[str, str]) -> None:
    """Replace the references of profile ``name``; with none, forget it. Atomic, 0600.

    Raises ``ProfileError`` if the file cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".profiles.lock", timeout=_LOCK_SECONDS):  # the SDK store's own
            table = read(folder)
            before = dict(table)
            table.pop(name, None)
            if references:
                table[name] = dict(references)
            if table != before:
                _replace(folder / FILE_NAME, {"schema_version": VERSION, "profiles": table})
    except (OSError, Timeout) as error:
        raise ProfileError(f"cannot write {folder / FILE_NAME}: {error}") from error


def _replace(path: Path, data: dict[str, Any]) -> None:
    # mkstemp makes the file 0600, and os.replace keeps that.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=2, sort_keys=True)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
