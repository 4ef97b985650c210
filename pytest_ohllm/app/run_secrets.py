"""The keys that a run may have used, to look for them before it is given away."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ohllm.evidence.redaction import Redactor
    from pytest_ohllm.model import Profile


def censor_of(path: Path) -> tuple[Redactor, list[str]]:
    """A redactor that knows them, and the profiles of the run whose key is not known here."""
    from pytest_ohllm.evidence.reader import read_session
    from pytest_ohllm.evidence.redaction import Redactor
    from pytest_ohllm.profiles.confidential import values

    known: dict[str, str] = {}
    missing: list[str] = []
    for profile in read_session(path).profiles:
        found, complete = _secrets(profile)
        found |= values(profile.settings)
        for number, value in enumerate(sorted(found)):
            known[f"{profile.name}#{number}" if number else profile.name] = value
        if not complete:
            missing.append(profile.name)
    return Redactor(known), missing


def _secrets(profile: Profile) -> tuple[set[str], bool]:
    """The values of the profile's secrets, as it was and as it is saved now; whether all are."""
    from pytest_ohllm.profiles.errors import ProfileError
    from pytest_ohllm.profiles.secret_values import value
    from pytest_ohllm.profiles.store import load

    found: set[str] = set()
    complete = True
    for field in profile.secrets:
        try:
            found.add(value(profile, field, os.environ))
        except (ProfileError, OSError):
            complete = False
    with suppress(ProfileError, OSError):
        saved = load(profile.name)
        for field in saved.secrets:
            with suppress(ProfileError, OSError):
                found.add(value(saved, field, os.environ))
    return found, complete
