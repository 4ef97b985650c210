"""Secrets that the SDK or its agent-server saved: encrypted ones, and provider connections.

Read directly, as profiles are, since importing the SDK takes seconds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_ohllm.profiles.errors import ProfileError, enumerated, suggestion
from pytest_ohllm.profiles.files import read_object

CIPHER_VARIABLE = "OH_SECRET_KEY"
_INSTEAD = ("SESSION_API_KEY", "OH_SESSION_API_KEYS_0")
"""Where a server without a cipher key of its own takes one from."""
_PREVIOUS = "OH_PREVIOUS_SECRET_KEYS"
_ENCRYPTED = "gAAAAA"  # how a Fernet token starts, as the SDK tells one from plain text
_CONNECTIONS_VERSION = 1


class Encrypted(ProfileError):
    """A value is encrypted, and there is no key to it."""


def decrypted(value: str, what: str, environ: Mapping[str, str]) -> str:
    """The plain text of a value that the SDK's ``Cipher`` wrote; plain text comes back as it is.

    ``what`` names it for the ``ProfileError`` that says why it cannot be decrypted.
    """
    if not value.startswith(_ENCRYPTED):
        return value
    keys = _cipher_keys(environ)
    if not keys:
        raise Encrypted(
            f"{what} is encrypted: set {CIPHER_VARIABLE} to what it was when it was saved, or name "
            "an environment variable for the key with `ohllm profiles edit NAME --api-key-env VAR`"
        )
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    digests = (hashlib.sha256(key.encode()).digest() for key in keys.values())
    cipher = MultiFernet([Fernet(base64.b64encode(digest)) for digest in digests])
    try:
        return cipher.decrypt(value.encode()).decode()
    except (InvalidToken, UnicodeError) as error:
        raise ProfileError(
            f"{what} cannot be decrypted with {' or '.join(keys)}: it is damaged, or was saved "
            "with another key"
        ) from error


def _cipher_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Variable -> key, in the order in which the agent-server tries them: its own, older ones.

    Like the server, this takes a blank key for none.
    """
    current = [name for name in (CIPHER_VARIABLE, *_INSTEAD) if environ.get(name, "").strip()][:1]
    older = sorted(name for name in environ if re.fullmatch(rf"{_PREVIOUS}_\d+", name))
    keys = {name: environ[name] for name in [*current, *older] if environ[name].strip()}
    with suppress(ValueError):
        listed = json.loads(environ.get(_PREVIOUS) or "[]")
        found = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
        keys |= {f"{_PREVIOUS}[{number}]": one for number, one in enumerate(found)}
    return keys


@dataclass(frozen=True)
class ProviderConnection:
    """What profiles share: an address, and whether there is a key. ``path`` is the file."""

    path: Path
    base_url: str | None
    has_key: bool


def provider_connection(folder: Path, connection_id: str, owner: str) -> ProviderConnection:
    """The connection that the profile ``owner`` in ``folder`` refers to. Raises ProfileError."""
    path = _connections_path(folder)
    entry = _entry(path, connection_id, owner)
    url = entry.get("base_url")
    if url is not None and not isinstance(url, str):
        raise ProfileError(f"{path}: base_url of {connection_id!r} is no string: correct it")
    return ProviderConnection(path, url, bool(_key(entry)))


def connection_key(folder: Path, connection_id: str, owner: str, environ: Mapping[str, str]) -> str:
    """The key of the connection, decrypted; empty if it has none. Raises ``ProfileError``."""
    path = _connections_path(folder)
    what = f"the key of provider connection {connection_id!r} in {path}"
    return decrypted(_key(_entry(path, connection_id, owner)), what, environ)


def _connections_path(folder: Path) -> Path:
    return folder.parent / "provider-connections" / "provider_connections.json"


def _entry(path: Path, connection_id: str, owner: str) -> Mapping[str, Any]:
    try:
        data = read_object(path)
    except FileNotFoundError:
        data = {}
    version = data.get("schema_version", _CONNECTIONS_VERSION)
    if not isinstance(version, int) or version > _CONNECTIONS_VERSION:
        raise ProfileError(
            f"{path}: schema_version is {version!r}, this version of pytest-ohllm reads up to "
            f"{_CONNECTIONS_VERSION}: update it"
        )
    listed = data.get("connections") or []
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    for entry in entries:
        if entry.get("id") == connection_id:
            return entry
    known = [str(entry.get("id")) for entry in entries]
    there = f"known are {enumerated(known)}" if known else "there is none"
    raise ProfileError(
        f"profile {owner!r} takes its key from provider connection {connection_id!r}, which is not "
        f"in {path}{suggestion(connection_id, known)}: {there}; "
        f"`ohllm profiles edit {owner} --unset provider_connection_id` does without"
    )


def _key(entry: Mapping[str, Any]) -> str:
    value = entry.get("api_key")
    return value if isinstance(value, str) and set(value) != {"*"} else ""
