"""What a command asks its user: only on a terminal, and never twice the same way for a secret."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_ohllm.profiles.errors import ProfileError

if TYPE_CHECKING:
    from pydantic import SecretStr

_MAX_KEY = 64_000

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def on_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # no stdin, or a closed one
        return False


def text(question: str, default: str | None = None) -> str:
    """What the user answers, on one line."""
    return str(typer.prompt(question, default=default, err=True)).strip()


def confirm(question: str, option: str = "--yes") -> bool:
    """Whether the user agrees. Without a terminal: a ``ProfileError`` that names ``option``."""
    if not on_a_terminal():
        raise ProfileError(f"{question} There is no terminal to ask on: say so with {option}")
    return bool(typer.confirm(question, err=True))


def secret(what: str, instead: str) -> SecretStr:
    """A secret that is typed in unseen. ``ProfileError`` without a terminal.

    ``instead`` is the option that does without.
    """
    if not on_a_terminal():
        raise ProfileError(f"{what} is asked for on a terminal, and there is none: {instead}")
    return _secret(str(typer.prompt(f"{what} (it is not shown)", hide_input=True, err=True)))


def piped_secret() -> SecretStr:
    """The key that another program writes to stdin, without the line break at its end."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ProfileError("--api-key-stdin reads a pipe: write the key to it, or leave it out")
    given = sys.stdin.read(_MAX_KEY)
    return _secret(given.removesuffix("\n").removesuffix("\r"))


def _secret(value: str) -> SecretStr:
    from pydantic import SecretStr

    return SecretStr(value)
