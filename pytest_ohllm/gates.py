"""Stages and gates by name, and what a user says to choose some. Nothing heavy is imported."""

from __future__ import annotations

import difflib
from typing import NamedTuple

STAGES = ("A", "B", "C", "D")
"""As in ``model.Stage``, which would import pydantic."""

GATES = {
    "streaming": "streaming on and off give the same answer, and deltas arrive as they are made",
    "streaming_tools": "tools are called while streaming",
    "vision": "a picture goes over the wire, and the model sees what is on it",
    "responses": "chat completions and the Responses API, with tools and a second turn",
    "resume": "a persisted conversation goes on in a new process",
    "switch": "the model is switched in mid-conversation, and back",
    "reasoning": "a turn after a reasoning turn with a tool call is accepted",
    "parallel": "several tool calls in one answer are answered in order",
    "condenser": "after the history is condensed, the conversation goes on",
    "tool_error": "the model sees that a command failed, and goes on",
    "long_output": "long output and unicode survive the round trip",
    "mcp": "an MCP tool with a nested schema is called with valid arguments",
    "no_tool": "no tool is called where none is needed",
    "usage": "token counts grow with the history, and the cost is known or said to be unknown",
    "server": "the same conversation through openhands-agent-server",
    "fallback": "if the first model is down, the second one answers",
}
"""The advanced gates of stage D."""

_SETS = ("auto", "all", "none")


class WantedGates(NamedTuple):
    """What ``--llm-gates`` asks for: all gates that are ``selected``, and of these the ``named``.

    One that is not named is judged only where something claims that the model can do it.
    """

    selected: frozenset[str]
    named: frozenset[str]


def parse_stages(text: str | None, option: str) -> list[str]:
    """The stages that ``text`` names, in their order; all if there is none.

    Raises ``ValueError`` with a message for the user of ``option``.
    """
    if text is None:
        return list(STAGES)
    letters = [letter.upper() for letter in _names(text)]
    unknown = [letter for letter in letters if letter not in STAGES]
    if unknown or not letters:
        raise ValueError(
            f"{option}={text}: {', '.join(unknown) or 'nothing'} names no stage; "
            f"give some of {', '.join(STAGES)}, separated by commas"
        )
    return [stage for stage in STAGES if stage in letters]


def parse_gates(text: str, option: str) -> WantedGates:
    """The gates that ``text`` names: ``auto``, ``all``, ``none``, names, and ``-names``.

    Raises ``ValueError`` with a message for the user of ``option``.
    """
    names = _names(text)
    known = (*GATES, *_SETS)
    unknown = [name for name in names if name.removeprefix("-") not in known]
    if unknown or not names:
        near = difflib.get_close_matches(unknown[0], known, n=1) if unknown else []
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(
            f"{option}={text}: {', '.join(unknown) or 'nothing'} names no gate{hint}; there "
            f"are {', '.join(GATES)}, and auto, all, none; -NAME leaves one out"
        )
    without = frozenset(name[1:] for name in names if name.startswith("-"))
    named = frozenset(GATES if "all" in names else GATES.keys() & set(names)) - without
    # Nothing but exceptions means the usual ones without these.
    usual = "auto" in names or all(name.startswith("-") for name in names)
    return WantedGates(named | (GATES.keys() - without if usual else frozenset()), named)


def _names(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",") if name.strip()]
