"""Reading an OpenAI Chat Completions request, and refusing a bad one in OpenAI's words."""

from __future__ import annotations

from typing import Any

from pytest_ohllm.simulator import picture
from pytest_ohllm.simulator.protocols.codec import arguments, token_limit
from pytest_ohllm.simulator.protocols.openai_errors import parse, refuse, required, wrong_type
from pytest_ohllm.simulator.turn import Message, Picture, Role, Tool, ToolCall, Turn

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def read(body: bytes) -> Turn:
    """Parse a request's body; raises ``Refused``."""
    fields = parse(body)
    messages = required(fields, "messages")
    if not isinstance(messages, list):
        wrong_type("messages", "an array of objects", messages)
    if not messages:
        refuse(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
            "messages",
            "empty_array",
        )
    stop = fields.get("stop") or ()
    return Turn(
        model=str(fields["model"]),
        messages=tuple(_message(index, item) for index, item in enumerate(messages)),
        tools=() if fields.get("tool_choice") == "none" else _tools(fields.get("tools")),
        stream=fields.get("stream") is True,
        stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)),
        max_tokens=token_limit(fields.get("max_completion_tokens"), fields.get("max_tokens")),
        fields=fields,
    )


def _message(index: int, item: Any) -> Message:
    where = f"messages[{index}]"
    if not isinstance(item, dict):
        wrong_type(where, "an object", item)
    role = required(item, "role", where)
    if role not in _ROLES:
        refuse(
            f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', "
            "'function', 'tool', and 'developer'.",
            f"{where}.role",
            "invalid_value",
        )
    calls = item.get("tool_calls") or []
    if not isinstance(calls, list):
        wrong_type(f"{where}.tool_calls", "an array of objects", calls)
    return Message(
        role=_ROLES[role],
        text=_text(item.get("content"), f"{where}.content"),
        tool_calls=tuple(_call(call, f"{where}.tool_calls") for call in calls),
        call_id=item.get("tool_call_id"),
        pictures=_pictures(item.get("content")),
        reasoning=str(item.get("reasoning_content") or item.get("reasoning") or ""),
    )


def _text(content: Any, where: str) -> str:
    """The text of a message's content; other parts, such as images, are no words."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        wrong_type(where, "one of a string or array of objects", content)
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def _pictures(content: Any) -> tuple[Picture, ...]:
    if not isinstance(content, list):
        return ()
    images = [part.get("image_url") for part in content if isinstance(part, dict)]
    urls = [image.get("url") if isinstance(image, dict) else image for image in images]
    return tuple(picture.from_url(url) for url in urls if isinstance(url, str))


def _call(call: Any, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or "name" not in function:
        refuse(
            f"Missing required parameter: '{where}[0].function'.",
            where,
            "missing_required_parameter",
        )
    return ToolCall(str(function["name"]), arguments(function.get("arguments")), call.get("id"))


def _tools(tools: Any) -> tuple[Tool, ...]:
    if tools is None:
        return ()
    if not isinstance(tools, list):
        wrong_type("tools", "an array of objects", tools)
    return tuple(_tool(index, item) for index, item in enumerate(tools))


def _tool(index: int, item: Any) -> Tool:
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict):
        where = f"tools[{index}].function"
        refuse(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    name = required(function, "name", f"tools[{index}].function")
    schema = function.get("parameters")
    about = function.get("description") or ""
    return Tool(str(name), str(about), schema if isinstance(schema, dict) else {})
