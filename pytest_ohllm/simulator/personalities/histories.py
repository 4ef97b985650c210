"""Personalities that are particular about messages: their order, their content, their length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Reply, Turn

_READ = 2000


def _items(turn: Turn) -> Sequence[Mapping[str, Any]]:
    """The messages of a Chat Completions request as they were sent."""
    return [item for item in turn.fields.get("messages") or () if isinstance(item, dict)]


def _content_is_a_string(turn: Turn) -> Refusal | None:
    """vLLM with a template that knows text only, as pydantic puts it."""
    for index, item in enumerate(_items(turn)):
        if isinstance(item.get("content"), list):
            return Refusal(
                422,
                f"body.messages.{index}.content: Input should be a valid string",
                body={
                    "detail": [
                        {
                            "type": "string_type",
                            "loc": ["body", "messages", index, "content"],
                            "msg": "Input should be a valid string",
                        }
                    ]
                },
            )
    return None


def _system_comes_first(turn: Turn) -> Refusal | None:
    if any(m.role == "system" for m in turn.messages[1:]):
        return Refusal(
            400, "System message must be at the beginning.", type="BadRequestError", code=400
        )
    return None


def _roles_alternate(turn: Turn) -> Refusal | None:
    """A template of Mistral or Gemma: user and assistant take turns."""
    said = [m for m in turn.messages if m.role in ("user", "assistant") and not m.tool_calls]
    for one, other in pairwise(said):
        if one.role == other.role == "user":
            return Refusal(
                400,
                "After the optional system message, conversation roles must alternate "
                "user/assistant/user/assistant/...",
                type="BadRequestError",
                code=400,
            )
    return None


def _assistant_speaks(turn: Turn) -> Refusal | None:
    for index, message in enumerate(turn.messages):
        if message.role == "assistant" and not message.text and not message.tool_calls:
            return Refusal(
                400,
                f"Invalid request: the message at position {index} with role 'assistant' must not "
                "be empty",
            )
    return None


def _content_is_there(turn: Turn) -> Refusal | None:
    """A schema in which a message without content does not exist, tool calls or not."""
    for index, item in enumerate(_items(turn)):
        if item.get("content") is None:
            return Refusal(
                422,
                f"messages[{index}].content: missing field `content`",
                body={"detail": f"messages[{index}]: missing field `content`"},
            )
    return None


def _tools_in_order(turn: Turn) -> Refusal | None:
    """OpenAI's rule: calls are answered at once, and nothing else is."""
    open_calls: list[str] = []
    for index, message in enumerate(turn.messages):
        if message.role == "tool":
            if message.call_id not in open_calls:
                return Refusal(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
            open_calls.remove(message.call_id)
        elif open_calls:
            break
        else:
            open_calls = [str(call.id) for call in message.tool_calls]
    if not open_calls:
        return None
    return Refusal(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        f"{', '.join(open_calls)}",
        param="messages",
    )


def _reads_beginnings(turn: Turn, reply: Reply) -> Reply:
    """Of a long message only the beginning is read, without a word."""
    cut = tuple(replace(m, text=m.text[:_READ]) if m.role == "tool" else m for m in turn.messages)
    return agent.answer(replace(turn, messages=cut)) if cut != turn.messages else reply


def _forgets(turn: Turn, reply: Reply) -> Reply:
    """A context that is cut without a word: only the present request is left of the history."""
    users = [i for i, m in enumerate(turn.messages) if m.role == "user"]
    if len(users) < 2:
        return reply
    system = tuple(m for m in turn.messages if m.role == "system")
    return agent.answer(replace(turn, messages=(*system, *turn.messages[users[-1] :])))


def _works(name: str, description: str, refuse: Refuse, **about: Any) -> Personality:
    return Personality(name, description, healthy=True, verdict="WORKS", refuse=(refuse,), **about)


PERSONALITIES = (
    Personality(
        "content-must-be-string",
        "rejects content in parts: it must be a string",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="sdk_gap",
        refuse=(_content_is_a_string,),
        remedy={"force_string_serializer": True},
    ),
    _works(
        "system-first",
        "rejects a system message in the middle of a conversation",
        _system_comes_first,
    ),
    _works(
        "roles-alternate",
        "rejects two messages of the user in a row, as Mistral's template does",
        _roles_alternate,
    ),
    _works(
        "empty-assistant-rejected",
        "rejects an assistant's message without content and without calls",
        _assistant_speaks,
    ),
    Personality(
        "null-content-rejected",
        "rejects a message without content, even one with tool calls",
        verdict="WORKS WITH SETTINGS",
        stage="C",
        kind="sdk_gap",
        refuse=(_content_is_there,),
        remedy={"native_tool_calling": False},
    ),
    _works(
        "tool-order-enforced",
        "rejects tool calls that are not answered at once, as OpenAI does",
        _tools_in_order,
    ),
    Personality(
        "forgetful",
        "loses everything but the last request without a word, as a short context does",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="resume",
        kind="model_limitation",
        behave=(_forgets,),
    ),
    Personality(
        "long-results-cut",
        "reads only the first 2000 characters of a tool's result",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="long_output",
        kind="model_limitation",
        behave=(_reads_beginnings,),
    ),
)
