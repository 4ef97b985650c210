"""What an exchange says, whichever protocol it is in: chat completions, responses, messages,
generateContent, or Ollama's chat.

Judging the wire needs little of each protocol, and tolerates what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_ohllm.model import Exchange

_REASONING_KEYS = {"reasoning", "reasoning_content", "thinking", "thought", "encrypted_content"}
_TOO_LONG = ("length", "max_tokens", "MAX_TOKENS", "max_output_tokens")
_LAST_EVENTS = {"response.completed", "response.incomplete", "message_stop"}


def is_call(exchange: Exchange) -> bool:
    """Whether the request asks the model something; Ollama's clients ask for metadata, too."""
    return exchange.method == "POST" and not exchange.url.endswith("/api/show")


def objects(exchange: Exchange) -> list[Mapping[str, Any]]:
    """The JSON objects of the response in order: one, or one for each frame of a stream."""
    body = exchange.response
    if isinstance(body, Mapping):
        return [body]
    if isinstance(body, list):
        return [one for one in body if isinstance(one, Mapping)]
    return list(_frames(body)) if isinstance(body, str) else []


def was_streamed(exchange: Exchange) -> bool:
    """Whether the request asked for a stream."""
    asked = isinstance(exchange.request, Mapping) and exchange.request.get("stream") is True
    return asked or "streamGenerateContent" in exchange.url


def is_finished(exchange: Exchange) -> bool:
    """Whether a stream came to the end that its protocol has; a cut one looks like a short one."""
    body = exchange.response
    if isinstance(body, str) and "[DONE]" in body:
        return True
    return any(_ends(one) for one in objects(exchange))


def is_cut_off(exchange: Exchange) -> bool:
    """Whether the answer ends because it had become too long."""
    return any(_cut_off(one) for one in objects(exchange))


def content_frames(exchange: Exchange) -> int:
    """How many frames carried a piece of the answer's text."""
    return sum(bool(_text(one)) for one in objects(exchange))


def came_joined(exchange: Exchange) -> bool:
    """Whether the pieces of a stream's text arrived in far fewer chunks than there are pieces.

    Something collects the stream, or the model is so fast that the network joins the pieces: one
    exchange does not tell which. Its end tells nothing, since the client parses before it reads on.
    """
    pieces = content_frames(exchange)
    return pieces > 4 and 4 * exchange.chunks <= pieces


def text(exchange: Exchange) -> str:
    """The answer's text, put together from its pieces."""
    return "".join(_text(one) for one in objects(exchange))


def prompt_tokens(exchange: Exchange) -> int | None:
    """How many tokens the provider says it read, with those it had in a cache."""
    found = [tokens for one in objects(exchange) if (tokens := _prompt_tokens(one))]
    return found[-1] if found else None


def cached_tokens(exchange: Exchange) -> int:
    """How many tokens the provider says it had in a cache."""
    return max(map(_cached_tokens, objects(exchange)), default=0)


def shows_reasoning(exchange: Exchange) -> bool:
    """Whether the response holds reasoning beside the answer, in any of the ways there are."""
    return any(_reasons(one) for one in objects(exchange)) or "<think>" in text(exchange)


def _frames(body: str) -> Iterator[Mapping[str, Any]]:
    for line in body.splitlines():
        data = line.removeprefix("data:").strip()
        if not data.startswith("{"):
            continue
        try:
            frame = json.loads(data)
        except ValueError:
            continue
        if isinstance(frame, Mapping):
            yield frame


def _ends(one: Mapping[str, Any]) -> bool:
    if one.get("type") in _LAST_EVENTS or one.get("done") is True:
        return True
    choices = [*_items(one, "choices"), *_items(one, "candidates")]
    return any(choice.get("finish_reason") or choice.get("finishReason") for choice in choices)


def _cut_off(one: Mapping[str, Any]) -> bool:
    choices = [*_items(one, "choices"), *_items(one, "candidates")]
    ends = [choice.get("finish_reason") or choice.get("finishReason") for choice in choices]
    delta = one.get("delta")
    ends += [delta.get("stop_reason")] if isinstance(delta, Mapping) else []
    ends += [one.get("stop_reason"), one.get("done_reason")]
    incomplete = one.get("incomplete_details")
    ends += [incomplete.get("reason")] if isinstance(incomplete, Mapping) else []
    return any(end in _TOO_LONG for end in ends)


def _text(one: Mapping[str, Any]) -> str:
    """The answer's text in one object; deltas and whole answers alike."""
    pieces: list[Any] = []
    for choice in _items(one, "choices"):
        pieces += [_part(choice, "delta", "content"), _part(choice, "message", "content")]
    for candidate in _items(one, "candidates"):
        parts = _part(candidate, "content", "parts")
        pieces += [p.get("text") for p in _maps(parts) if not p.get("thought")]
    if one.get("type") == "response.output_text.delta":
        pieces.append(one.get("delta"))
    if one.get("type") == "content_block_delta":
        pieces.append(_part(one, "delta", "text"))
    pieces += [block.get("text") for block in _items(one, "content")]
    for item in _items(one, "output"):
        pieces += [part.get("text") for part in _items(item, "content")]
    if "done" in one:
        pieces.append(_part(one, "message", "content"))
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _prompt_tokens(one: Mapping[str, Any]) -> int | None:
    for usage in _usages(one):
        # Only Anthropic counts what it read from its cache, or wrote into it, on its own.
        parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        for names in (("prompt_tokens",), ("promptTokenCount",), parts):
            if found := _count(usage, *names):
                return found
    return _count(one, "prompt_eval_count") or None


def _cached_tokens(one: Mapping[str, Any]) -> int:
    """The largest count: proxies tell the same one in the words of several protocols."""
    found = [0]
    for usage in _usages(one):
        names = ("cache_read_input_tokens", "cachedContentTokenCount")
        found += [_count(usage, name) for name in names]
        for details in ("prompt_tokens_details", "input_tokens_details"):
            if isinstance(part := usage.get(details), Mapping):
                found.append(_count(part, "cached_tokens"))
    return max(found)


def _usages(one: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where an object tells of its tokens: itself, or the answer that an event is about."""
    for holder in (one, one.get("response"), one.get("message")):
        if isinstance(holder, Mapping):
            usage = holder.get("usage") or holder.get("usageMetadata")
            if isinstance(usage, Mapping):
                yield usage


def _reasons(value: Any) -> bool:
    if isinstance(value, Mapping):
        named = any(value.get(key) for key in _REASONING_KEYS)
        return named or any(_reasons(one) for one in value.values())
    return isinstance(value, list) and any(_reasons(one) for one in value)


def _items(one: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return _maps(one.get(key))


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _part(one: Mapping[str, Any], outer: str, inner: str) -> Any:
    holder = one.get(outer)
    return holder.get(inner) if isinstance(holder, Mapping) else None


def _count(usage: Mapping[str, Any], *names: str) -> int:
    return sum(usage[name] for name in names if isinstance(usage.get(name), int))
