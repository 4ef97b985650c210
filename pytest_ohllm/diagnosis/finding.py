"""What a rule says when it recognises a failure."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_ohllm.model import Blame, Kind


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's conclusion; ``summary`` and ``next_step`` are one sentence each.

    ``suspicion`` is what an ``unknown`` most probably is, going by the words alone: enough to say
    in an explanation, and not enough to blame anybody where an experiment could be made.
    ``named`` is the field of the request that the words are about.
    """

    kind: Kind
    blame: Blame
    summary: str
    next_step: str
    suspicion: Kind | None = None
    named: str | None = None


def one_line(text: str, limit: int = 200) -> str:
    """``text`` on one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
