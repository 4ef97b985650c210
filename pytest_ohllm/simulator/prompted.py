"""Tool calls as text: the format that the SDK asks for when ``native_tool_calling`` is off.

The tools stand in the system prompt, calls are ``<function=…>`` blocks in the assistant's text,
and results come back as user messages. ``unfold`` makes an ordinary request of such a one, ``fold``
turns the reply back.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from pytest_ohllm.simulator.turn import Message, Reply, Tool, ToolCall, Turn

_SPEC = "You have access to the following functions:"
_FUNCTION = re.compile(
    r"^---- BEGIN FUNCTION #\d+: (?P<name>\S+) ----\n(?P<body>.*?)^---- END FUNCTION #\d+ ----",
    re.DOTALL | re.MULTILINE,
)
_PARAMETER = re.compile(
    r"^  \(\d+\) (?P<name>\w+) \((?P<type>[^,)]+), (?P<status>required|optional)\): (?P<about>.*)$",
    re.MULTILINE,
)
_TASK = re.compile(
    r"^-+ NEW TASK DESCRIPTION -+\n(.*?)\n-+ END OF NEW TASK DESCRIPTION -+",
    re.DOTALL | re.MULTILINE,
)
_CALL = re.compile(r"<function=(?P<name>[^>]+)>\n?(?P<body>.*?)(?:</function>|\Z)", re.DOTALL)
_ARGUMENT = re.compile(r"<parameter=(?P<name>[^>]+)>(?P<value>.*?)</parameter>", re.DOTALL)
_RESULT = re.compile(r"\s*EXECUTION RESULT of \[(?P<name>.*?)\]:\n(?P<text>.*)", re.DOTALL)


def unfold(turn: Turn) -> Turn:
    """``turn`` with tools, calls and results in their own fields, if its prompt describes tools."""
    spec = next((m.text for m in turn.messages if m.role == "system" and _SPEC in m.text), None)
    if turn.tools or spec is None:
        return turn
    messages: list[Message] = []
    calls = 0
    for message in turn.messages:
        message = _unfold_message(message, calls)
        calls += len(message.tool_calls)
        messages.append(message)
    tools = tuple(_tool(match) for match in _FUNCTION.finditer(spec))
    return replace(turn, messages=tuple(messages), tools=tools, prompt_based=True)


def fold(reply: Reply) -> Reply:
    """``reply`` with its first call written into the text; the format allows one call a message."""
    if not reply.tool_calls:
        return reply
    call = reply.tool_calls[0]
    lines = [reply.text, f"<function={call.name}>"] if reply.text else [f"<function={call.name}>"]
    for name, value in call.arguments.items():
        # The prompt says nothing on how objects and lists are written; models write JSON.
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"<parameter={name}>{text}</parameter>")
    lines.append("</function>")
    return replace(reply, text="\n".join(lines), tool_calls=(), finish="stop")


def _unfold_message(message: Message, calls: int) -> Message:
    """One message; ``calls`` is how many calls came before it, which is what their ids count."""
    if message.role == "assistant" and (call := _CALL.search(message.text)):
        arguments = {m["name"]: m["value"].strip() for m in _ARGUMENT.finditer(call["body"])}
        made = ToolCall(call["name"], arguments, id=f"prompted-{calls}")
        return replace(message, text=message.text[: call.start()].strip(), tool_calls=(made,))
    if message.role != "user":
        return message
    text = message.text
    if task := _TASK.search(text):
        text = task.group(1)
    if result := _RESULT.match(text):
        return Message("tool", result["text"], call_id=f"prompted-{calls - 1}")
    return replace(message, text=text)


def _tool(match: re.Match[str]) -> Tool:
    """A tool from its description in the prompt; its schema holds what the description tells."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in _PARAMETER.finditer(match["body"]):
        properties[parameter["name"]] = {"type": parameter["type"]}
        allowed = re.match(r"\nAllowed values: \[(.*)\]", match["body"][parameter.end() :])
        if allowed:
            properties[parameter["name"]]["enum"] = re.findall(r"`([^`]*)`", allowed.group(1))
        if parameter["status"] == "required":
            required.append(parameter["name"])
    schema = {"type": "object", "properties": properties, "required": required}
    description = match["body"].partition("Parameters:\n")[0].removeprefix("Description: ").strip()
    return Tool(match["name"], description, schema)
