"""New profiles: one to keep, or one for a single run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import builtin, references, schema, sdk_store
from pytest_ohllm.profiles.endpoint import check_base_url
from pytest_ohllm.profiles.errors import ProfileError, suggestion
from pytest_ohllm.profiles.location import check_name, directory
from pytest_ohllm.profiles.store import load, unknown_fields

_LOCK_SECONDS = 30.0


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
    variables: Mapping[str, str],
    *,
    overwrite: bool = False,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Profile:
    """Save a profile through the SDK's store and return it as it is read back.

    ``settings`` are non-secret fields of ``LLM``; ``variables`` maps secret fields to the names of
    the environment variables that will hold them. No secret is read or written. Everything is
    checked before anything is written; raises ``ProfileError``. Imports the SDK.
    """
    key = check_name(name)
    if key in builtin.RESERVED:
        raise ProfileError(f"{key!r} is a built-in profile: choose another name")
    _check_settings(settings)
    _check_variables(variables)
    folder = directory(folder, environ)
    _check_free(folder, key, overwrite)
    wanted = {field: references.ENV + variable for field, variable in variables.items()}
    with sdk_store.prepared(settings) as save, _locked(folder):
        _check_free(folder, key, overwrite)
        # The old reference goes first: at no moment does an old key belong to a new address.
        references.write(folder, key, {})
        save(folder, key)
        references.write(folder, key, wanted)
    return load(key, folder=folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # A lock of our own: the SDK's store takes and releases its lock for each of the steps.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".ohllm.lock", timeout=_LOCK_SECONDS):
            yield
    except (OSError, Timeout) as error:
        raise ProfileError(f"cannot write to {folder}: {error}") from error


def _check_free(folder: Path, name: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(folder / f"{name}.json"):
        raise ProfileError(
            f"profile {name!r} exists in {folder}: choose another name, or --overwrite it"
        )


def _check_settings(settings: Mapping[str, Any]) -> None:
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


def _check_variables(variables: Mapping[str, str]) -> None:
    secrets = schema.installed().secrets
    for field, variable in variables.items():
        if field not in secrets:
            raise ProfileError(
                f"{field!r} is not a secret field{suggestion(field, secrets)}: "
                f"those are {', '.join(sorted(secrets))}"
            )
        option = "--api-key-env" if field == "api_key" else f"--secret-env {field}"
        references.check_variable(variable, option)
