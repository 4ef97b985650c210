"""Ollama's own chat protocol: one JSON document, or one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

from pytest_ohllm.simulator import picture
from pytest_ohllm.simulator.protocols.codec import arguments, bearer, pieces, token_limit
from pytest_ohllm.simulator.response import Call, Refusal, Refused, json_bytes
from pytest_ohllm.simulator.turn import Answer, Message, Role, Tool, ToolCall, Turn

_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_NANOSECONDS_PER_TOKEN = 10_000_000
_SIZE = 4_683_087_332
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "sim",
    "families": ["sim"],
    "parameter_size": "7B",
    "quantization_level": "Q4_K_M",
}


class OllamaChat:
    """The codec of ``POST /api/chat``."""

    name = "ollama"
    stream_type = "application/x-ndjson"
    key_optional = True

    def serves(self, path: str) -> bool:
        """Ollama's path."""
        return path == "/api/chat"

    def catalogue(self, call: Call, model: str) -> dict[str, Any] | None:
        """The installed models, what one can do, and the server's version."""
        match call.path:
            case "/api/tags":
                entry = {
                    "name": f"{model}:latest",
                    "model": f"{model}:latest",
                    "modified_at": "2026-01-01T00:00:00Z",
                    "size": _SIZE,
                    "digest": "5a" * 32,
                    "details": _DETAILS,
                }
                return {"models": [entry]}
            case "/api/show":
                return {
                    "modelfile": "",
                    "parameters": "",
                    "template": "{{ .System }} {{ .Tools }} {{ .Prompt }}",
                    "details": _DETAILS,
                    "model_info": {"general.architecture": "sim", "sim.context_length": 131_072},
                    "capabilities": ["completion", "tools", "vision", "thinking"],
                    "modified_at": "2026-01-01T00:00:00Z",
                }
            case "/api/version":
                return {"version": "0.13.0"}
        return None

    def key(self, call: Call) -> str | None:
        """The bearer token of a server behind a gateway."""
        return bearer(call)

    def read(self, call: Call) -> Turn:
        """Parse the JSON body; raises ``Refused``."""
        try:
            fields = json.loads(call.body)
        except (ValueError, RecursionError):
            _refuse("invalid character in JSON body")
        if not isinstance(fields, dict):
            _refuse("json: cannot unmarshal into Go value of type api.ChatRequest")
        if not fields.get("model"):
            _refuse("model is required")
        options = fields.get("options")
        options = options if isinstance(options, dict) else {}
        stop = options.get("stop") or ()
        return Turn(
            model=str(fields["model"]).removesuffix(":latest"),
            messages=_messages(fields.get("messages")),
            tools=tuple(_tools(fields.get("tools"))),
            stream=fields.get("stream") is not False,
            stop=(stop,) if isinstance(stop, str) else tuple(map(str, stop)),
            max_tokens=token_limit(options.get("num_predict")),
            fields=fields,
            reasons=bool(fields.get("think")),
            protocol="ollama",
        )

    def document(self, answer: Answer) -> dict[str, Any]:
        """A finished chat response."""
        reply = answer.reply
        said: dict[str, Any] = {"content": reply.text or reply.refusal}
        if reply.reasoning:
            said["thinking"] = reply.reasoning
        if reply.tool_calls:
            said["tool_calls"] = _calls(answer)
        return _chunk(answer, said, done=True)

    def events(self, answer: Answer) -> Iterator[bytes]:
        """One JSON document a line; calls come whole, counts with the last line."""
        reply = answer.reply
        for piece in pieces(reply.reasoning):
            yield _line(_chunk(answer, {"content": "", "thinking": piece}))
        for piece in pieces(reply.text or reply.refusal):
            yield _line(_chunk(answer, {"content": piece}))
        if reply.tool_calls:
            yield _line(_chunk(answer, {"content": "", "tool_calls": _calls(answer)}))
        yield _line(_chunk(answer, {"content": ""}, done=True))

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """Ollama's error document: a sentence."""
        return {"error": refusal.message}

    def unauthorized(self, key: str | None) -> Refusal:
        """What Ollama's cloud says."""
        return Refusal(401, "unauthorized")

    def unknown_model(self, model: str) -> Refusal:
        """A model that nobody pulled."""
        return Refusal(404, f"model '{model}' not found")


def _messages(history: Any) -> tuple[Message, ...]:
    """The history; a result without an id answers the first call that has no answer yet."""
    messages: list[Message] = []
    unanswered: list[str] = []
    for index, item in enumerate(history or ()):
        if not isinstance(item, dict) or item.get("role") not in _ROLES:
            _refuse("invalid message role: must be one of system, user, assistant, tool")
        role = _ROLES[item["role"]]
        calls = tuple(
            _call(call, f"ollama-{index}-{n}")
            for n, call in enumerate(item.get("tool_calls") or ())
        )
        unanswered += [str(call.id) for call in calls]
        call_id = item.get("tool_call_id")
        if role == "tool" and unanswered:
            call_id = unanswered.pop(unanswered.index(call_id) if call_id in unanswered else 0)
        content = item.get("content")
        if content is not None and not isinstance(content, str):
            _refuse(
                "json: cannot unmarshal array into Go struct field ChatRequest.messages.content"
            )
        images = item.get("images") or ()
        pictures = tuple(picture.from_base64(str(image)) for image in images)
        thought = str(item.get("thinking") or "")
        messages.append(Message(role, content or "", calls, call_id, pictures, thought))
    return tuple(messages)


def _call(call: Any, number: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        _refuse("json: cannot unmarshal tool call")
    given = function.get("arguments")
    if isinstance(given, str):
        _refuse(
            "json: cannot unmarshal string into Go struct field "
            "ChatRequest.messages.tool_calls.function.arguments of type "
            "api.ToolCallFunctionArguments"
        )
    found = given if isinstance(given, dict) else arguments(None)
    return ToolCall(str(function.get("name")), found, call.get("id") or number)


def _tools(tools: Any) -> Iterator[Tool]:
    for item in tools or ():
        function = item.get("function") if isinstance(item, dict) else None
        if isinstance(function, dict):
            schema = function.get("parameters")
            about = str(function.get("description") or "")
            yield Tool(str(function.get("name")), about, schema if isinstance(schema, dict) else {})


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {"function": {"index": index, "name": call.name, "arguments": dict(call.arguments)}}
        for index, call in enumerate(answer.reply.tool_calls)
    ]


def _chunk(answer: Answer, said: dict[str, Any], *, done: bool = False) -> dict[str, Any]:
    usage = answer.reply.usage
    created = datetime.fromtimestamp(answer.created, UTC)
    chunk = {
        "model": answer.turn.model,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "message": {"role": "assistant", **said},
        "done": done,
    }
    if not done:
        return chunk
    spent = usage.total * _NANOSECONDS_PER_TOKEN
    return chunk | {
        "done_reason": "length" if answer.reply.finish == "length" else "stop",
        "total_duration": spent,
        "load_duration": 0,
        "prompt_eval_count": usage.prompt,
        "prompt_eval_duration": usage.prompt * _NANOSECONDS_PER_TOKEN,
        "eval_count": usage.completion,
        "eval_duration": usage.completion * _NANOSECONDS_PER_TOKEN,
    }


def _line(document: dict[str, Any]) -> bytes:
    return json_bytes(document) + b"\n"


def _refuse(message: str) -> NoReturn:
    raise Refused(Refusal(400, message))
