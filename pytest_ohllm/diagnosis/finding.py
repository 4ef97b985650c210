"""What a rule says when it recognises a failure."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_ohllm.model import Blame, Kind


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's conclusion; ``summary`` and ``next_step`` are one sentence each."""

    kind: Kind
    blame: Blame
    summary: str
    next_step: str


def one_line(text: str, limit: int = 200) -> str:
    """``text`` on one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
