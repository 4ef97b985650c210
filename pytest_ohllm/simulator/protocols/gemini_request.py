"""Reading a Gemini request: contents in, messages out. Both spellings of field names are taken."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NoReturn

from pytest_ohllm.simulator import picture
from pytest_ohllm.simulator.protocols.codec import token_limit
from pytest_ohllm.simulator.response import Refusal, Refused
from pytest_ohllm.simulator.seal import unseal
from pytest_ohllm.simulator.turn import Message, Picture, Tool, ToolCall, Turn

_UNCHECKED = "skip_thought_signature_validator"
"""What Google lets clients send in place of a signature that they do not have."""


def read(body: bytes, model: str, *, stream: bool) -> Turn:
    """Parse a request's body; raises ``Refused``."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        _refuse("Invalid JSON payload received. Unexpected end of string.")
    if not isinstance(fields, dict):
        _refuse('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    contents = fields.get("contents")
    if not isinstance(contents, list) or not contents:
        _refuse("* GenerateContentRequest.contents: contents is not specified\n")
    messages: list[Message] = []
    system = _texts(_parts(_either(fields, "systemInstruction")))
    if not system:
        # litellm makes the system prompt the first part of the first message, for models of which
        # it does not know that they have one.
        first = _parts(contents[0])
        if len(_texts(first)) > 1:
            system = _texts(first[:1])
            contents = [{**contents[0], "parts": first[1:]}, *contents[1:]]
    if system:
        messages.append(Message("system", "\n".join(system)))
    calls: list[str] = []
    for index, content in enumerate(contents):
        messages += _messages(content, index, calls)
    config = _either(fields, "generationConfig") or {}
    thinking = _either(config, "thinkingConfig") or {}
    return Turn(
        model=model,
        messages=tuple(messages),
        tools=_tools(fields),
        stream=stream,
        stop=tuple(map(str, _either(config, "stopSequences") or ())),
        max_tokens=token_limit(_either(config, "maxOutputTokens")),
        fields=fields,
        reasons=_either(thinking, "includeThoughts") is True,
        protocol="gemini",
    )


def _either(fields: Any, name: str) -> Any:
    """The field in its camel-case or snake-case spelling."""
    if not isinstance(fields, dict):
        return None
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return fields.get(name, fields.get(snake))


def _parts(content: Any) -> list[dict[str, Any]]:
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts or []
    return [part for part in parts if isinstance(part, dict)]


def _texts(parts: list[dict[str, Any]]) -> list[str]:
    return [str(part["text"]) for part in parts if part.get("text") and not part.get("thought")]


def _messages(content: Any, index: int, calls: list[str]) -> list[Message]:
    """The messages of one content; ``calls`` holds the ids of calls that still have no response.

    The protocol has no ids of its own here: responses are matched by their order.
    """
    parts = _parts(content)
    if not parts:
        _refuse(
            f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
        )
    role = content.get("role", "user")
    if role not in ("user", "model", "function"):
        _refuse("Please use a valid role: user, model.")
    if role == "model":
        return [_said(parts, index, calls)]
    results: list[Message] = []
    responses = [r for part in parts if (r := _either(part, "functionResponse")) is not None]
    if len(responses) != len(calls):
        _refuse(
            "Please ensure that the number of function response parts is equal to the number of "
            "function call parts of the function call turn."
        )
    for call_id, response in zip(calls, responses, strict=True):
        results.append(Message("tool", _output(response), call_id=call_id))
    calls.clear()
    texts = _texts(parts)
    pictures = _pictures(parts)
    if texts or not results:
        return [*results, Message("user", "\n".join(texts), pictures=pictures)]
    last = results[-1]
    return [*results[:-1], Message("tool", last.text, call_id=last.call_id, pictures=pictures)]


def _said(parts: list[dict[str, Any]], index: int, calls: list[str]) -> Message:
    if calls:
        _refuse(
            "Please ensure that function call turn comes immediately after a user turn or after a "
            "function response turn."
        )
    made: list[ToolCall] = []
    thought = seal = ""
    for part in parts:
        if part.get("thought"):
            thought = str(part.get("text") or "")
        if signature := _either(part, "thoughtSignature"):
            seal = str(signature)
            thought = _verified(seal) or thought
        call = _either(part, "functionCall")
        if isinstance(call, dict):
            given = call.get("args")
            given = given if isinstance(given, dict) else {}
            made.append(ToolCall(str(call.get("name")), given, f"gemini-{index}-{len(made)}"))
    calls += [str(call.id) for call in made]
    text = "\n".join(_texts(parts))
    return Message("assistant", text, tuple(made), reasoning=thought, seal=seal)


def _verified(seal: str) -> str:
    """The thought in a signature; raises ``Refused`` if it is not one of ours."""
    thought = unseal(seal)
    if thought is not None:
        return thought
    try:
        plain = base64.b64decode(seal, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        plain = seal
    if _UNCHECKED in (seal, plain):
        return ""
    _refuse("Corrupted thought signature.")


def _output(response: Any) -> str:
    """The text of a function's response: the usual wrappers around a string are taken off."""
    value = response.get("response") if isinstance(response, dict) else response
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pictures(parts: list[dict[str, Any]]) -> tuple[Picture, ...]:
    found = []
    for part in parts:
        if inline := _either(part, "inlineData"):
            found.append(picture.from_base64(str(inline.get("data") or "")))
        elif file := _either(part, "fileData"):
            found.append(Picture(url=str(_either(file, "fileUri") or "")))
    return tuple(found)


def _tools(fields: dict[str, Any]) -> tuple[Tool, ...]:
    calling = _either(_either(fields, "toolConfig") or {}, "functionCallingConfig") or {}
    if calling.get("mode") == "NONE":
        return ()
    tools = fields.get("tools") or []
    tools = [tools] if isinstance(tools, dict) else tools
    declared = [d for tool in tools for d in _either(tool, "functionDeclarations") or ()]
    return tuple(_tool(item) for item in declared if isinstance(item, dict))


def _tool(item: dict[str, Any]) -> Tool:
    schema = item.get("parameters") or _either(item, "parametersJsonSchema")
    about = str(item.get("description") or "")
    return Tool(str(item.get("name")), about, schema if isinstance(schema, dict) else {})


def _refuse(message: str) -> NoReturn:
    raise Refused(Refusal(400, message))
