"""Requests rewritten by a provider's rules: each function changes one thing, in place.

What they change is what the SDK and litellm decide, not the user. A request to which a rule does
not apply is left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_ohllm.diagnosis.protocols import Body

REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "thinking")
"""Where the messages of one vendor or another keep their reasoning."""

_PLAIN_SCHEMA = ("type", "properties", "required", "description", "enum", "items")
_SHORT = 200


def messages_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The conversation's messages, wherever the protocol keeps them."""
    for name in ("messages", "contents", "input"):
        found = body.get(name)
        if isinstance(found, list):
            return [message for message in found if isinstance(message, dict)]
    return []


def content_as_text(body: Body) -> None:
    """Make the content of each message a string where it is a list of texts."""
    for message in messages_of(body):
        content = message.get("content")
        if isinstance(content, list) and all(isinstance(p, dict) and "text" in p for p in content):
            message["content"] = "\n".join(str(part["text"]) for part in content)


def no_null_content(body: Body) -> None:
    """Give each message a content."""
    for message in messages_of(body):
        if "role" in message and "parts" not in message and not message.get("content"):
            message["content"] = "(no text)" if message.get("role") == "assistant" else ""


def no_empty_turns(body: Body) -> None:
    """Leave out messages that say nothing and call nothing."""

    def empty(message: Mapping[str, Any]) -> bool:
        silent = "role" in message and not message.get("content") and "parts" not in message
        return silent and not message.get("tool_calls")

    for name in ("messages", "input"):
        if isinstance(body.get(name), list):
            body[name] = [m for m in body[name] if not (isinstance(m, dict) and empty(m))]


def system_first(body: Body) -> None:
    """Make one system message of all, and put it at the beginning."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    system = [m for m in messages if m.get("role") in ("system", "developer")]
    if len(system) < 2 and messages[: len(system)] == system:
        return
    texts = [_text(message.get("content")) for message in system]
    others = [message for message in messages if message not in system]
    body["messages"] = [{"role": "system", "content": "\n\n".join(texts)}, *others]


def roles_alternate(body: Body) -> None:
    """Join neighbouring messages of the same role."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    merged: list[dict[str, Any]] = []
    for message in messages:
        last = merged[-1] if merged else {}
        both = {message.get("role"), last.get("role")}
        if len(both) == 1 and both <= {"user", "assistant"} and not last.get("tool_calls"):
            joined = f"{_text(last.get('content'))}\n{_text(message.get('content'))}"
            merged[-1] = {**last, **message, "content": joined}
        else:
            merged.append(message)
    body["messages"] = merged


def _calls(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [call for message in messages_of(body) for call in message.get("tool_calls") or []]
    return [call for call in found if isinstance(call, dict)]


def valid_arguments(body: Body) -> None:
    """Empty the arguments of earlier tool calls that are no JSON objects."""
    functions = [call.get("function") for call in _calls(body)]
    items = [item for item in messages_of(body) if item.get("type") == "function_call"]
    for holder in [f for f in functions if isinstance(f, dict)] + items:
        try:
            valid = isinstance(json.loads(holder.get("arguments") or ""), dict)
        except (ValueError, TypeError):
            valid = False
        if not valid:
            holder["arguments"] = "{}"


def one_call_each(body: Body) -> None:
    """Spread calls of one message over messages with one call each."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    answers = {m.get("tool_call_id"): m for m in messages if m.get("role") == "tool"}
    spread: list[dict[str, Any]] = []
    for message in messages:
        calls = message.get("tool_calls") or []
        if len(calls) > 1:
            for call in calls:
                spread.append({**message, "tool_calls": [call]})
                spread += [answers[call["id"]]] if call.get("id") in answers else []
        elif message.get("role") != "tool" or message not in spread:
            spread.append(message)
    body["messages"] = spread


def short_ids(body: Body) -> None:
    """Give tool calls ids of nine letters."""
    names = {str(call.get("id")): f"call{number:05d}" for number, call in enumerate(_calls(body))}
    for call in _calls(body):
        call["id"] = names[str(call.get("id"))]
    for message in messages_of(body):
        if message.get("tool_call_id") in names:
            message["tool_call_id"] = names[message["tool_call_id"]]


def no_reasoning(body: Body) -> None:
    """Leave out earlier reasoning."""
    for message in messages_of(body):
        for name in REASONING:
            message.pop(name, None)
        for key in ("content", "parts"):
            if isinstance(message.get(key), list):
                message[key] = [part for part in message[key] if not is_thought(part)]
    if isinstance(body.get("input"), list):
        body["input"] = [item for item in body["input"] if not is_thought(item)]


def no_cache_marks(body: Body) -> None:
    """Leave out every ``cache_control``."""
    _drop_keys(body, ("cache_control",))


def no_pictures(body: Body) -> None:
    """Put a few words in place of pictures."""
    for message in messages_of(body):
        for key in ("content", "parts"):
            if isinstance(message.get(key), list):
                kept = [part for part in message[key] if "image" not in str(part)[:200].lower()]
                message[key] = kept or [{"type": "text", "text": "(a picture)"}]


def plain_schemas(body: Body) -> None:
    """Keep nothing but the basic keywords in the schemas of tools."""
    for tool in body.get("tools") or []:
        for holder in (tool, tool.get("function") if isinstance(tool, dict) else None):
            if isinstance(holder, dict):
                for key in ("parameters", "input_schema"):
                    if isinstance(holder.get(key), dict):
                        holder[key] = _plain(holder[key])


def shortened(body: Body) -> None:
    """Cut long texts, and keep the structure."""
    for name in ("messages", "contents", "input", "system", "instructions", "system_instruction"):
        if name in body:
            body[name] = _cut(body[name])
    for tool in body.get("tools") or []:
        _cut_descriptions(tool)


def is_thought(part: Any) -> bool:
    """Whether a part of a message is reasoning."""
    if not isinstance(part, Mapping):
        return False
    return part.get("type") in ("thinking", "redacted_thinking", "reasoning") or bool(
        part.get("thought")
    )


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))
    return str(content or "")


def _drop_keys(value: Any, names: Sequence[str]) -> None:
    if isinstance(value, dict):
        for name in names:
            value.pop(name, None)
        for inner in value.values():
            _drop_keys(inner, names)
    elif isinstance(value, list):
        for inner in value:
            _drop_keys(inner, names)


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: schema[name] for name in _PLAIN_SCHEMA if name in schema}
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {name: _plain(one) for name, one in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _plain(kept["items"])
    return kept or {"type": "string"}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _SHORT else re.sub(r"\s+\S*$", "", value[:_SHORT])
    if isinstance(value, list):
        return [_cut(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _cut(inner) if name != "url" else inner for name, inner in value.items()}
    return value


def _cut_descriptions(value: Any) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("description"), str):
            value["description"] = value["description"][:40]
        for inner in value.values():
            _cut_descriptions(inner)
    elif isinstance(value, list):
        for inner in value:
            _cut_descriptions(inner)
