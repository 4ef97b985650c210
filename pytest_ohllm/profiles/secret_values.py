"""The values of a profile's secrets, read from where its references say that they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import key_file, keyring_entries, references, sdk_secrets
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.files import read_object

_SENDABLE = re.compile(r"[\x21-\x7e]+")  # httpx encodes header values as ASCII


def value(profile: Profile, field: str, environ: Mapping[str, str]) -> str:
    """The secret ``field`` of ``profile``, fit to be sent.

    Raises ``ProfileError``, which never shows it, if it is not there or cannot be sent.
    """
    reference = profile.secrets[field]
    found = _found(profile, field, reference, environ)
    if problem := unsendable(found):
        place = where(reference) or profile.source
        raise ProfileError(f"the {field} of profile {profile.name!r}, from {place}, {problem}")
    return found


def is_encrypted(profile: Profile, field: str) -> bool:
    """Whether a secret in a file of the SDK is not there as plain text."""
    try:
        _found(profile, field, profile.secrets[field], {})
    except sdk_secrets.Encrypted:
        return True
    except ProfileError:
        return False
    return False


def where(reference: str) -> str:
    """The place that ``reference`` names, in words; empty if it is the profile's own file."""
    kind, _, rest = reference.partition(":")
    titles = {"env": f"${rest}", "keyring": f"keyring entry {rest}", "file": rest}
    return titles.get(kind, f"provider connection {rest}")


def unsendable(value: str) -> str | None:
    """Why ``value`` cannot be a key in a header, and what to do; ``None`` if it can."""
    if not value.strip():
        return "is empty: give the key, or name none if none is needed"
    if set(value) == {"*"}:
        # The SDK takes its own mask for "no key" and would look for another one.
        return "is a placeholder of asterisks: give the key itself"
    if _SENDABLE.fullmatch(value):
        return None
    if value.strip() != value:
        wrong = "starts or ends with a space or a line break"
    elif any(character.isspace() for character in value):
        wrong = "holds a space or a line break"
    else:
        wrong = "holds characters other than printable ASCII"
    return f"{wrong} and cannot be sent in a header: correct it"


def _found(profile: Profile, field: str, reference: str, environ: Mapping[str, str]) -> str:
    kind, _, rest = reference.partition(":")
    if reference == references.STORED:
        return _in_the_file(profile, field, environ)
    if kind == "env" and rest:
        return _in_a_variable(profile, field, rest, environ)
    if kind == "keyring" and rest:
        return _in_the_keyring(profile, field, reference)
    if kind == "file" and rest:
        return key_file.read(Path(rest))
    if kind == "connection" and rest:
        folder = Path(profile.source).parent
        return sdk_secrets.connection_key(folder, rest, profile.name, environ)
    raise ProfileError(f"profile {profile.name!r} has an unknown reference for its {field}")


def _in_the_file(profile: Profile, field: str, environ: Mapping[str, str]) -> str:
    try:
        stored = str(read_object(Path(profile.source)).get(field) or "")
    except FileNotFoundError:
        raise ProfileError(f"{profile.source} is gone: add the profile again") from None
    return sdk_secrets.decrypted(stored, f"{field} in {profile.source}", environ)


def _in_a_variable(profile: Profile, field: str, variable: str, environ: Mapping[str, str]) -> str:
    if not environ.get(variable):
        state = "empty" if variable in environ else "not set"
        raise ProfileError(
            f"profile {profile.name!r} reads its {field} from ${variable}, which is {state}: "
            f"export {variable}=…"
        )
    return environ[variable]


def _in_the_keyring(profile: Profile, field: str, reference: str) -> str:
    try:
        found = keyring_entries.fetch(reference)
    except ProfileError as error:
        raise ProfileError(
            f"profile {profile.name!r} reads its {field} from the keyring: {error}"
        ) from error
    if found is None:
        again = "--api-key-keyring" if field == "api_key" else f"--secret-keyring {field}"
        raise ProfileError(
            f"profile {profile.name!r} reads its {field} from {where(reference)}, which does not "
            f"exist: store it again with `ohllm profiles edit {profile.name} {again}`"
        )
    return found
