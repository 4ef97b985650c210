"""Profiles in a file for another machine: settings and references, never a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_ohllm.profiles import builtin, confidential, references
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.location import directory
from pytest_ohllm.profiles.store import load, names

KIND = "pytest-ohllm profiles"
VERSION = 1


def exported(
    wanted: Iterable[str],
    *,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The saved profiles of these names, all without any, as one JSON object.

    What a setting holds of a secret is left out, and named in ``left_out``, as is a secret that
    only this machine has. Raises ``ProfileError`` for a profile that cannot be read.
    """
    folder = directory(folder, environ)
    chosen = list(wanted) or names(folder)
    if not chosen:
        raise ProfileError(f"there are no profiles in {folder}: add one first")
    return {
        "kind": KIND,
        "schema_version": VERSION,
        "profiles": [_exported(name, folder) for name in chosen],
    }


def _exported(name: str, folder: Path) -> dict[str, Any]:
    if builtin.is_simulator(name):
        raise ProfileError(f"{name!r} is built in everywhere: name saved profiles")
    profile = load(name, folder=folder)
    settings, left_out = confidential.without(profile.settings)
    if settings.pop("provider_connection_id", None) is not None:
        left_out.append("provider_connection_id")
    portable = {
        field: reference
        for field, reference in profile.secrets.items()
        if reference.startswith(references.ENV)
    }
    left_out += sorted(profile.secrets.keys() - portable.keys())
    return {
        "name": profile.name,
        "settings": settings,
        "secrets": portable,
        "left_out": left_out,
    }
