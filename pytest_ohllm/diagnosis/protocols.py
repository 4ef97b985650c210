"""The five protocols as far as experiments need them: the smallest request, and what is optional.

Source: the vendors' own references for Chat Completions, Responses, Messages, generateContent and
Ollama's chat.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

type Body = dict[str, Any]
type Path = tuple[str, ...]

HELLO = "Say hello in one word."

_PATHS = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "anthropic": "/messages",
    "ollama": "/api/chat",
}
_ESSENTIAL: Mapping[str, frozenset[str]] = {
    "chat": frozenset({"model", "messages"}),
    "responses": frozenset({"model", "input", "instructions"}),
    "anthropic": frozenset({"model", "messages", "max_tokens", "system"}),
    "gemini": frozenset({"contents", "system_instruction", "systemInstruction"}),
    "ollama": frozenset({"model", "messages"}),
}
_GROUPS = ("generationConfig", "generation_config", "options", "reasoning")
"""Fields that are lists of options themselves."""

_SCHEMA: Body = {"type": "object", "properties": {"text": {"type": "string"}}}


def protocol_of(url: str) -> str | None:
    """The protocol that a request to ``url`` speaks."""
    path = urlsplit(url).path.rstrip("/")
    if "enerateContent" in path:
        return "gemini"
    return next((name for name, end in _PATHS.items() if path.endswith(end)), None)


def hello(protocol: str, body: Mapping[str, Any]) -> Body:
    """One message of the user, and nothing that is optional."""
    if protocol == "gemini":
        return {"contents": [{"role": "user", "parts": [{"text": HELLO}]}]}
    smallest: Body = {"model": body.get("model")}
    if protocol == "responses":
        return smallest | {"input": HELLO}
    smallest["messages"] = [{"role": "user", "content": HELLO}]
    if protocol == "anthropic":
        smallest["max_tokens"] = 64
    if protocol == "ollama":
        smallest["stream"] = False  # it streams unless told otherwise
    return smallest


def with_tool(protocol: str, body: Mapping[str, Any]) -> Body:
    """``hello`` and one trivial tool, which need not be called."""
    about = {"name": "note", "description": "Write a note.", "parameters": _SCHEMA}
    tools: dict[str, Any] = {
        "chat": {"type": "function", "function": about},
        "ollama": {"type": "function", "function": about},
        "responses": {"type": "function", **about},
        "anthropic": {"name": "note", "description": "Write a note.", "input_schema": _SCHEMA},
        "gemini": {"functionDeclarations": [about]},
    }
    return hello(protocol, body) | {"tools": [tools[protocol]]}


def models_url(protocol: str, url: str) -> str:
    """Where the endpoint lists its models."""
    parts = urlsplit(url)
    if protocol == "gemini":
        path = parts.path.rpartition("/models/")[0] + "/models"
    elif protocol == "ollama":
        path = parts.path.removesuffix("/api/chat") + "/api/tags"
    else:
        path = parts.path.rstrip("/").removesuffix(_PATHS[protocol]) + "/models"
    query = parts.query if protocol == "gemini" and "key=" in parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def listed_models(listing: Any) -> list[str] | None:
    """The ids in an answer to ``models_url``; ``None`` if it is no such list."""
    if not isinstance(listing, Mapping):
        return None
    entries = listing.get("data", listing.get("models"))
    if not isinstance(entries, list):
        return None
    found = [
        entry.get("id") or entry.get("name") for entry in entries if isinstance(entry, Mapping)
    ]
    return [str(name).removeprefix("models/") for name in found if name]


def other_endpoint(protocol: str, url: str, body: Mapping[str, Any]) -> tuple[str, Body] | None:
    """The vendor's other endpoint for the same, and a small request with a tool for it."""
    if protocol not in ("chat", "responses"):
        return None
    other = "responses" if protocol == "chat" else "chat"
    there = url.replace(_PATHS[protocol], _PATHS[other])
    request = with_tool(other, body)
    if other == "responses" and isinstance(body.get("reasoning_effort"), str):
        request["reasoning"] = {"effort": body["reasoning_effort"]}
    return there, request


def parts(protocol: str, body: Mapping[str, Any]) -> list[Path]:
    """What can be left out of ``body`` so that it is still a request, groups taken apart."""
    found: list[Path] = []
    for name, value in body.items():
        if name in _ESSENTIAL[protocol] or (protocol == "ollama" and name == "stream"):
            continue
        if name in _GROUPS and isinstance(value, Mapping) and len(value) > 1:
            found += [(name, inner) for inner in value]
        elif name != "stream_options" or "stream" not in body:
            found.append((name,))
    return found


def without(body: Mapping[str, Any], *paths: Path) -> Body:
    """A copy of ``body`` without some parts, and without what makes no sense without them."""
    smaller = copy.deepcopy(dict(body))
    for path in paths:
        holder: Any = smaller
        for name in path[:-1]:
            holder = holder.get(name, {})
        holder.pop(path[-1], None)
        if path == ("stream",):
            smaller.pop("stream_options", None)
        if path == ("tools",):
            for name in ("tool_choice", "parallel_tool_calls", "toolConfig", "tool_config"):
                smaller.pop(name, None)
    for name in _GROUPS:
        if smaller.get(name) == {}:
            del smaller[name]
    return smaller


def replaced(body: Mapping[str, Any], path: Path, value: Any) -> Body:
    """A copy of ``body`` with another value at ``path``."""
    changed = copy.deepcopy(dict(body))
    holder: Any = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return changed


def dotted(path: Path) -> str:
    """``path`` as vendors write it."""
    return ".".join(path)
