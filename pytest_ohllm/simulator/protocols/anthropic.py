"""Anthropic Messages: a message of typed blocks, or the events in which they come into being."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_ohllm.simulator.protocols import anthropic_request
from pytest_ohllm.simulator.protocols.codec import bearer, frame, pieces
from pytest_ohllm.simulator.response import SSE, Call, Refusal
from pytest_ohllm.simulator.seal import seal
from pytest_ohllm.simulator.turn import Answer, Turn

_STOP_REASONS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class Messages:
    """The codec of ``POST /v1/messages``."""

    name = "anthropic"
    stream_type = SSE
    key_optional = False

    def serves(self, path: str) -> bool:
        """Anthropic's path."""
        return path == "/v1/messages"

    def catalogue(self, call: Call, model: str) -> dict[str, Any] | None:
        """Anthropic's list of models, for clients that say that they speak its protocol."""
        if "anthropic-version" not in call.headers:
            return None
        entry = {
            "type": "model",
            "id": model,
            "display_name": f"Simulated {model.removeprefix('sim-')}",
            "created_at": "2026-01-01T00:00:00Z",
        }
        if call.path == "/v1/models":
            return {"data": [entry], "has_more": False, "first_id": model, "last_id": model}
        return entry if call.path == f"/v1/models/{model}" else None

    def key(self, call: Call) -> str | None:
        """The key header, or a bearer token as gateways take it."""
        return call.headers.get("x-api-key") or bearer(call)

    def read(self, call: Call) -> Turn:
        """Parse the JSON body; raises ``Refused``."""
        return anthropic_request.read(call.body)

    def document(self, answer: Answer) -> dict[str, Any]:
        """A ``message`` object."""
        usage = {**_input_usage(answer), "output_tokens": answer.reply.usage.completion}
        return _message(answer, _blocks(answer), _STOP_REASONS[answer.reply.finish], usage)

    def events(self, answer: Answer) -> Iterator[bytes]:
        """Server-sent events, from ``message_start`` to ``message_stop``."""
        usage = {**_input_usage(answer), "output_tokens": 1}
        yield _event("message_start", message=_message(answer, [], None, usage))
        yield _event("ping")
        for index, block in enumerate(_blocks(answer)):
            yield _event("content_block_start", index=index, content_block=_opening(block))
            for delta in _deltas(block, answer):
                yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        reason = {"stop_reason": _STOP_REASONS[answer.reply.finish], "stop_sequence": None}
        final = {"output_tokens": answer.reply.usage.completion}
        yield _event("message_delta", delta=reason, usage=final)
        yield _event("message_stop")

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """Anthropic's error document: the type is its own for the status, unless given."""
        own = refusal.type if refusal.type in _TYPES.values() else None
        kind = _TYPES.get(refusal.status, "api_error")
        if own and own != "invalid_request_error":
            kind = own
        error = {"type": kind, "message": refusal.message}
        return {"type": "error", "error": error, "request_id": "req_011CSimulated"}

    def unauthorized(self, key: str | None) -> Refusal:
        """Anthropic's 401 in its two wordings."""
        if key is None:
            return Refusal(401, "x-api-key header is required")
        return Refusal(401, "invalid x-api-key")

    def unknown_model(self, model: str) -> Refusal:
        """Anthropic's 404."""
        return Refusal(404, f"model: {model}")


def _event(kind: str, **fields: Any) -> bytes:
    return frame({"type": kind, **fields}, kind)


def _message(
    answer: Answer, content: list[dict[str, Any]], reason: str | None, usage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": f"msg_01{answer.digest[:22]}",
        "type": "message",
        "role": "assistant",
        "model": answer.turn.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _blocks(answer: Answer) -> list[dict[str, Any]]:
    reply = answer.reply
    blocks: list[dict[str, Any]] = []
    if reply.reasoning:
        signed = {
            "type": "thinking",
            "thinking": reply.reasoning,
            "signature": seal(reply.reasoning),
        }
        blocks.append(signed)
    if reply.text or reply.refusal:
        blocks.append({"type": "text", "text": reply.text or reply.refusal})
    for call in reply.tool_calls:
        use = {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}
        blocks.append(use)
    return blocks


def _opening(block: dict[str, Any]) -> dict[str, Any]:
    match block["type"]:
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "text":
            return {"type": "text", "text": ""}
    return {**block, "input": {}}


def _deltas(block: dict[str, Any], answer: Answer) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            for piece in pieces(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in pieces(block["text"]):
                yield {"type": "text_delta", "text": piece}
        case _:
            call = next(call for call in answer.reply.tool_calls if call.id == block["id"])
            yield {"type": "input_json_delta", "partial_json": ""}
            for piece in pieces(call.json):
                yield {"type": "input_json_delta", "partial_json": piece}


def _input_usage(answer: Answer) -> dict[str, Any]:
    """Tokens read from the cache are not counted among the input's; a cache must be asked for."""
    usage = answer.reply.usage
    cached = usage.cached if _caches(answer.turn.fields) else 0
    return {
        "input_tokens": usage.prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }


def _caches(value: Any) -> bool:
    if isinstance(value, dict):
        return "cache_control" in value or any(map(_caches, value.values()))
    return isinstance(value, list) and any(map(_caches, value))
