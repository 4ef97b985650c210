"""Reading an Anthropic Messages request: blocks in, messages out, Anthropic's rules on history."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pytest_ohllm.simulator import picture
from pytest_ohllm.simulator.protocols.codec import token_limit
from pytest_ohllm.simulator.response import Refusal, Refused
from pytest_ohllm.simulator.seal import unseal
from pytest_ohllm.simulator.turn import Message, Picture, Tool, ToolCall, Turn

_THOUGHTS = ("thinking", "redacted_thinking")


def read(body: bytes) -> Turn:
    """Parse a request's body; raises ``Refused``."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        _refuse("The request body is not valid JSON: unexpected token")
    if not isinstance(fields, dict):
        _refuse("Input should be a valid dictionary")
    for name in ("model", "messages", "max_tokens"):
        if fields.get(name) is None:
            _refuse(f"{name}: Field required")
    history = fields["messages"]
    if not isinstance(history, list):
        _refuse("messages: Input should be a valid list")
    if not history:
        _refuse("messages: at least one message is required")
    thinks = (fields.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    blocks = [_blocks(item, f"messages.{index}") for index, item in enumerate(history)]
    _check_tools(history, blocks)
    if thinks:
        _check_thoughts(history, blocks)
    messages = [Message("system", text) for text in _system(fields.get("system"))]
    for index, item in enumerate(history):
        messages += _messages(item["role"], blocks[index], f"messages.{index}")
    no_tools = (fields.get("tool_choice") or {}).get("type") == "none"
    return Turn(
        model=str(fields["model"]),
        messages=tuple(messages),
        tools=() if no_tools else _tools(fields.get("tools")),
        stream=fields.get("stream") is True,
        stop=tuple(map(str, fields.get("stop_sequences") or ())),
        max_tokens=token_limit(fields["max_tokens"]),
        fields=fields,
        reasons=thinks,
        protocol="anthropic",
    )


def _system(system: Any) -> list[str]:
    if isinstance(system, str):
        return [system]
    parts = [part.get("text") for part in system or () if isinstance(part, dict)]
    return ["\n".join(part for part in parts if isinstance(part, str))] if parts else []


def _blocks(item: Any, where: str) -> list[dict[str, Any]]:
    """The blocks of one message, checked for what the API checks."""
    if not isinstance(item, dict):
        _refuse(f"{where}: Input should be a valid dictionary")
    role = item.get("role")
    if role not in ("user", "assistant"):
        _refuse(
            f'messages: Unexpected role "{role}". The Messages API accepts a top-level `system` '
            'parameter, not "system" as an input message role.'
        )
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        _refuse(f"{where}.content: Input should be a valid list")
    for index, block in enumerate(content):
        if not isinstance(block, dict) or "type" not in block:
            _refuse(f"{where}.content.{index}: Unable to extract tag using discriminator 'type'")
        if block["type"] == "text" and not str(block.get("text") or "").strip():
            _refuse("messages: text content blocks must be non-empty")
    return content


def _check_tools(history: list[Any], blocks: list[list[dict[str, Any]]]) -> None:
    """Every call is answered in the very next message, and nothing else is."""
    open_calls: list[str] = []
    for index, item in enumerate(history):
        answered = [b.get("tool_use_id") for b in blocks[index] if b["type"] == "tool_result"]
        for given in answered:
            if given not in open_calls:
                _refuse(
                    f"messages.{index}.content.0: unexpected `tool_use_id` found in `tool_result` "
                    f"blocks: {given}. Each `tool_result` block must have a corresponding "
                    "`tool_use` block in the previous message."
                )
        missing = [call for call in open_calls if call not in answered]
        if missing:
            _unanswered(index - 1, missing)
        is_model = item["role"] == "assistant"
        open_calls = [
            str(b.get("id")) for b in blocks[index] if is_model and b["type"] == "tool_use"
        ]
    if open_calls:
        _unanswered(len(history) - 1, open_calls)


def _unanswered(index: int, calls: list[str]) -> NoReturn:
    _refuse(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately "
        f"after: {', '.join(calls)}. Each `tool_use` block must have a corresponding `tool_result` "
        "block in the next message."
    )


def _check_thoughts(history: list[Any], blocks: list[list[dict[str, Any]]]) -> None:
    """While tools are being used, the thoughts before the call must come back."""
    for index in range(len(history) - 1, -1, -1):
        if history[index]["role"] == "user":
            if all(block["type"] == "tool_result" for block in blocks[index]):
                continue
            return
        kinds = [block["type"] for block in blocks[index]]
        if "tool_use" in kinds and kinds[0] not in _THOUGHTS:
            _refuse(
                f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but "
                f"found `{kinds[0]}`. When `thinking` is enabled, a final `assistant` message must "
                "start with a thinking block (preceeding the lastmost set of `tool_use` and "
                "`tool_result` blocks). We recommend you include thinking blocks from previous "
                "turns. To avoid this requirement, disable `thinking`."
            )


def _messages(role: str, blocks: list[dict[str, Any]], where: str) -> list[Message]:
    """Results first, each a message of its own, then what the role says."""
    results: list[Message] = []
    texts: list[str] = []
    calls: list[ToolCall] = []
    pictures: list[Picture] = []
    thought = seal = ""
    for index, block in enumerate(blocks):
        match block["type"]:
            case "text":
                texts.append(str(block.get("text") or ""))
            case "image":
                pictures.append(_picture(block))
            case "tool_use":
                given = block.get("input")
                given = given if isinstance(given, dict) else {}
                calls.append(ToolCall(str(block.get("name")), given, block.get("id")))
            case "tool_result":
                results.append(_result(block))
            case "thinking":
                thought, seal = _thought(block, f"{where}.content.{index}")
    if role == "assistant":
        text = "\n".join(texts)
        return [Message("assistant", text, tuple(calls), reasoning=thought, seal=seal)]
    if texts or pictures:
        results.append(Message("user", "\n".join(texts), pictures=tuple(pictures)))
    return results


def _thought(block: dict[str, Any], where: str) -> tuple[str, str]:
    thought, seal = str(block.get("thinking") or ""), block.get("signature")
    if not isinstance(seal, str):
        _refuse(f"{where}.thinking.signature: Field required")
    # The signature is what the vendor verifies: it holds the whole thought.
    if unseal(seal) is None:
        _refuse(f"{where}: Invalid `signature` in `thinking` block")
    return thought, seal


def _result(block: dict[str, Any]) -> Message:
    content = block.get("content")
    parts = content if isinstance(content, list) else []
    text = (
        content
        if isinstance(content, str)
        else "\n".join(
            str(part.get("text")) for part in parts if isinstance(part, dict) and part.get("text")
        )
    )
    pictures = [_picture(p) for p in parts if isinstance(p, dict) and p.get("type") == "image"]
    call_id = block.get("tool_use_id")
    return Message("tool", text, call_id=call_id, pictures=tuple(pictures))


def _picture(block: dict[str, Any]) -> Picture:
    source = block.get("source")
    source = source if isinstance(source, dict) else {}
    if source.get("type") == "base64":
        return picture.from_base64(str(source.get("data") or ""))
    return picture.from_url(str(source.get("url") or ""))


def _tools(tools: Any) -> tuple[Tool, ...]:
    found = []
    for index, item in enumerate(tools or ()):
        if not isinstance(item, dict) or not item.get("name"):
            _refuse(f"tools.{index}.custom.name: Field required")
        schema = item.get("input_schema")
        if not isinstance(schema, dict):
            _refuse(f"tools.{index}.custom.input_schema: Field required")
        if schema.get("type") != "object":
            _refuse(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
        found.append(Tool(str(item["name"]), str(item.get("description") or ""), schema))
    return tuple(found)


def _refuse(message: str) -> NoReturn:
    raise Refused(Refusal(400, message))
