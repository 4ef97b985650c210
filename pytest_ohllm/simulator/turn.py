"""What a conversation is before a protocol gives it a shape: a ``Turn`` in, a ``Reply`` out.

Plain dataclasses of the standard library, so that listing personalities takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "tool_calls", "length"]


@dataclass(frozen=True)
class Tool:
    """A tool as it was offered; ``schema`` is the JSON schema of its arguments."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schema of each argument by name; empty when the schema is not the usual object."""
        properties = self.schema.get("properties")
        return properties if isinstance(properties, dict) else {}


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool. An ``id`` of ``None`` is filled in before the reply leaves."""

    name: str
    arguments: Mapping[str, Any]
    id: str | None = None


@dataclass(frozen=True)
class Message:
    """One message of the history; the content's text parts are joined with line ends."""

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True)
class Turn:
    """One request: the conversation so far and what the model may do next.

    ``fields`` is the request as it was parsed, for the protocol's own options and for quirks that
    reject a field by name.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    stream: bool = False
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    prompt_based: bool = False

    def digest(self, seed: int) -> str:
        """64 hex digits that depend on the seed and on what is said, not on ids or options."""
        said = [
            [m.role, m.text, [[c.name, dict(c.arguments)] for c in m.tool_calls]]
            for m in self.messages
        ]
        text = json.dumps([seed, self.model, said, [t.name for t in self.tools]], default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def prompt_tokens(self) -> int:
        """Roughly what a tokenizer would count: four bytes a token, and four tokens a message."""
        text = sum(_weight(m.text) + sum(map(_call_weight, m.tool_calls)) for m in self.messages)
        tools = sum(
            _weight(t.name + t.description + json.dumps(t.schema, default=str)) for t in self.tools
        )
        return 3 + 4 * len(self.messages) + text + tools


@dataclass(frozen=True)
class Usage:
    """Tokens that the reply is billed for."""

    prompt: int
    completion: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.prompt + self.completion


@dataclass(frozen=True)
class Reply:
    """What the model says. ``usage`` is filled in before the reply leaves."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = "stop"
    usage: Usage = Usage(0, 0)

    @property
    def completion_tokens(self) -> int:
        """The reply's size by the same measure as ``Turn.prompt_tokens``."""
        return (
            _weight(self.text) + _weight(self.reasoning) + sum(map(_call_weight, self.tool_calls))
        )


@dataclass(frozen=True)
class Answer:
    """A finished reply and its envelope: ``created`` is a Unix time, ``digest`` makes the ids."""

    turn: Turn
    reply: Reply
    digest: str
    created: int


def _weight(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def _call_weight(call: ToolCall) -> int:
    return 4 + _weight(call.name + json.dumps(dict(call.arguments), default=str))
