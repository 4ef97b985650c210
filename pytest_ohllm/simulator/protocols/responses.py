"""OpenAI Responses: a list of typed items, or the events in which they come into being."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_ohllm.simulator.protocols import openai_errors, responses_request
from pytest_ohllm.simulator.protocols.codec import bearer, frame, pieces
from pytest_ohllm.simulator.response import SSE, Call, Refusal
from pytest_ohllm.simulator.seal import seal
from pytest_ohllm.simulator.turn import Answer, ToolCall, Turn

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Responses:
    """The codec of ``POST /v1/responses``."""

    name = "responses"
    stream_type = SSE
    key_optional = False

    def serves(self, path: str) -> bool:
        """OpenAI's path."""
        return path == "/v1/responses"

    def catalogue(self, call: Call, model: str) -> dict[str, Any] | None:
        """None of its own: OpenAI's list of models is that of Chat Completions."""
        return None

    def key(self, call: Call) -> str | None:
        """The bearer token."""
        return bearer(call)

    def read(self, call: Call) -> Turn:
        """Parse the JSON body; raises ``Refused``."""
        return responses_request.read(call.body)

    def document(self, answer: Answer) -> dict[str, Any]:
        """A finished ``response`` object."""
        return _response(answer, _items(answer), done=True)

    def events(self, answer: Answer) -> Iterator[bytes]:
        """Server-sent events, from ``response.created`` to ``response.completed``."""
        steps = _Steps()
        opening = _response(answer, [], done=False)
        yield steps.event("response.created", response=opening)
        yield steps.event("response.in_progress", response=opening)
        items = _items(answer)
        for index, item in enumerate(items):
            blank = _BLANK[item["type"]]
            yield steps.event("response.output_item.added", output_index=index, item=item | blank)
            steps.place = {"item_id": item["id"], "output_index": index}
            yield from _GROWTH[item["type"]](steps, item)
            yield steps.event("response.output_item.done", output_index=index, item=item)
        last = _response(answer, items, done=True)
        yield steps.event(f"response.{last['status']}", response=last)

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """OpenAI's error document."""
        return openai_errors.document(refusal)

    def unauthorized(self, key: str | None) -> Refusal:
        """OpenAI's 401 in its two wordings."""
        return openai_errors.unauthorized(key)

    def unknown_model(self, model: str) -> Refusal:
        """A 400 here, unlike in Chat Completions."""
        return Refusal(
            400,
            f"The requested model '{model}' does not exist.",
            param="model",
            code="model_not_found",
        )


@dataclass
class _Steps:
    """Numbers the events of one stream; ``place`` says which item the next ones are about."""

    count: int = 0
    place: dict[str, Any] = field(default_factory=dict)

    def event(self, kind: str, **fields: Any) -> bytes:
        document = {"type": kind, "sequence_number": self.count, **fields}
        self.count += 1
        return frame(document, kind)

    def here(self, kind: str, **fields: Any) -> bytes:
        return self.event(kind, **self.place, **fields)


def _grow_message(steps: _Steps, item: dict[str, Any]) -> Iterator[bytes]:
    for index, part in enumerate(item["content"]):
        refused = part["type"] == "refusal"
        name, text = ("refusal", part["refusal"]) if refused else ("output_text", part["text"])
        probabilities: dict[str, Any] = {} if refused else {"logprobs": []}
        whole = {"refusal" if refused else "text": text}
        empty = {**part, "refusal" if refused else "text": ""}
        yield steps.here("response.content_part.added", content_index=index, part=empty)
        for piece in pieces(text):
            kind = f"response.{name}.delta"
            yield steps.here(kind, content_index=index, delta=piece, **probabilities)
        yield steps.here(f"response.{name}.done", content_index=index, **whole, **probabilities)
        yield steps.here("response.content_part.done", content_index=index, part=part)


def _grow_call(steps: _Steps, item: dict[str, Any]) -> Iterator[bytes]:
    kind = "response.function_call_arguments"
    for piece in pieces(item["arguments"]):
        yield steps.here(f"{kind}.delta", delta=piece)
    yield steps.here(f"{kind}.done", arguments=item["arguments"], name=item["name"])


def _grow_reasoning(steps: _Steps, item: dict[str, Any]) -> Iterator[bytes]:
    kind = "response.reasoning_summary"
    for index, part in enumerate(item["summary"]):
        empty = {"type": "summary_text", "text": ""}
        yield steps.here(f"{kind}_part.added", summary_index=index, part=empty)
        for piece in pieces(part["text"]):
            yield steps.here(f"{kind}_text.delta", summary_index=index, delta=piece)
        yield steps.here(f"{kind}_text.done", summary_index=index, text=part["text"])
        yield steps.here(f"{kind}_part.done", summary_index=index, part=part)


_GROWTH = {
    "message": _grow_message,
    "function_call": _grow_call,
    "reasoning": _grow_reasoning,
}
_BLANK: dict[str, dict[str, Any]] = {
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
    "reasoning": {"summary": []},
}


def _items(answer: Answer) -> list[dict[str, Any]]:
    """The output: thoughts, words, calls."""
    reply, fields = answer.reply, answer.turn.fields
    ids = answer.digest[:40]
    items: list[dict[str, Any]] = []
    if reply.reasoning:
        asked = fields.get("reasoning")
        shown = bool(isinstance(asked, dict) and asked.get("summary"))
        item = {
            "id": f"rs_{ids}",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": reply.reasoning}] if shown else [],
        }
        if "reasoning.encrypted_content" in (fields.get("include") or ()):
            item["encrypted_content"] = seal(reply.reasoning)
        items.append(item)
    if reply.text or reply.refusal or not reply.tool_calls:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        if reply.refusal:
            part = {"type": "refusal", "refusal": reply.refusal}
        items.append(
            {
                "id": f"msg_{ids}",
                "type": "message",
                "status": "incomplete" if reply.finish in _INCOMPLETE else "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    items += [_call(call, f"{ids[:-2]}{index:02d}") for index, call in enumerate(reply.tool_calls)]
    return items


def _call(call: ToolCall, number: str) -> dict[str, Any]:
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": "completed",
        "arguments": call.json,
        "call_id": call.id,
        "name": call.name,
    }


def _response(answer: Answer, items: list[dict[str, Any]], *, done: bool) -> dict[str, Any]:
    reply, fields = answer.reply, answer.turn.fields
    reason = _INCOMPLETE.get(reply.finish) if done else None
    finished = "incomplete" if reason else "completed"
    reasoning = {"effort": None, "summary": None} | dict(fields.get("reasoning") or {})
    return {
        "id": f"resp_{answer.digest[:48]}",
        "object": "response",
        "created_at": answer.created,
        "status": finished if done else "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": fields.get("instructions"),
        "max_output_tokens": fields.get("max_output_tokens"),
        "metadata": fields.get("metadata") or {},
        "model": answer.turn.model,
        "output": items,
        "parallel_tool_calls": fields.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": reasoning,
        "store": fields.get("store", True),
        "temperature": fields.get("temperature", 1.0),
        "text": fields.get("text") or {"format": {"type": "text"}},
        "tool_choice": fields.get("tool_choice", "auto"),
        "tools": fields.get("tools") or [],
        "top_p": fields.get("top_p", 1.0),
        "truncation": fields.get("truncation", "disabled"),
        "usage": _usage(answer) if done else None,
    }


def _usage(answer: Answer) -> dict[str, Any]:
    usage = answer.reply.usage
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
