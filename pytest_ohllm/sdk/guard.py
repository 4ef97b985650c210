"""Which of a model's tool calls may run: a new model is untrusted code with a shell.

A scenario names the exact commands that it asks for. A call that is one of them, in whatever
harmless spelling, runs; everything else is rejected before it runs, and recorded.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SAFE_TOOLS = frozenset({"finish", "think"})
"""Built-in tools that touch nothing."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Keys rather than text: a new line starts another command, a tab completes one."""

_LITERAL = re.compile(
    r"""(?: [\w @%+=:,./!-]   # characters that mean themselves
        |   \\.             # or are made to
        |   '[^']*'
        |   "(?:[^"$`\\] | \\["\\])*"
    )+""",
    re.VERBOSE,
)
"""A command in which a shell has nothing to do but to remove quotes and split at blanks."""


class CommandGuard:
    """The commands and tools that one scenario allows, and the folder in which they run."""

    def __init__(
        self, allowed: Iterable[str], workspace: Path, tools: frozenset[str] = frozenset()
    ) -> None:
        self._tools = tools | SAFE_TOOLS
        self._allowed = {_meaning(command) for command in allowed} - {None}
        self._workspace = workspace

    def refusal(self, tool: str, arguments: Mapping[str, Any]) -> str | None:
        """Why the call must not run; ``None`` if it may."""
        if tool in self._tools:
            return None
        if tool != "terminal":
            return f"the tool {tool!r} is not part of this test"
        if arguments.get("is_input"):
            return "typing into a running program is not part of this test"
        command = str(arguments.get("command", ""))
        if _meaning(self._without_cd(command)) not in self._allowed:
            return f"the command {shorten(command)!r} is not the one that was asked for"
        return None

    def _without_cd(self, command: str) -> str:
        """The command after a ``cd`` into the workspace, which many models put first."""
        lead, separator, rest = command.partition("&&")
        here = (self._workspace, Path("."))
        match _meaning(lead) if separator else None:
            case ("cd", folder) if Path(folder) in here:
                return rest
        return command


def _meaning(command: str) -> tuple[str, ...] | str | None:
    """What commands have in common that do the same; ``None`` for more or less than one line.

    Those are the words, if a shell would find them as they are written. A command that it would
    expand, chain or redirect means nothing but itself, to the letter.
    """
    command = command.strip(" \n")
    if not command or _CONTROL.search(command):
        return None
    if not _LITERAL.fullmatch(command):
        return command
    first, *others = shlex.split(command)
    return (first, *(word.removeprefix("./") for word in others))


def shorten(text: str, limit: int = 120) -> str:
    """One line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
