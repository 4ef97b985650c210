"""Changing a saved profile: what is not mentioned stays as it is, unknown fields included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_ohllm.profiles import builtin, locks, references, schema, sdk_store, sources
from pytest_ohllm.profiles.creation import check_settings
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.files import read_object, replace_object
from pytest_ohllm.profiles.location import check_name, directory
from pytest_ohllm.profiles.sources import Sources
from pytest_ohllm.profiles.store import read_profile, unknown_fields


def edit(
    name: str,
    changes: Mapping[str, Any],
    unset: Iterable[str],
    secrets: Sources,
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Set ``changes``, take back ``unset``, and have secrets come from ``secrets``.

    All fields are validated together by the SDK before anything is written. A keyring entry that
    nothing refers to any more is deleted, after the new one is in its place. Raises
    ``ProfileError``. Imports the SDK.
    """
    key = check_saved_name(name)
    folder = directory(folder, environ)
    path = folder / f"{key}.json"
    gone = frozenset(unset)
    sources.check(secrets)
    before = read_profile(folder, key)
    after = _merged(before, changes, gone, path)  # without the lock, since it imports the SDK
    with locks.ours(folder):
        if (now := read_profile(folder, key)) != before:
            before, after = now, _merged(now, changes, gone, path)
        had = references.read(folder).get(key, {})
        kept = {field: text for field, text in had.items() if field not in gone | secrets.keys()}
        placed = sources.place(secrets, key)
        try:
            with references.replaced(folder, key, had, kept, kept | placed):
                _write(path, before, after)
        except BaseException:
            sources.discard(placed.values())
            raise
        sources.discard(text for field, text in had.items() if field not in kept)


def check_saved_name(name: str) -> str:
    """The key that ``name`` addresses; ``ProfileError`` for what is built in."""
    if builtin.is_simulator(name) or name == builtin.ADHOC:
        raise ProfileError(f"{name!r} is a built-in profile, which is not saved: name another one")
    return check_name(name)


def _merged(
    before: Mapping[str, Any],
    changes: Mapping[str, Any],
    gone: frozenset[str],
    path: Path,
) -> dict[str, Any]:
    """The new content of the file. Raises ``ProfileError`` unless the SDK takes all of it."""
    known = schema.installed()
    if unknown := sorted(gone - known.fields - before.keys()):
        raise ProfileError(f"--unset: {unknown_fields(unknown, known)}, and neither has {path}")
    if fixed := sorted(gone & known.derived):
        raise ProfileError(f"--unset: {fixed[0]} is no setting: leave it as it is")
    kept = {k: v for k, v in before.items() if k not in gone and k not in changes}
    if not changes and gone <= known.secrets:
        return kept  # nothing that the SDK would judge
    settings = {k: kept[k] for k in kept.keys() & (known.fields - known.secrets)} | dict(changes)
    check_settings(settings)
    if "base_url" in changes and settings.get("provider_connection_id"):
        raise ProfileError(
            "the address comes from the profile's provider connection: change it there, or add "
            "--unset provider_connection_id"
        )
    return kept | sdk_store.validated(settings, changes)


def _write(path: Path, before: Mapping[str, Any], after: dict[str, Any]) -> None:
    if after == before:
        return
    with locks.of_the_sdk(path.parent):
        try:
            now = read_object(path)
        except FileNotFoundError:
            now = {}
        if now != before:
            raise ProfileError(f"{path} was changed by another program just now: try again")
        replace_object(path, after)
