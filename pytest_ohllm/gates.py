"""The advanced gates of stage D by name. The door reads them: nothing heavy is imported."""

from __future__ import annotations

from typing import NamedTuple

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


class WantedGates(NamedTuple):
    """What ``--llm-gates`` asks for: all gates that are ``selected``, and of these the ``named``.

    One that is not named is judged only where something claims that the model can do it.
    """

    selected: frozenset[str]
    named: frozenset[str]
