"""Reading an OpenAI Responses request: items in, messages out, and OpenAI's rules of order."""

from __future__ import annotations

from typing import Any

from pytest_ohllm.simulator import picture
from pytest_ohllm.simulator.protocols.codec import arguments, token_limit
from pytest_ohllm.simulator.protocols.openai_errors import parse, refuse, required, wrong_type
from pytest_ohllm.simulator.response import Refusal, Refused
from pytest_ohllm.simulator.seal import unseal
from pytest_ohllm.simulator.turn import Message, Picture, Role, Tool, ToolCall, Turn

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def read(body: bytes) -> Turn:
    """Parse a request's body; raises ``Refused``."""
    fields = parse(body)
    if earlier := fields.get("previous_response_id"):
        refuse(
            f"Previous response with id '{earlier}' not found.",
            "previous_response_id",
            "previous_response_not_found",
        )
    given = required(fields, "input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list):
        wrong_type("input", "one of a string or an array of input items", given)
    if not given:
        refuse("Invalid 'input': empty array. Expected at least one input item.", "input")
    _check_order(given)
    messages = _messages(given, stored=fields.get("store", True) is not False)
    if instructions := fields.get("instructions"):
        messages.insert(0, Message("system", str(instructions)))
    return Turn(
        model=str(fields["model"]),
        messages=tuple(messages),
        tools=() if fields.get("tool_choice") == "none" else _tools(fields.get("tools")),
        stream=fields.get("stream") is True,
        max_tokens=token_limit(fields.get("max_output_tokens")),
        fields=fields,
        reasons=_reasons(fields.get("reasoning")),
        protocol="responses",
    )


def _reasons(asked: Any) -> bool:
    return isinstance(asked, dict) and asked.get("effort") not in (None, "none")


def _messages(items: list[Any], *, stored: bool) -> list[Message]:
    messages: list[Message] = []
    thought = seal = ""
    for index, item in enumerate(items):
        where = f"input[{index}]"
        if not isinstance(item, dict):
            wrong_type(where, "an object", item)
        match item.get("type", "message"):
            case "message":
                messages.append(_message(item, where, thought, seal))
                thought = seal = ""
            case "function_call":
                call = ToolCall(
                    str(required(item, "name", where)),
                    arguments(item.get("arguments")),
                    item.get("call_id"),
                )
                messages.append(
                    Message("assistant", tool_calls=(call,), reasoning=thought, seal=seal)
                )
                thought = seal = ""
            case "function_call_output":
                output = item.get("output")
                text, pictures = _text(output, f"{where}.output"), _pictures(output)
                call_id = item.get("call_id")
                messages.append(Message("tool", text, call_id=call_id, pictures=pictures))
            case "reasoning":
                thought, seal = _reasoning(item, where, stored=stored)
            case other:
                refuse(
                    f"Invalid value: '{other}'. Supported values are: 'message', 'function_call', "
                    "'function_call_output', and 'reasoning'.",
                    f"{where}.type",
                    "invalid_value",
                )
    return messages


def _message(item: dict[str, Any], where: str, thought: str, seal: str) -> Message:
    role = required(item, "role", where)
    if role not in _ROLES:
        refuse(
            f"Invalid value: '{role}'. Supported values are: 'assistant', 'system', 'developer', "
            "and 'user'.",
            f"{where}.role",
            "invalid_value",
        )
    content = item.get("content")
    return Message(
        _ROLES[role],
        _text(content, f"{where}.content"),
        pictures=_pictures(content),
        reasoning=thought,
        seal=seal,
    )


def _reasoning(item: dict[str, Any], where: str, *, stored: bool) -> tuple[str, str]:
    """The thought that came back, from the sealed form: the summary may be missing."""
    sealed = item.get("encrypted_content")
    if sealed is None:
        if not stored:
            raise Refused(
                Refusal(
                    404,
                    f"Item with id '{item.get('id')}' not found. Items are not persisted when "
                    "`store` is set to false. Try again with `store` set to true, or remove this "
                    "item from your input.",
                    param="input",
                )
            )
        summary = item.get("summary") or []
        return "\n".join(str(p.get("text")) for p in summary if isinstance(p, dict)), ""
    thought = unseal(str(sealed))
    if thought is None:
        refuse(
            f"The encrypted content for item {item.get('id')} could not be verified. Reason: "
            "Encrypted content could not be decrypted or parsed.",
            f"{where}.encrypted_content",
            "invalid_encrypted_content",
        )
    return thought, str(sealed)


def _check_order(items: list[Any]) -> None:
    """Every call has its output, every output its call, and a thought comes before something."""
    kinds = [item.get("type", "message") if isinstance(item, dict) else "" for item in items]
    called = {i.get("call_id") for i, k in zip(items, kinds, strict=True) if k == "function_call"}
    answered = {
        i.get("call_id") for i, k in zip(items, kinds, strict=True) if k == "function_call_output"
    }
    for missing in sorted(map(str, answered - called)):
        refuse(f"No tool call found for function call output with call_id {missing}.", "input")
    for missing in sorted(map(str, called - answered)):
        refuse(f"No tool output found for function call {missing}.", "input")
    for item, kind, after in zip(items, kinds, [*kinds[1:], ""], strict=True):
        if kind == "reasoning" and after not in ("message", "function_call", "reasoning"):
            refuse(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required "
                "following item.",
                "input",
            )


def _text(content: Any, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        wrong_type(where, "one of an array of objects or string", content)
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def _pictures(content: Any) -> tuple[Picture, ...]:
    if not isinstance(content, list):
        return ()
    images = [p for p in content if isinstance(p, dict) and p.get("type") == "input_image"]
    urls = [image.get("image_url") for image in images]
    return tuple(picture.from_url(url) for url in urls if isinstance(url, str))


def _tools(tools: Any) -> tuple[Tool, ...]:
    if tools is None:
        return ()
    if not isinstance(tools, list):
        wrong_type("tools", "an array of objects", tools)
    return tuple(
        _tool(item, f"tools[{index}]")
        for index, item in enumerate(tools)
        if isinstance(item, dict) and item.get("type") == "function"
    )


def _tool(item: dict[str, Any], where: str) -> Tool:
    name = str(required(item, "name", where))
    schema = item.get("parameters")
    about = str(item.get("description") or "")
    return Tool(name, about, schema if isinstance(schema, dict) else {})
