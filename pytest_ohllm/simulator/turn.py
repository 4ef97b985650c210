"""What a conversation is before a protocol gives it a shape: a ``Turn`` in, a ``Reply`` out.

Plain dataclasses of the standard library, so that listing personalities takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "tool_calls", "length", "content_filter"]

PICTURE_TOKENS = 258
"""What one picture adds to the prompt, whatever its size."""

_CACHE_MINIMUM = 1024  # shorter prefixes are not cached; longer ones in blocks of _CACHE_BLOCK
_CACHE_BLOCK = 128


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
    """One call of a tool. An ``id`` of ``None`` is filled in before the reply leaves.

    ``raw`` is what stands on the wire in place of the arguments' JSON, for models that get it
    wrong; protocols whose arguments are no text cannot show it.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str | None = None
    raw: str | None = None

    @property
    def json(self) -> str:
        """The arguments as the model wrote them."""
        return json.dumps(dict(self.arguments)) if self.raw is None else self.raw


@dataclass(frozen=True)
class Picture:
    """A picture in a message: its bytes, or only the address at which they would be."""

    data: bytes = b""
    url: str = ""


@dataclass(frozen=True)
class Message:
    """One message of the history; the content's text parts are joined with line ends.

    ``reasoning`` is what the client sent back of the model's thoughts, and ``seal`` the signature
    or encrypted form that came with it.
    """

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    pictures: tuple[Picture, ...] = ()
    reasoning: str = ""
    seal: str = ""


@dataclass(frozen=True)
class Turn:
    """One request: the conversation so far and what the model may do next.

    ``fields`` is the request as it was parsed, for the protocol's own options and for quirks that
    reject a field by name. ``reasons`` tells whether the request asks for thoughts to be shown.
    ``key`` is the one that came with it, for quirks that repeat it.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    stream: bool = False
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    prompt_based: bool = False
    reasons: bool = False
    protocol: str = "chat"
    key: str = field(default="", repr=False)

    def digest(self, seed: int) -> str:
        """64 hex digits that depend on the seed and on what is said, not on ids or options."""
        said = [
            [m.role, m.text, [[c.name, dict(c.arguments)] for c in m.tool_calls], len(m.pictures)]
            for m in self.messages
        ]
        text = json.dumps([seed, self.model, said, [t.name for t in self.tools]], default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def prompt_tokens(self) -> int:
        """Roughly what a tokenizer would count: four bytes a token, and four tokens a message."""
        return 3 + sum(map(_message_weight, self.messages)) + _tools_weight(self.tools)

    @property
    def cached_tokens(self) -> int:
        """Tokens of the part that the request before this one must have had as well."""
        last = max((i for i, m in enumerate(self.messages) if m.role == "assistant"), default=0)
        if not last:
            return 0
        prefix = sum(map(_message_weight, self.messages[:last])) + _tools_weight(self.tools)
        return prefix // _CACHE_BLOCK * _CACHE_BLOCK if prefix >= _CACHE_MINIMUM else 0


@dataclass(frozen=True)
class Usage:
    """Tokens that the reply is billed for; ``cached`` are among the prompt's, ``reasoning`` among
    the completion's."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

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
    refusal: str = ""

    @property
    def reasoning_tokens(self) -> int:
        """The size of the thoughts by the same measure as ``Turn.prompt_tokens``."""
        return _weight(self.reasoning)

    @property
    def completion_tokens(self) -> int:
        """The reply's size by the same measure as ``Turn.prompt_tokens``."""
        return (
            _weight(self.text)
            + _weight(self.refusal)
            + self.reasoning_tokens
            + sum(map(_call_weight, self.tool_calls))
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


def _message_weight(message: Message) -> int:
    calls = sum(map(_call_weight, message.tool_calls))
    pictures = PICTURE_TOKENS * len(message.pictures)
    return 4 + _weight(message.text) + _weight(message.reasoning) + calls + pictures


def _tools_weight(tools: Iterable[Tool]) -> int:
    return sum(_weight(t.name + t.description + json.dumps(t.schema, default=str)) for t in tools)
