"""A profile together with the values of its secrets: what a run connects with.

The SDK's ``LLM(api_key=None)`` takes whatever key the environment happens to hold and sends it to
this profile's address. So a connection is refused unless its key is named, or its address is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import builtin, confidential, references
from pytest_ohllm.profiles.errors import ProfileError
from pytest_ohllm.profiles.files import read_object
from pytest_ohllm.profiles.store import MASKED

_SENDABLE = re.compile(r"[\x21-\x7e]+")  # httpx encodes header values as ASCII
_AWS_SETTINGS = ("aws_profile_name", "aws_role_name")


@dataclass(frozen=True)
class Connection:
    """A profile with its secrets at hand: field of ``LLM`` -> value, hidden from ``repr``.

    Empty ``secrets`` mean that the endpoint needs no key.
    """

    profile: Profile
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)

    def confidential(self) -> tuple[str, ...]:
        """Every value that must not reach an output, for the Redactor, longest first.

        Beside the secrets: the user and password in base_url, and headers that carry credentials.
        """
        secret = {value.get_secret_value() for value in self.secrets.values()}
        found = secret | confidential.values(self.profile.settings)
        return tuple(sorted(found, key=lambda value: (-len(value), value)))


def resolve(profile: Profile, environ: Mapping[str, str] | None = None) -> Connection:
    """The connection that ``profile`` describes, with its secrets read from where they are.

    Raises ``ProfileError``, which never shows a secret, if one is missing or cannot be sent, or if
    the profile names no key although the provider's own address would need one.
    """
    environ = os.environ if environ is None else environ
    _check_supported(profile)
    secrets = {
        name: SecretStr(
            _checked(profile, name, reference, _value(profile, name, reference, environ))
        )
        for name, reference in profile.secrets.items()
    }
    if not secrets and (problem := missing_key(profile)):
        raise ProfileError(problem)
    return Connection(profile, secrets)


def missing_key(profile: Profile) -> str | None:
    """What is wrong with a profile that names no key, ``None`` if it needs none."""
    if profile.secrets or profile.base_url or profile.source == builtin.SOURCE:
        return None
    if any(profile.settings.get(name) for name in _AWS_SETTINGS):
        return None
    if profile.name == builtin.ADHOC:
        return (
            f"no key is named for {profile.model}: give --llm-api-key-env=VAR, "
            "or --llm-base-url for an endpoint that needs no key"
        )
    return (
        f"profile {profile.name!r} has no key and no base_url, so a key would be taken from the "
        "environment by accident: name its variable with "
        f"`ohllm profiles add {profile.name} --overwrite --model {profile.model} --api-key-env VAR`"
    )


def _check_supported(profile: Profile) -> None:
    if connection := profile.settings.get("provider_connection_id"):
        raise ProfileError(
            f"profile {profile.name!r} takes its key from provider connection {connection!r}, "
            "which this version of pytest-ohllm does not support yet: "
            "save a profile with a key variable"
        )
    if profile.settings.get("auth_type") == "subscription":
        raise ProfileError(
            f"profile {profile.name!r} signs in with a subscription, which this version of "
            "pytest-ohllm does not support yet: save a profile with a key variable"
        )


def _value(profile: Profile, name: str, reference: str, environ: Mapping[str, str]) -> str:
    if reference == references.STORED:
        try:
            return str(read_object(Path(profile.source)).get(name) or "")
        except FileNotFoundError:
            raise ProfileError(f"{profile.source} is gone: add the profile again") from None
    if not reference.startswith(references.ENV):
        raise ProfileError(f"profile {profile.name!r} has an unknown reference for its {name}")
    variable = reference.removeprefix(references.ENV)
    if not environ.get(variable):
        state = "empty" if variable in environ else "not set"
        raise ProfileError(
            f"profile {profile.name!r} reads its {name} from ${variable}, which is {state}: "
            f"export {variable}=…"
        )
    return environ[variable]


def _checked(profile: Profile, name: str, reference: str, value: str) -> str:
    place = (
        profile.source if reference == references.STORED else f"${reference[len(references.ENV) :]}"
    )
    where = f"the {name} of profile {profile.name!r}, from {place},"
    if not value.strip():
        raise ProfileError(f"{where} is empty: give the key, or name none if none is needed")
    if set(value) == {"*"} or value == MASKED:
        # The SDK takes its own mask for "no key" and would look for another one.
        raise ProfileError(f"{where} is a placeholder of asterisks: give the key itself")
    if not _SENDABLE.fullmatch(value):
        if value.strip() != value:
            wrong = "starts or ends with a space or a line break"
        elif any(character.isspace() for character in value):
            wrong = "holds a space or a line break"
        else:
            wrong = "holds characters other than printable ASCII"
        raise ProfileError(f"{where} {wrong} and cannot be sent in a header: correct it")
    return value
