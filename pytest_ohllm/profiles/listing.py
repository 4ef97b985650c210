"""All profiles at a glance. One that is broken is shown as broken, and never hides the others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import builtin, references, secret_values
from pytest_ohllm.profiles.confidential import shown_url
from pytest_ohllm.profiles.connection import missing_key, resolve
from pytest_ohllm.profiles.endpoint import check_base_url
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.location import directory
from pytest_ohllm.profiles.store import load, names

KeyState = Literal["set", "not set", "stored", "encrypted", "not asked", "not needed", "missing"]
"""Of a secret: it is where its reference says or not, it stands in a file of the SDK, plain or
encrypted, the keyring was not asked, none is needed, or none is named although one is needed."""


@dataclass(frozen=True)
class Secret:
    """Where one secret field comes from, and whether it is there now; never its value."""

    field: str
    reference: str
    state: KeyState


@dataclass(frozen=True)
class Entry:
    """One profile of the list. ``model`` is empty if the file could not be understood.

    ``base_url`` is fit to be shown; ``problem`` says in one line why it cannot be used now.
    """

    name: str
    model: str
    base_url: str | None
    key: KeyState
    secrets: tuple[Secret, ...]
    source: str
    problem: str | None


def listing(folder: Path | None = None, environ: Mapping[str, str] | None = None) -> list[Entry]:
    """Every saved profile by name, then ``sim``. Raises nothing for a profile that is broken.

    The keyring is not asked.
    """
    environ = os.environ if environ is None else environ
    folder = directory(folder, environ)
    found = [saved(name, folder, environ) for name in names(folder)]
    return [*found, entry(load(builtin.SIM), environ)]


def folder_problem(folder: Path) -> str | None:
    """Why nobody can tell which profiles ``folder`` holds, in one line; one may be missing."""
    try:
        os.scandir(folder).close()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{folder} cannot be listed: {error.strerror or error}"
    return None


def saved(name: str, folder: Path, environ: Mapping[str, str]) -> Entry:
    """The entry of a saved profile, which says what is wrong if it is broken."""
    path = str(folder / f"{name}.json")
    if name == builtin.SIM:
        return _broken(name, path, "hidden by the built-in profile of the same name: rename it")
    if name.endswith(".json"):  # to the SDK, that name means another file
        return _broken(name, path, "cannot be addressed, since '.json' is cut off: rename it")
    try:
        return entry(load(name, folder=folder), environ, keyring=False)
    except ProfileError as error:
        return _broken(name, path, str(error))


def _broken(name: str, source: str, problem: str) -> Entry:
    return Entry(name, "", None, "missing", (), source, problem)


def entry(profile: Profile, environ: Mapping[str, str], *, keyring: bool = True) -> Entry:
    """What can be said about a profile without connecting to it.

    Without ``keyring``, the system's keyring is left alone: it may ask its user to unlock it.
    """
    secrets = tuple(
        Secret(name, reference, _state(profile, name, environ, keyring))
        for name, reference in sorted(profile.secrets.items())
    )
    return Entry(
        name=profile.name,
        model=profile.model,
        base_url=None if profile.base_url is None else shown_url(profile.base_url),
        key=_key(profile, secrets),
        secrets=secrets,
        source=profile.source,
        problem=_problem(profile, environ, keyring),
    )


def _state(profile: Profile, field: str, environ: Mapping[str, str], keyring: bool) -> KeyState:
    reference = profile.secrets[field]
    if reference == references.STORED or reference.startswith(references.CONNECTION):
        return "encrypted" if secret_values.is_encrypted(profile, field) else "stored"
    if reference.startswith(references.ENV):
        return "set" if environ.get(reference.removeprefix(references.ENV)) else "not set"
    if reference.startswith(references.KEYRING) and not keyring:
        return "not asked"
    try:
        secret_values.value(profile, field, environ)
    except ProfileError:
        return "not set"
    return "set"


def _key(profile: Profile, secrets: tuple[Secret, ...]) -> KeyState:
    if not secrets:
        return "missing" if missing_key(profile) else "not needed"
    return next((s.state for s in secrets if s.state == "not set"), secrets[0].state)


def _problem(profile: Profile, environ: Mapping[str, str], keyring: bool) -> str | None:
    try:
        resolve(profile, environ, keyring=keyring)
    except ProfileError as error:
        return str(error)
    return check_base_url(profile.base_url, profile.model)
