"""Where a user wants a secret to come from, before it is a reference in a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from pytest_ohllm.profiles import key_file, keyring_entries, references, schema
from pytest_ohllm.profiles.errors import ProfileError, suggestion
from pytest_ohllm.profiles.secret_values import unsendable


@dataclass(frozen=True)
class Variable:
    """An environment variable, by its name."""

    name: str

    def value(self) -> str:
        """What it holds now, perhaps nothing."""
        return os.environ.get(self.name, "")


@dataclass(frozen=True)
class KeyFile:
    """A file that holds nothing but the secret."""

    path: Path

    def value(self) -> str:
        """What it holds now. Raises ``ProfileError``."""
        return key_file.read(self.path)


@dataclass(frozen=True)
class Typed:
    """A value that was typed in, and goes to the keyring."""

    typed: SecretStr

    def value(self) -> str:
        """What was typed in."""
        return self.typed.get_secret_value()


type Source = Variable | KeyFile | Typed
type Sources = Mapping[str, Source]
"""Secret field of ``LLM`` -> source."""


def check(sources: Sources) -> None:
    """Raise ``ProfileError`` if a field is no secret, or a source can be none."""
    for field, source in sources.items():
        check_field(field)
        match source:
            case Variable(name):
                references.check_variable(name, _option(field, "env"))
            case KeyFile(path):
                value = key_file.read(path, _option(field, "file"))
                _check_value(value, f"the {field} in {path}")
            case Typed():
                _check_value(source.value(), f"the {field} that was given")


def check_field(field: str) -> None:
    """Raise ``ProfileError`` unless ``field`` is a secret one."""
    secrets = schema.installed().secrets
    if field not in secrets:
        raise ProfileError(
            f"{field!r} is not a secret field{suggestion(field, secrets)}: "
            f"those are {', '.join(sorted(secrets))}"
        )


def _option(field: str, kind: str) -> str:
    return f"--api-key-{kind}" if field == "api_key" else f"--secret-{kind} {field}"


def _check_value(value: str, what: str) -> None:
    if problem := unsendable(value):
        raise ProfileError(f"{what} {problem}")


def place(sources: Sources, profile: str) -> dict[str, str]:
    """Store what has to be stored, all or nothing; the references to write. Checks nothing."""
    placed: dict[str, str] = {}
    try:
        for field, source in sources.items():
            placed[field] = _place(source, f"{profile}.{field}")
    except BaseException:
        discard(placed.values())
        raise
    return placed


def _place(source: Source, entry: str) -> str:
    match source:
        case Variable(name):
            return references.ENV + name
        case KeyFile(path):
            return f"{references.FILE}{path.absolute()}"
        case Typed():
            return keyring_entries.store(entry, source.value())


def discard(wanted: Iterable[str]) -> list[str]:
    """Delete the keyring entries among these references; those that could not be deleted.

    Nothing needs them any more: one that stays is a nuisance, and no reason to fail.
    """
    left = []
    for reference in wanted:
        if reference.startswith(references.KEYRING):
            try:
                keyring_entries.forget(reference)
            except ProfileError:
                left.append(reference)
    return left
