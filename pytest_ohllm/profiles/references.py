"""Where the secrets of saved profiles are to be found: in words, never values.

A reference is ``env:VARIABLE``, ``keyring:SERVICE/NAME``, or ``file:/PATH``.

They stand in a file of their own beside the SDK's profile files, because the SDK drops what it does
not know. The name does not end in ``.json``, or the SDK would list the file as a profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

from pytest_ohllm.profiles import locks
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.files import read_object, replace_object

FILE_NAME = ".ohllm-references"
VERSION = 1
ENV = "env:"
"""Prefix of a reference to an environment variable."""
KEYRING = "keyring:"
"""Prefix of a reference to an entry of the system's keyring."""
FILE = "file:"
"""Prefix of a reference to a file that holds nothing but the secret."""
STORED = "file:"
"""The whole reference of a secret that stands in the profile's own file."""
CONNECTION = "connection:"
"""Prefix of a reference to a provider connection of the SDK, which is named by the profile."""

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


def saved_kind(reference: str) -> bool:
    """Whether ``reference`` is of a kind that the file of references may hold."""
    return any(reference.startswith(kind) and reference != kind for kind in (ENV, KEYRING, FILE))


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
    with locks.of_the_sdk(folder):
        table = read(folder)
        before = dict(table)
        table.pop(name, None)
        if references:
            table[name] = dict(references)
        if table != before:
            replace_object(folder / FILE_NAME, {"schema_version": VERSION, "profiles": table})


@contextmanager
def replaced(
    folder: Path,
    name: str,
    before: Mapping[str, str],
    meanwhile: Mapping[str, str],
    after: Mapping[str, str],
) -> Iterator[None]:
    """Change the references of ``name`` around a block that changes its file.

    At no moment does an old key belong to a new address. If the block fails, nothing has changed.
    """
    write(folder, name, meanwhile)
    try:
        yield
    except BaseException:
        write(folder, name, before)
        raise
    write(folder, name, after)
