"""OpenAI Chat Completions: one JSON document, or a stream of chunks ended by ``[DONE]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_ohllm.simulator.protocols import chat_request, openai_errors
from pytest_ohllm.simulator.protocols.codec import bearer, frame, pieces
from pytest_ohllm.simulator.response import SSE, Call, Refusal
from pytest_ohllm.simulator.turn import Answer, ToolCall, Turn, Usage

_CATALOGUE_CREATED = 1_767_225_600


class ChatCompletions:
    """The codec of ``POST /v1/chat/completions``."""

    name = "chat"
    stream_type = SSE
    key_optional = False

    def serves(self, path: str) -> bool:
        """OpenAI's path."""
        return path == "/v1/chat/completions"

    def catalogue(self, call: Call, model: str) -> dict[str, Any] | None:
        """OpenAI's list of models, the same of one model, and the LiteLLM proxy's."""
        entry = {
            "id": model,
            "object": "model",
            "created": _CATALOGUE_CREATED,
            "owned_by": "pytest-ohllm",
        }
        match call.path:
            case "/v1/models":
                return {"object": "list", "data": [entry]}
            case "/v1/model/info" | "/model/info":
                return {"data": [_proxy_entry(model)]}
        return entry if call.path == f"/v1/models/{model}" else None

    def key(self, call: Call) -> str | None:
        """The bearer token."""
        return bearer(call)

    def read(self, call: Call) -> Turn:
        """Parse the JSON body; raises ``Refused``."""
        return chat_request.read(call.body)

    def document(self, answer: Answer) -> dict[str, Any]:
        """A ``chat.completion`` object."""
        reply = answer.reply
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if reply.tool_calls and not reply.text else reply.text,
            "refusal": reply.refusal or None,
        }
        if reply.refusal:
            message["content"] = None
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
            yield frame({**envelope, "choices": [choice], **tail})
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": answer.reply.finish}
        yield frame({**envelope, "choices": [choice], **tail})
        if with_usage:
            yield frame({**envelope, "choices": [], "usage": _usage(answer.reply.usage)})
        yield b"data: [DONE]\n\n"

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """OpenAI's error document."""
        return openai_errors.document(refusal)

    def unauthorized(self, key: str | None) -> Refusal:
        """OpenAI's 401 in its two wordings."""
        return openai_errors.unauthorized(key)

    def unknown_model(self, model: str) -> Refusal:
        """OpenAI's 404."""
        return openai_errors.unknown_model(model)


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    reply = answer.reply
    yield {"role": "assistant", "content": None if reply.tool_calls and not reply.text else ""}
    for piece in pieces(reply.reasoning):
        yield {"reasoning_content": piece}
    for piece in pieces(reply.text):
        yield {"content": piece}
    for piece in pieces(reply.refusal):
        yield {"refusal": piece}
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
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.json},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _proxy_entry(model: str) -> dict[str, Any]:
    """What a LiteLLM proxy tells of a model that it forwards to."""
    return {
        "model_name": model,
        "litellm_params": {"model": f"openai/{model}"},
        "model_info": {
            "id": model,
            "db_model": False,
            "key": model,
            "mode": "chat",
            "max_tokens": 8192,
            "max_input_tokens": 128_000,
            "max_output_tokens": 8192,
            "litellm_provider": "openai",
            "supports_function_calling": True,
            "supports_vision": True,
        },
    }
