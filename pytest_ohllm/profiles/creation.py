"""New profiles: one to keep, or one for a single run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import builtin, locks, references, schema, sdk_store, sources
from pytest_ohllm.profiles.endpoint import check_base_url
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.location import check_name, directory
from pytest_ohllm.profiles.sources import Source, Variable
from pytest_ohllm.profiles.store import load, unknown_fields


def adhoc(model: str, base_url: str | None = None, api_key_env: str | None = None) -> Profile:
    """A profile that is not saved, named ``adhoc``; without ``api_key_env`` it uses no key.

    Raises ``ProfileError`` if ``api_key_env`` is no name of a variable, or something is empty, as
    an unset variable of a shell makes it. Whether the address makes sense is for the run to say.
    """
    for option, value in (("--llm-model", model), ("--llm-base-url", base_url)):
        if value is not None and not value.strip():
            raise ProfileError(f"{option} is empty: give a value, or leave the option out")
    settings = {"model": model} | ({} if base_url is None else {"base_url": base_url})
    secrets = {}
    if api_key_env is not None:
        variable = references.check_variable(api_key_env, "--llm-api-key-env")
        secrets["api_key"] = references.ENV + variable
    return Profile(name=builtin.ADHOC, settings=settings, secrets=secrets, source="command line")


def add(
    name: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, Source | str],
    *,
    overwrite: bool = False,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Profile:
    """Save a profile through the SDK's store and return it as it is read back.

    ``settings`` are non-secret fields of ``LLM``; ``secrets`` maps its secret fields to where they
    come from, text being the name of an environment variable. Everything is checked before
    anything is written; raises ``ProfileError``. Imports the SDK.
    """
    key = check_new_name(name)
    check_settings(settings)
    wanted = {f: Variable(s) if isinstance(s, str) else s for f, s in secrets.items()}
    sources.check(wanted)
    folder = directory(folder, environ)
    _check_not_taken(folder, key, overwrite)
    save = sdk_store.prepared(settings)
    with locks.ours(folder):
        _check_not_taken(folder, key, overwrite)
        before = references.read(folder).get(key, {})
        placed = sources.place(wanted, key)
        try:
            with references.replaced(folder, key, before, {}, placed):
                save(folder, key)
        except BaseException:
            sources.discard(placed.values())
            raise
    sources.discard(before.values())
    return load(key, folder=folder)


def check_new_name(name: str) -> str:
    """The key that ``name`` addresses; ``ProfileError`` if no profile can be saved under it."""
    key = check_name(name)
    if key in builtin.RESERVED:
        raise ProfileError(f"{key!r} is a built-in profile: choose another name")
    return key


def check_free(name: str, overwrite: bool = False) -> None:
    """Raise ``ProfileError`` if no profile can be added under ``name``, before anybody is asked."""
    _check_not_taken(directory(), check_new_name(name), overwrite)


def _check_not_taken(folder: Path, name: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(folder / f"{name}.json"):
        raise ProfileError(
            f"profile {name!r} exists in {folder}: choose another name, or --overwrite it"
        )


def check_valid(settings: Mapping[str, Any]) -> None:
    """Raise ``ProfileError`` unless a profile with these settings can be saved. Imports the SDK."""
    check_settings(settings)
    sdk_store.prepared(settings)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise ``ProfileError`` unless these are non-secret fields of ``LLM`` with a sane address."""
    known = schema.installed()
    if secret := sorted(settings.keys() & known.secrets):
        option = "--api-key-env VAR" if secret[0] == "api_key" else f"--secret-env {secret[0]}=VAR"
        raise ProfileError(
            f"{secret[0]} is a secret and is not saved: name the environment variable that holds "
            f"it with {option}"
        )
    if unknown := sorted(settings.keys() - known.fields):
        raise ProfileError(unknown_fields(unknown, known))
    if problem := check_base_url(settings.get("base_url"), str(settings.get("model") or "")):
        raise ProfileError(problem)
