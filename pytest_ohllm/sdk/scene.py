"""What one conversation of the SDK's agent is made of, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_ohllm.model import ToolMode


class UnsupportedBySdk(Exception):
    """The SDK in use lacks what the scene needs; the message names it."""


@dataclass(frozen=True)
class Scene:
    """A conversation; the turns are said one after the other, each when the agent has finished.

    ``allow`` lists the only commands that may run in the workspace, into which ``files`` are put
    first, and ``allow_tools`` the only other tools. ``changes`` overrides fields of the profile's
    ``LLM``. ``mcp`` is the agent's MCP configuration: server name -> how to start it. With
    ``switch``, every turn has another ``LLM`` object than the one before. With ``condense``, the
    history is condensed before the last turn; with ``resume``, the last turn is said in a new
    process, from what was persisted.
    """

    turns: tuple[str, ...]
    allow: tuple[str, ...] = ()
    allow_tools: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict)
    tool_mode: ToolMode | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    mcp: Mapping[str, Any] | None = None
    switch: bool = False
    condense: bool = False
    resume: bool = False

    def described(self) -> dict[str, Any]:
        """What of it is not as usual, as plain values."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {**fields, "allow_tools": sorted(self.allow_tools)}
        return {name: value for name, value in plain.items() if value}
