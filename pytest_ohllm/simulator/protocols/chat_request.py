"""Reading an OpenAI Chat Completions request, and refusing a bad one in OpenAI's words."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pytest_ohllm.simulator.response import Refusal, Refused
from pytest_ohllm.simulator.turn import Message, Role, Tool, ToolCall, Turn

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
    fields = _fields(body)
    messages = _required(fields, "messages")
    if not isinstance(messages, list):
        _wrong_type("messages", "an array of objects", messages)
    if not messages:
        _refuse(
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
        max_tokens=_max_tokens(fields),
        fields=fields,
    )


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        _refuse(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but "
            "what was sent was not valid JSON.)"
        )
    if not isinstance(fields, dict):
        _wrong_type("body", "an object", fields)
    if not fields.get("model"):
        _refuse("you must provide a model parameter")
    return fields


def _message(index: int, item: Any) -> Message:
    where = f"messages[{index}]"
    if not isinstance(item, dict):
        _wrong_type(where, "an object", item)
    role = _required(item, "role", where)
    if role not in _ROLES:
        _refuse(
            f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', "
            "'function', 'tool', and 'developer'.",
            f"{where}.role",
            "invalid_value",
        )
    calls = item.get("tool_calls") or []
    if not isinstance(calls, list):
        _wrong_type(f"{where}.tool_calls", "an array of objects", calls)
    return Message(
        role=_ROLES[role],
        text=_text(item.get("content"), f"{where}.content"),
        tool_calls=tuple(_call(call, f"{where}.tool_calls") for call in calls),
        call_id=item.get("tool_call_id"),
    )


def _text(content: Any, where: str) -> str:
    """The text of a message's content; other parts, such as images, are no words."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        _wrong_type(where, "one of a string or array of objects", content)
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def _call(call: Any, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or "name" not in function:
        _refuse(
            f"Missing required parameter: '{where}[0].function'.",
            where,
            "missing_required_parameter",
        )
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except (TypeError, ValueError):
        arguments = {}
    return ToolCall(
        str(function["name"]), arguments if isinstance(arguments, dict) else {}, call.get("id")
    )


def _tools(tools: Any) -> tuple[Tool, ...]:
    if tools is None:
        return ()
    if not isinstance(tools, list):
        _wrong_type("tools", "an array of objects", tools)
    return tuple(_tool(index, item) for index, item in enumerate(tools))


def _tool(index: int, item: Any) -> Tool:
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict):
        where = f"tools[{index}].function"
        _refuse(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    name = _required(function, "name", f"tools[{index}].function")
    schema = function.get("parameters")
    about = function.get("description") or ""
    return Tool(str(name), str(about), schema if isinstance(schema, dict) else {})


def _max_tokens(fields: dict[str, Any]) -> int | None:
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    return limit if isinstance(limit, int) and limit > 0 else None


def _required(fields: dict[str, Any], name: str, where: str = "") -> Any:
    if fields.get(name) is None:
        param = f"{where}.{name}" if where else name
        _refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    return fields[name]


def _wrong_type(param: str, expected: str, value: Any) -> NoReturn:
    kinds = {str: "a string", int: "an integer", float: "a decimal", bool: "a boolean"}
    got = kinds.get(type(value), "an object" if isinstance(value, dict) else "an array")
    _refuse(
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        param,
        "invalid_type",
    )


def _refuse(message: str, param: str | None = None, code: str | None = None) -> NoReturn:
    raise Refused(Refusal(400, message, param=param, code=code))
