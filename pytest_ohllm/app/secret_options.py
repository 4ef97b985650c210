"""The options that say where a secret comes from. None of them takes a secret itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_ohllm.app import asking
from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from pytest_ohllm.profiles.sources import Source

ApiKeyEnv = Annotated[
    str | None, typer.Option(metavar="VAR", help="NAME of the variable that holds the key.")
]
ApiKeyKeyring = Annotated[
    bool, typer.Option("--api-key-keyring", help="Ask for the key, and store it in the keyring.")
]
ApiKeyStdin = Annotated[
    bool, typer.Option("--api-key-stdin", help="The same, with the key from a pipe.")
]
ApiKeyFile = Annotated[
    Path | None, typer.Option(metavar="PATH", help="A file of mode 0600 that holds the key.")
]
SecretEnv = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=VAR", help="A variable for another secret field; repeatable."),
]
SecretKeyring = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD", help="The keyring for another secret field; repeatable."),
]
SecretFile = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=PATH", help="A file for another secret field; repeatable."),
]


@dataclass(frozen=True)
class Given:
    """The values of these options."""

    api_key_env: str | None
    api_key_keyring: bool
    api_key_stdin: bool
    api_key_file: Path | None
    secret_env: list[str] | None
    secret_keyring: list[str] | None
    secret_file: list[str] | None

    def sources(self) -> dict[str, Source]:
        """Where each secret field comes from; asks for what goes to the keyring.

        Raises ``ProfileError`` if a field is named twice, or there is nobody to ask.
        """
        from pytest_ohllm.profiles.sources import KeyFile, Typed, Variable, check, check_field

        found: dict[str, Source] = {}
        keyring = list(self.secret_keyring or ())
        if self.api_key_env is not None:
            found["api_key"] = Variable(self.api_key_env)
        if self.api_key_file is not None:
            _free(found, "api_key", "--api-key-file")
            found["api_key"] = KeyFile(self.api_key_file)
        for field, name in pairs(self.secret_env, "--secret-env", taken=found):
            found[field] = Variable(name)
        for field, path in pairs(self.secret_file, "--secret-file", taken=found):
            found[field] = KeyFile(Path(path))
        if self.api_key_keyring or self.api_key_stdin:
            keyring.insert(0, "api_key")
        for field in keyring:
            check_field(field)
            _free(found, field, "the keyring")
        check(found)  # before anybody is asked
        for field in keyring:
            _free(found, field, "the keyring")
            found[field] = Typed(self._asked(field))
        return found

    def _asked(self, field: str) -> SecretStr:
        if field == "api_key" and self.api_key_stdin:
            return asking.piped_secret()
        instead = (
            "pipe the key with --api-key-stdin, or name a variable with --api-key-env VAR"
            if field == "api_key"
            else f"name a variable with --secret-env {field}=VAR"
        )
        return asking.secret(f"the {field}", instead)


def _free(found: Iterable[str], field: str, option: str) -> None:
    if field in found:
        raise ProfileError(f"{option}: {field} is given twice")


def pairs(given: list[str] | None, option: str, *, taken: Iterable[str]) -> list[tuple[str, str]]:
    """``FIELD=VALUE`` taken apart; ``ProfileError`` if one is none, or a field is given twice."""
    seen = set(taken)
    found = []
    for text in given or ():
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise ProfileError(f"{option} takes FIELD=VALUE: there is no field, or no '='")
        if field in seen:
            raise ProfileError(f"{option}: {field} is given twice")
        seen.add(field)
        found.append((field, value))
    return found
