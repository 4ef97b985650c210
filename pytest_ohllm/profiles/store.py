"""Saved profiles: the SDK's own files, read directly.

A profile file is plain JSON that the SDK writes with an atomic replace, so no lock is needed to
read it and nothing of the SDK has to be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import builtin, references, schema, sdk_secrets
from pytest_ohllm.profiles.errors import ProfileError, enumerated, suggestion
from pytest_ohllm.profiles.files import read_object
from pytest_ohllm.profiles.location import check_name, directory

MASKED = "**********"
"""What the SDK writes in place of a secret."""


def load(
    name: str, *, folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> Profile:
    """The profile called ``name``: a built-in one (``sim``, ``sim:PERSONALITY``), or a saved one.

    ``folder`` overrides where saved profiles are looked for (see ``location.directory``). The
    values of fields are not judged here: the SDK does that when it builds the ``LLM``. Raises
    ``ProfileError`` if there is no such profile, or its file is not one.
    """
    if builtin.is_simulator(name):
        return builtin.simulated(name)
    key = check_name(name)
    folder = directory(folder, environ)
    data = read_profile(folder, key)
    return _profile(key, folder / f"{key}.json", data, references.read(folder).get(key, {}))


def read_profile(folder: Path, key: str) -> dict[str, Any]:
    """The content of the profile's file. Raises ``ProfileError``, also if there is none."""
    path = folder / f"{key}.json"
    try:
        return read_object(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise ProfileError(f"{path} is a link to a file that does not exist") from None
        raise unknown_profile(key, folder) from None


def names(folder: Path) -> list[str]:
    """Names of the profile files in ``folder``, sorted; none if the folder cannot be read."""
    try:
        return sorted(
            path.name.removesuffix(".json")
            for path in folder.iterdir()
            if path.name.endswith(".json") and not path.name.startswith(".")
        )
    except OSError:
        return []


def unknown_profile(name: str, folder: Path) -> ProfileError:
    """The complaint about a name that no profile has, with the nearest that one has."""
    known = [*names(folder), builtin.SIM]
    return ProfileError(
        f"there is no profile {name!r} in {folder}{suggestion(name, known)}: "
        f"known are {enumerated(known)}; `ohllm profiles add {name} --model …` makes one"
    )


def _profile(name: str, path: Path, data: dict[str, Any], refs: Mapping[str, str]) -> Profile:
    known = schema.installed()
    _check_version(path, data, known)
    _check_fields(path, data, known)
    model = data.get("model")
    if not isinstance(model, str) or not model.strip():
        raise ProfileError(f'{path} names no model: add one, such as "model": "openai/gpt-4o"')
    _check_references(name, refs, known)
    settings = {k: v for k, v in data.items() if k in known.fields - known.secrets}
    stored = _stored(path, data, known)
    if settings.get("provider_connection_id"):
        stored |= _shared(name, path.parent, settings)
    return Profile(name=name, settings=settings, secrets=stored | dict(refs), source=str(path))


def _shared(name: str, folder: Path, settings: dict[str, Any]) -> dict[str, str]:
    """Take the address from the profile's provider connection, as the SDK does, and its key."""
    connection_id = str(settings["provider_connection_id"])
    connection = sdk_secrets.provider_connection(folder, connection_id, name)
    settings.pop("base_url", None)
    if connection.base_url is not None:
        settings["base_url"] = connection.base_url
    return {"api_key": references.CONNECTION + connection_id} if connection.has_key else {}


def _check_version(path: Path, data: Mapping[str, Any], known: schema.Schema) -> None:
    version = data.get("schema_version") or 0
    if type(version) is not int:
        raise ProfileError(f"{path}: schema_version is {version!r}, expected a whole number")
    if version > known.version:
        raise ProfileError(
            f"{path}: schema_version is {version}, the installed openhands-sdk reads up to "
            f"{known.version}: update openhands-sdk"
        )


def _check_fields(path: Path, data: Mapping[str, Any], known: schema.Schema) -> None:
    if unknown := sorted(data.keys() - known.keys):
        raise ProfileError(
            f"{path}: {unknown_fields(unknown, known)}: correct or remove "
            f"{'it' if len(unknown) == 1 else 'them'}"
        )


def unknown_fields(unknown: list[str], known: schema.Schema) -> str:
    """The complaint about fields that ``LLM`` does not have, each with the nearest it has."""
    listed = [f"{field!r}{suggestion(field, known.fields)}" for field in unknown]
    noun = "field" if len(unknown) == 1 else "fields"
    return f"the installed openhands-sdk has no {noun} {enumerated(listed)}"


def _check_references(name: str, refs: Mapping[str, str], known: schema.Schema) -> None:
    for field, reference in refs.items():
        if field not in known.secrets or not references.saved_kind(reference):
            raise ProfileError(
                f"profile {name!r} has a reference for {field} that this version of pytest-ohllm "
                f"cannot follow: `ohllm profiles edit {name} --unset {field}` removes it"
            )


def _stored(path: Path, data: Mapping[str, Any], known: schema.Schema) -> dict[str, str]:
    """References to the secrets that stand in the file itself, as plain text or encrypted."""
    found = {}
    for field in sorted(known.secrets & data.keys()):
        value = data[field]
        if value is None or value == MASKED:
            continue
        if not isinstance(value, str):
            raise ProfileError(f"{path}: {field} is {type(value).__name__}, expected a string")
        found[field] = references.STORED
    return found
