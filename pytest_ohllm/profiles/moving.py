"""Removing and renaming profiles, with what the keyring holds for them. Without the SDK.

A broken profile can be removed and renamed, too: its content is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_ohllm.profiles import keyring_entries, locks, references, sources
from pytest_ohllm.profiles.creation import check_new_name
from pytest_ohllm.profiles.editing import check_saved_name
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.location import directory
from pytest_ohllm.profiles.store import unknown_profile


@dataclass(frozen=True)
class Removed:
    """What is gone, and which keyring entries are still there."""

    name: str
    keyring_deleted: tuple[str, ...]
    keyring_left: tuple[str, ...]


def find(name: str, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """The file of the saved profile ``name``, broken or not. Raises ``ProfileError``."""
    key = check_saved_name(name)
    folder = directory(folder, environ)
    path = folder / f"{key}.json"
    if not os.path.lexists(path):
        raise unknown_profile(key, folder)
    return path


def remove(
    name: str,
    *,
    keep_keys: bool = False,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Removed:
    """Delete a profile and, unless ``keep_keys``, what the keyring holds for it.

    A keyring that is locked is a ``ProfileError`` before anything is deleted.
    """
    path = find(name, folder, environ)
    folder, key = path.parent, path.stem
    with locks.ours(folder):
        entries = _own_entries(references.read(folder).get(key, {})).values()
        for entry in () if keep_keys else entries:
            _check_deletable(entry)
        try:
            with locks.of_the_sdk(folder):
                path.unlink()
        except FileNotFoundError:
            raise unknown_profile(key, folder) from None
        except OSError as error:
            raise ProfileError(f"cannot remove {path}: {error.strerror or error}") from error
        references.write(folder, key, {})
    left = list(entries) if keep_keys else sources.discard(entries)
    deleted = tuple(entry for entry in entries if entry not in left)
    return Removed(key, deleted, tuple(left))


def rename(
    old: str,
    new: str,
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Give a profile another name, which is returned; its keyring entries move with it.

    Raises ``ProfileError`` if the name is taken, or the keyring cannot be used.
    """
    path = find(old, folder, environ)
    folder, target = path.parent, path.with_name(f"{check_new_name(new)}.json")
    if path == target:
        raise ProfileError(f"profile {path.stem!r} has that name already: give another one")
    with locks.ours(folder):
        had = references.read(folder).get(path.stem, {})
        moved = _stored_again(_own_entries(had), target.stem)
        try:
            _rename(path, target, had | moved)
        except BaseException:
            sources.discard(moved.values())
            raise
    sources.discard(_own_entries(had).values())
    return target.stem


def _rename(path: Path, target: Path, refs: Mapping[str, str]) -> None:
    """Move the file, between references for the new name and none for the old one."""
    folder = path.parent
    if os.path.lexists(target):
        raise ProfileError(f"profile {target.stem!r} exists in {folder}: choose another name")
    references.write(folder, target.stem, refs)
    try:
        with locks.of_the_sdk(folder):
            if os.path.lexists(target):
                raise ProfileError(f"profile {target.stem!r} exists by now: choose another name")
            path.rename(target)
    except BaseException as error:
        references.write(folder, target.stem, {})
        if isinstance(error, OSError):
            raise ProfileError(f"cannot rename {path}: {error.strerror or error}") from error
        raise
    references.write(folder, path.stem, {})


def _own_entries(refs: Mapping[str, str]) -> dict[str, str]:
    own = f"{references.KEYRING}{keyring_entries.SERVICE}/"
    return {field: text for field, text in refs.items() if text.startswith(own)}


def _check_deletable(entry: str) -> None:
    try:
        keyring_entries.fetch(entry)
    except ProfileError as error:
        raise ProfileError(f"{error}; --keep-keys leaves the entry where it is") from error


def _stored_again(entries: Mapping[str, str], name: str) -> dict[str, str]:
    """The entries under the new name; one that is missing stays missing."""
    moved: dict[str, str] = {}
    try:
        for field, reference in entries.items():
            value = keyring_entries.fetch(reference)
            if value is not None:
                moved[field] = keyring_entries.store(f"{name}.{field}", value)
    except BaseException:
        sources.discard(moved.values())
        raise
    return moved
