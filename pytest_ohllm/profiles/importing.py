"""Connections that other programs have written: what could be taken over from them.

Nothing is changed here, and nothing is taken out of its source. Keys that stand in a source are
handed over as values, so that somebody can be asked where they may go.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pytest_ohllm.profiles import confidential, references, schema, sdk_secrets
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.exporting import KIND, VERSION
from pytest_ohllm.profiles.files import read_object

_PLACES: tuple[tuple[str, ...], ...] = (
    ("llm",),  # agent_settings.json
    ("agent", "llm"),  # base_state.json of a conversation
    ("agent_settings", "llm"),  # settings.json of the agent-server
)
_VARIABLES = {"LLM_MODEL": "model", "LLM_BASE_URL": "base_url"}
_KEY_VARIABLE = "LLM_API_KEY"


@dataclass(frozen=True)
class Candidate:
    """A profile that could be saved.

    ``name`` is empty if the source has none. ``variables`` maps secret fields to the names of
    environment variables, ``keys`` to values that stand in the source. ``left_out`` says what
    cannot be taken over, and why.
    """

    name: str
    source: str
    settings: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def from_environment(environ: Mapping[str, str] | None = None) -> Candidate:
    """What ``LLM_MODEL``, ``LLM_BASE_URL`` and ``LLM_API_KEY`` say; the key stays where it is."""
    environ = os.environ if environ is None else environ
    found = {
        name: environ[variable] for variable, name in _VARIABLES.items() if environ.get(variable)
    }
    if "model" not in found:
        raise ProfileError("$LLM_MODEL is not set, so the environment names no model: export it")
    variables = {"api_key": _KEY_VARIABLE} if environ.get(_KEY_VARIABLE) else {}
    return Candidate("", "the environment", found, variables)


def from_file(path: Path, environ: Mapping[str, str] | None = None) -> list[Candidate]:
    """The connections in an export, ``agent_settings.json``, ``base_state.json`` or profile file.

    Raises ``ProfileError`` if it holds none.
    """
    environ = os.environ if environ is None else environ
    try:
        data = read_object(path)
    except FileNotFoundError:
        raise ProfileError(f"there is no file {path}: give one to import from, or env") from None
    if data.get("kind") == KIND:
        return list(_exported(path, data))
    for place in _PLACES:
        if isinstance(found := _at(data, place), dict) and "model" in found:
            return [_candidate(path, "", found, environ)]
    if "model" in data:
        return [_candidate(path, path.stem, data, environ)]
    raise ProfileError(
        f"{path} holds no connection that is known here: expected an export, agent_settings.json, "
        "base_state.json, or a profile"
    )


def _at(data: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _candidate(
    path: Path, name: str, data: Mapping[str, Any], environ: Mapping[str, str]
) -> Candidate:
    known = schema.installed()
    settings: dict[str, Any] = {}
    keys: dict[str, SecretStr] = {}
    left_out: list[str] = []
    for key, value in data.items():
        if value is None or key in known.derived:
            continue
        if key in known.secrets:
            secret, problem = _secret(key, value, environ)
            if secret:
                keys[key] = SecretStr(secret)
            left_out += [problem] if problem else []
        elif key == "provider_connection_id":
            left_out.append("provider_connection_id: connections stay where they are")
        elif key in known.fields:
            settings[key] = value
        else:
            left_out.append(f"{key}: the installed openhands-sdk has no such field")
    plain, hidden = confidential.without(settings)
    left_out += [f"{one}: may hold a secret; give it with `ohllm profiles edit`" for one in hidden]
    return Candidate(name, str(path), plain, keys=keys, left_out=tuple(left_out))


def _secret(key: str, value: Any, environ: Mapping[str, str]) -> tuple[str, str]:
    """The value of a secret, or why there is none."""
    if not isinstance(value, str) or not value.strip():
        return "", ""
    if set(value) == {"*"}:
        return "", f"{key}: masked where it was written"
    try:
        return sdk_secrets.decrypted(value, key, environ), ""
    except ProfileError as error:
        return "", str(error)


def _exported(path: Path, data: Mapping[str, Any]) -> Iterator[Candidate]:
    if data.get("schema_version") != VERSION:
        raise ProfileError(
            f"{path}: schema_version is {data.get('schema_version')!r}, this version of "
            f"pytest-ohllm reads {VERSION}: update it"
        )
    profiles = data.get("profiles")
    for entry in profiles if isinstance(profiles, list) else [None]:
        settings = _at(entry, ("settings",))
        if not isinstance(entry, dict) or not isinstance(settings, dict) or "name" not in entry:
            raise ProfileError(f"{path} is a damaged export: export it again")
        taken = _candidate(path, str(entry["name"]), settings, {})
        variables, missing = _references(entry)
        gone = [str(one) for one in entry.get("left_out") or ()]
        yield Candidate(
            taken.name,
            taken.source,
            taken.settings,
            variables,
            taken.keys,
            (*taken.left_out, *missing, *(f"{one}: left out by the export" for one in gone)),
        )


def _references(entry: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Variables are names that mean the same everywhere; other references do not travel."""
    secrets = entry.get("secrets")
    variables, missing = {}, []
    for name, reference in secrets.items() if isinstance(secrets, dict) else ():
        if isinstance(reference, str) and reference.startswith(references.ENV):
            variables[str(name)] = reference.removeprefix(references.ENV)
        else:
            missing.append(f"{name}: its reference belongs to another machine")
    return variables, missing
