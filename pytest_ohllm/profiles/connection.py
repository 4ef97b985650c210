"""A profile together with the values of its secrets: what a run connects with.

The SDK's ``LLM(api_key=None)`` takes whatever key the environment happens to hold and sends it to
this profile's address. So a connection is refused unless its key is named, or its address is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles import builtin, confidential, references, secret_values
from pytest_ohllm.profiles.errors import ProfileError

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


def resolve(
    profile: Profile, environ: Mapping[str, str] | None = None, *, keyring: bool = True
) -> Connection:
    """The connection that ``profile`` describes, with its secrets read from where they are.

    Without ``keyring``, what is there is left out: the system may ask its user to unlock it.

    Raises ``ProfileError``, which never shows a secret, if one is missing or cannot be sent, or if
    the profile names no key although the provider's own address would need one.
    """
    environ = os.environ if environ is None else environ
    _check_supported(profile)
    secrets = {
        field: SecretStr(secret_values.value(profile, field, environ))
        for field, reference in profile.secrets.items()
        if keyring or not reference.startswith(references.KEYRING)
    }
    if problem := missing_key(profile):
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
        f"`ohllm profiles edit {profile.name} --api-key-env VAR`"
    )


def _check_supported(profile: Profile) -> None:
    if profile.settings.get("auth_type") == "subscription":
        raise ProfileError(
            f"profile {profile.name!r} signs in with a subscription, which this version of "
            "pytest-ohllm does not support yet: save a profile with a key variable"
        )
