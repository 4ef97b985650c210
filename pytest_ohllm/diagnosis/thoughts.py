"""A model's reasoning as it came, so that it can go back as the provider wants it: unchanged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_ohllm.diagnosis.protocols import Body
from pytest_ohllm.diagnosis.remedies import NO_EFFORT
from pytest_ohllm.diagnosis.repairs import Repair
from pytest_ohllm.diagnosis.rewriting import REASONING, is_thought, messages_of
from pytest_ohllm.model import Exchange
from pytest_ohllm.wire import reading


def restored(history: Sequence[Exchange]) -> Repair:
    """The repair that puts the reasoning of earlier answers back, found by the ids of their calls.

    Whoever changed or dropped it on the way, it was not the user.
    """
    fields: dict[str, dict[str, Any]] = {}
    blocks: dict[str, list[Any]] = {}
    for exchange in history:
        for message in _messages(exchange):
            kept = {name: message[name] for name in REASONING if message.get(name)}
            fields |= {call: kept for call in _call_ids(message) if kept}
            content = message.get("content")
            thoughts = [p for p in content if is_thought(p)] if isinstance(content, list) else []
            blocks |= {call: thoughts for call in _call_ids(message) if thoughts}

    def restore(body: Body) -> None:
        for message in messages_of(body):
            for call in _call_ids(message):
                message.update(fields.get(call, {}))
                if call in blocks and isinstance(message.get("content"), list):
                    others = [part for part in message["content"] if not is_thought(part)]
                    message["content"] = [*copy.deepcopy(blocks[call]), *others]

    return Repair(
        "reasoning as received",
        "the model's reasoning goes back exactly as it came",
        restore,
        settings=({"native_tool_calling": False}, *NO_EFFORT),
    )


def _messages(exchange: Exchange) -> Iterator[Mapping[str, Any]]:
    """The messages of an answer, one that streamed in Anthropic's events put together."""
    events = reading.objects(exchange)
    for one in events:
        choices = one.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            message = choice.get("message") if isinstance(choice, Mapping) else None
            if isinstance(message, Mapping):
                yield message
        if isinstance(one.get("content"), list):
            yield one
    if any(one.get("type") == "content_block_start" for one in events):
        yield {"content": _blocks(events)}


def _blocks(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Content blocks from the events of a stream of Messages."""
    blocks: dict[Any, dict[str, Any]] = {}
    for event in events:
        index, delta = event.get("index"), event.get("delta")
        if event.get("type") == "content_block_start":
            blocks[index] = dict(event.get("content_block") or {})
        elif event.get("type") == "content_block_delta" and isinstance(delta, Mapping):
            block = blocks.setdefault(index, {})
            for name in ("text", "thinking", "signature", "partial_json"):
                if isinstance(delta.get(name), str):
                    block[name] = str(block.get(name) or "") + delta[name]
    for block in blocks.values():
        if "partial_json" in block:
            block["input"] = json.loads(block.pop("partial_json") or "{}")
    return list(blocks.values())


def _call_ids(message: Mapping[str, Any]) -> list[str]:
    calls = message.get("tool_calls")
    found = [call.get("id") for call in calls if isinstance(call, dict)] if calls else []
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    found += [p.get("id") for p in parts if isinstance(p, Mapping) and p.get("type") == "tool_use"]
    return [str(one) for one in found if one]
