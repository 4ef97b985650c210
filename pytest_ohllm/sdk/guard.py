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


class CommandGuard:
    """The commands that one scenario allows, and the folder in which they run."""

    def __init__(self, allowed: Iterable[str], workspace: Path) -> None:
        self._allowed = [_words(command) for command in allowed]
        self._workspace = workspace

    def refusal(self, tool: str, arguments: Mapping[str, Any]) -> str | None:
        """Why the call must not run; ``None`` if it may."""
        if tool in SAFE_TOOLS:
            return None
        if tool != "terminal":
            return f"the tool {tool!r} is not part of this test"
        if arguments.get("is_input"):
            return "typing into a running program is not part of this test"
        command = str(arguments.get("command", ""))
        words = _words(self._without_cd(command))
        if words is None or words not in self._allowed:
            return f"the command {shorten(command)!r} is not the one that was asked for"
        return None

    def _without_cd(self, command: str) -> str:
        """The command after a ``cd`` into the workspace, which many models put first."""
        lead, separator, rest = command.partition("&&")
        words = _words(lead) if separator else None
        here = (self._workspace, Path("."))
        if words and len(words) == 2 and words[0] == "cd" and Path(words[1]) in here:
            return rest
        return command


def _words(command: str) -> list[str] | None:
    """The words of a command without its quotes, or ``None`` if it holds more than one line.

    Nothing is expanded, so whatever a shell would expand, chain or redirect stays in the words as
    it is written, and makes them differ from those of an allowed command.
    """
    command = command.strip()
    if _CONTROL.search(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    return [word.removeprefix("./") if i else word for i, word in enumerate(words)]


def shorten(text: str, limit: int = 120) -> str:
    """One line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
