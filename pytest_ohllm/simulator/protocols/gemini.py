"""Gemini generateContent: candidates of typed parts, whole or as a stream of partial answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

from pytest_ohllm.simulator.protocols import gemini_request
from pytest_ohllm.simulator.protocols.codec import bearer, frame, pieces
from pytest_ohllm.simulator.response import SSE, Call, Refusal
from pytest_ohllm.simulator.seal import seal
from pytest_ohllm.simulator.turn import Answer, Turn

_PATH = re.compile(
    r"(?:/v1(?:beta|alpha)?)?/models/[^/]+:(?:generateContent|streamGenerateContent)"
)
_CATALOGUE = re.compile(r"/v1(?:beta|alpha)/models(?:/(?P<model>[^/:]+))?")
_FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GenerateContent:
    """The codec of ``POST /v1beta/models/MODEL:generateContent`` and its streaming twin."""

    name = "gemini"
    stream_type = SSE
    key_optional = False

    def serves(self, path: str) -> bool:
        """Google's path with a version, or without one as litellm builds it."""
        return _PATH.fullmatch(path) is not None

    def catalogue(self, call: Call, model: str) -> dict[str, Any] | None:
        """Google's list of models, or one of them."""
        found = _CATALOGUE.fullmatch(call.path)
        if found is None or found["model"] not in (None, model):
            return None
        entry = {
            "name": f"models/{model}",
            "version": "001",
            "displayName": f"Simulated {model.removeprefix('sim-')}",
            "inputTokenLimit": 128_000,
            "outputTokenLimit": 8192,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
        }
        return entry if found["model"] else {"models": [entry]}

    def key(self, call: Call) -> str | None:
        """The key header, the ``key`` of the query, or a bearer token."""
        asked = parse_qs(call.query).get("key")
        return call.headers.get("x-goog-api-key") or (asked[0] if asked else bearer(call))

    def read(self, call: Call) -> Turn:
        """Parse path and JSON body; raises ``Refused``."""
        model, _, method = call.path.rpartition("/models/")[2].rpartition(":")
        return gemini_request.read(call.body, model, stream=method == "streamGenerateContent")

    def document(self, answer: Answer) -> dict[str, Any]:
        """A ``GenerateContentResponse``."""
        return _chunk(answer, _parts(answer), _FINISH[answer.reply.finish])

    def events(self, answer: Answer) -> Iterator[bytes]:
        """Partial responses; the last one says how it ended."""
        reply = answer.reply
        for piece in pieces(reply.reasoning):
            yield frame(_chunk(answer, [{"text": piece, "thought": True}]))
        for piece in pieces(reply.text or reply.refusal):
            yield frame(_chunk(answer, [{"text": piece}]))
        for call in _calls(answer):
            yield frame(_chunk(answer, [call]))
        yield frame(_chunk(answer, [{"text": ""}], _FINISH[reply.finish]))

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """Google's error document."""
        status = _STATUS.get(refusal.status, "UNKNOWN")
        return {"error": {"code": refusal.status, "message": refusal.message, "status": status}}

    def unauthorized(self, key: str | None) -> Refusal:
        """Google's refusal: a bad key is a 400, no key a 403."""
        if key is None:
            return Refusal(
                403,
                "Method doesn't allow unregistered callers (callers without established "
                "identity). Please use API Key or other form of API consumer identity to call "
                "this API.",
            )
        message = "API key not valid. Please pass a valid API key."
        details = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
        error = {
            "code": 400,
            "message": message,
            "status": "INVALID_ARGUMENT",
            "details": [details],
        }
        return Refusal(400, message, body={"error": error})

    def unknown_model(self, model: str) -> Refusal:
        """Google's 404."""
        return Refusal(
            404,
            f"models/{model} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        )


def _parts(answer: Answer) -> list[dict[str, Any]]:
    reply = answer.reply
    parts: list[dict[str, Any]] = []
    if reply.reasoning:
        parts.append({"text": reply.reasoning, "thought": True})
    if reply.text or reply.refusal:
        parts.append({"text": reply.text or reply.refusal})
    return parts + _calls(answer)


def _calls(answer: Answer) -> list[dict[str, Any]]:
    """Function calls; the first one carries the signature of the thought behind them."""
    reply = answer.reply
    calls: list[dict[str, Any]] = [
        {"functionCall": {"name": call.name, "args": dict(call.arguments)}}
        for call in reply.tool_calls
    ]
    if calls and reply.reasoning:
        calls[0]["thoughtSignature"] = seal(reply.reasoning)
    return calls


def _chunk(
    answer: Answer, parts: list[dict[str, Any]], finish: str | None = None
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(answer),
        "modelVersion": answer.turn.model,
        "responseId": answer.digest[:22],
    }


def _usage(answer: Answer) -> dict[str, Any]:
    """Thoughts are counted apart from the candidates' tokens."""
    usage = answer.reply.usage
    counts = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": usage.completion - usage.reasoning,
        "totalTokenCount": usage.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt}],
    }
    optional = {
        "cachedContentTokenCount": usage.cached,
        "thoughtsTokenCount": usage.reasoning,
    }
    return counts | {name: count for name, count in optional.items() if count}
