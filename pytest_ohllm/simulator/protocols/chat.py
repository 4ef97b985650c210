"""OpenAI Chat Completions: one JSON document, or a stream of chunks ended by ``[DONE]``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_ohllm.simulator.protocols import chat_request
from pytest_ohllm.simulator.protocols.codec import pieces
from pytest_ohllm.simulator.response import Call, Refusal, json_bytes
from pytest_ohllm.simulator.turn import Answer, ToolCall, Turn, Usage

_CATALOGUE_CREATED = 1_767_225_600


def _models(model: str) -> dict[str, Any]:
    entry = {
        "id": model,
        "object": "model",
        "created": _CATALOGUE_CREATED,
        "owned_by": "pytest-ohllm",
    }
    return {"object": "list", "data": [entry]}


class ChatCompletions:
    """The codec of ``POST /v1/chat/completions``."""

    name = "chat"
    path = "/v1/chat/completions"
    catalogues: Mapping[str, Callable[[str], dict[str, Any]]] = {"/v1/models": _models}

    def key(self, call: Call) -> str | None:
        """The bearer token."""
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        return key.strip() or None if scheme.lower() == "bearer" else None

    def read(self, call: Call) -> Turn:
        """Parse the JSON body; raises ``Refused``."""
        return chat_request.read(call.body)

    def document(self, answer: Answer) -> dict[str, Any]:
        """A ``chat.completion`` object."""
        reply = answer.reply
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if reply.tool_calls and not reply.text else reply.text,
            "refusal": None,
        }
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [_call(call) for call in reply.tool_calls]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": reply.finish,
        }
        return {
            **_envelope(answer, "chat.completion"),
            "choices": [choice],
            "usage": _usage(reply.usage),
        }

    def events(self, answer: Answer) -> Iterator[bytes]:
        """Server-sent events: role, text, calls, finish, usage if it was asked for, ``[DONE]``."""
        options = answer.turn.fields.get("stream_options")
        with_usage = isinstance(options, dict) and options.get("include_usage") is True
        envelope = _envelope(answer, "chat.completion.chunk")
        # With include_usage every chunk has the field, and only the last one a value.
        tail = {"usage": None} if with_usage else {}
        for delta in _deltas(answer):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
            yield _frame({**envelope, "choices": [choice], **tail})
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": answer.reply.finish}
        yield _frame({**envelope, "choices": [choice], **tail})
        if with_usage:
            yield _frame({**envelope, "choices": [], "usage": _usage(answer.reply.usage)})
        yield b"data: [DONE]\n\n"

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """OpenAI's error document."""
        return {
            "error": {
                "message": refusal.message,
                "type": refusal.type,
                "param": refusal.param,
                "code": refusal.code,
            }
        }

    def unauthorized(self, key: str | None) -> Refusal:
        """OpenAI's 401 in its two wordings."""
        if key is None:
            return Refusal(
                401,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        shown = f"{key[:3]}{'*' * 12}{key[-4:]}" if len(key) > 20 else "*" * len(key)
        return Refusal(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    reply = answer.reply
    yield {"role": "assistant", "content": None if reply.tool_calls and not reply.text else ""}
    for piece in pieces(reply.reasoning):
        yield {"reasoning_content": piece}
    for piece in pieces(reply.text):
        yield {"content": piece}
    for index, call in enumerate(reply.tool_calls):
        whole = _call(call)
        arguments = whole["function"]["arguments"]
        head = {**whole, "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [{"index": index, **head}]}
        for piece in pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _envelope(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.digest[:29]}",
        "object": kind,
        "created": answer.created,
        "model": answer.turn.model,
        "system_fingerprint": f"fp_{answer.digest[29:39]}",
    }


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments))
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _frame(document: dict[str, Any]) -> bytes:
    return b"data: " + json_bytes(document) + b"\n\n"
