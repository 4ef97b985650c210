"""The SDK's events, reduced to what checks judge.

Classes are told apart by name: they have moved between modules from version to version, their names
have not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pytest_ohllm.model import Event

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_LONGEST_TEXT = 20_000


def reduce(events: Iterable[Any]) -> tuple[Event, ...]:
    """One Event for each SDK event, in order."""
    return tuple(_event(event) for event in events)


def final_text(events: Iterable[Event]) -> str:
    """The agent's last word: the message of its ``finish`` call, or its last plain message."""
    last = ""
    for event in events:
        is_message = event.kind == "message" and event.source == "agent"
        if event.text and (is_message or (event.kind == "tool_call" and event.tool == "finish")):
            last = event.text
    return last


def _event(event: Any) -> Event:
    name = type(event).__name__
    source = str(getattr(event, "source", ""))
    common: dict[str, Any] = {
        "source": source,
        "tool": getattr(event, "tool_name", None),
        "call_id": getattr(event, "tool_call_id", None),
    }
    if name == "MessageEvent":
        return Event(kind="message", text=_content(event.llm_message.content), **common)
    if name == "ActionEvent":
        action = event.action
        return Event(
            kind="tool_call",
            text=_clip(str(getattr(action, "message", "") or "")) if action else _written(event),
            command=getattr(action, "command", None),
            arguments=_arguments(event),
            **common,
        )
    if name == "ObservationEvent":
        observation = event.observation
        return Event(
            kind="observation",
            text=_observation_text(observation),
            command=getattr(observation, "command", None),
            exit_code=_exit_code(observation),
            **common,
        )
    if name == "UserRejectObservation":
        return Event(kind="rejection", text=event.rejection_reason, **common)
    if name == "AgentErrorEvent":
        return Event(kind="error", text=_clip(event.error), **common)
    if name == "ConversationErrorEvent":
        return Event(kind="error", text=_clip(f"{event.code}: {event.detail}"), **common)
    return Event(kind="other", text=name, **common)


def _written(event: Any) -> str:
    """The arguments of a call as the model wrote them."""
    call = getattr(event, "tool_call", None)
    call = getattr(call, "function", call)  # older SDKs keep litellm's object
    return _clip(str(getattr(call, "arguments", "") or ""))


def _arguments(event: Any) -> Any:
    """The arguments of a call as data, if they are JSON."""
    try:
        return json.loads(_written(event))
    except ValueError:
        return None


def _observation_text(observation: Any) -> str:
    text = getattr(observation, "text", None)
    if not isinstance(text, str):
        parts = getattr(observation, "content", None) or observation.to_llm_content
        text = parts if isinstance(parts, str) else _content(parts)
    return _clip(_ESCAPES.sub("", text))


def _exit_code(observation: Any) -> int | None:
    for holder in (observation, getattr(observation, "metadata", None)):
        code = getattr(holder, "exit_code", None)
        if isinstance(code, int):
            return code
    return None


def _content(parts: Iterable[Any]) -> str:
    return _clip("\n".join(part.text for part in parts if getattr(part, "text", None)))


def _clip(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters …]\n{text[-half:]}"
