"""What is read out of an exchange, in every protocol's own shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_ohllm.model import Exchange
from pytest_ohllm.wire import reading

CHAT = {
    "prompt_tokens": 2048,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1920},
}
RESPONSES = {
    "input_tokens": 2048,
    "output_tokens": 5,
    "input_tokens_details": {"cached_tokens": 1920},
}
ANTHROPIC = {
    "input_tokens": 28,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1920,
    "output_tokens": 5,
}
GEMINI = {
    "promptTokenCount": 2048,
    "candidatesTokenCount": 5,
    "cachedContentTokenCount": 1920,
}
# A LiteLLM proxy before Anthropic: one count in the words of two protocols.
PROXY = {**CHAT, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1920}


def sse(*documents: Any) -> str:
    return "".join(f"event: x\r\ndata: {json.dumps(one)}\r\n\r\n" for one in documents)


def chunk(text: str = "", finish: str | None = None, **about: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}], **about}


STREAMS: dict[str, Any] = {
    "chat": sse(chunk("one"), chunk("two"), chunk(finish="stop"), {"choices": [], "usage": CHAT}),
    "chat, usage in every chunk": sse(
        chunk("one", usage={**CHAT, "completion_tokens": 1}), chunk("two", "stop", usage=CHAT)
    ),
    "responses": sse(
        {"type": "response.created", "response": {"usage": None, "output": []}},
        {"type": "response.output_text.delta", "delta": "one"},
        {"type": "response.output_text.delta", "delta": "two"},
        {"type": "response.completed", "response": {"usage": RESPONSES}},
    ),
    "anthropic": sse(
        {"type": "message_start", "message": {"content": [], "usage": ANTHROPIC}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "one"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "two"}},
        {"type": "message_delta", "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ),
    "gemini, sse": sse(
        {"candidates": [{"content": {"parts": [{"text": "one"}]}}]},
        {
            "candidates": [{"content": {"parts": [{"text": "two"}]}, "finishReason": "STOP"}],
            "usageMetadata": GEMINI,
        },
    ),
    "gemini, array": [
        {"candidates": [{"content": {"parts": [{"text": "one"}]}}]},
        {
            "candidates": [{"content": {"parts": [{"text": "two"}]}, "finishReason": "STOP"}],
            "usageMetadata": GEMINI,
        },
    ],
}
WHOLE: dict[str, Any] = {
    "chat": {"choices": [{"message": {"content": "onetwo"}}], "usage": CHAT},
    "chat of a proxy": {"choices": [{"message": {"content": "onetwo"}}], "usage": PROXY},
    "responses": {"output": [{"content": [{"text": "onetwo"}]}], "usage": RESPONSES},
    "anthropic": {"content": [{"type": "text", "text": "onetwo"}], "usage": ANTHROPIC},
    "gemini": {
        "candidates": [{"content": {"parts": [{"text": "onetwo"}]}}],
        "usageMetadata": GEMINI,
    },
}
ANSWERS = {**{f"{name}, streamed": body for name, body in STREAMS.items()}, **WHOLE}
OLLAMA = {"message": {"content": "onetwo"}, "done": True, "prompt_eval_count": 2048}
OLLAMA_STREAM = "\n".join(
    map(
        json.dumps,
        (
            {"message": {"content": "one"}, "done": False},
            {"message": {"content": "two"}, "done": False},
            {**OLLAMA, "message": {"content": ""}},
        ),
    )
)


def answered(body: Any, **about: Any) -> Exchange:
    return Exchange(method="POST", url="http://h/v1/x", response=body, **about)


@pytest.mark.parametrize("name", ANSWERS)
def test_tokens_are_counted_in_every_protocol(name: str) -> None:
    exchange = answered(ANSWERS[name])
    assert reading.text(exchange) == "onetwo"
    assert reading.prompt_tokens(exchange) == 2048
    assert reading.cached_tokens(exchange) == 1920


@pytest.mark.parametrize("body", [OLLAMA, OLLAMA_STREAM], ids=["whole", "streamed"])
def test_ollama_counts_the_prompt_and_has_no_word_for_its_cache(body: Any) -> None:
    exchange = answered(body)
    assert reading.text(exchange) == "onetwo"
    assert (reading.prompt_tokens(exchange), reading.cached_tokens(exchange)) == (2048, 0)


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "<html></html>",
        {"choices": []},
        {"usage": None},
        {"usage": "much"},
        {"usage": {"prompt_tokens": None, "prompt_tokens_details": None}},
        {"usage": {"prompt_tokens": 0}},
        {"usageMetadata": {}, "response": None, "message": "text"},
        sse(chunk("one"), chunk(finish="stop")),
        "data: {broken\n\ndata: [DONE]",
        [1, "two"],
    ],
)
def test_what_is_not_told_is_not_made_up(body: Any) -> None:
    exchange = answered(body)
    assert reading.prompt_tokens(exchange) is None
    assert reading.cached_tokens(exchange) == 0


@pytest.mark.parametrize("body", [*STREAMS.values(), OLLAMA_STREAM])
def test_a_stream_has_pieces_and_an_end(body: Any) -> None:
    exchange = answered(body)
    assert reading.content_frames(exchange) == 2
    assert reading.is_finished(exchange)


def test_a_stream_that_breaks_off_has_no_end() -> None:
    assert not reading.is_finished(answered(sse(chunk("one"), chunk("two"))))
    assert reading.is_finished(answered(sse(chunk("one")) + "data: [DONE]\n\n"))


@pytest.mark.parametrize(
    ("pieces", "chunks", "expected"),
    [
        (30, 1, True),
        (30, 7, True),  # a proxy passes on what it collected in a few blocks
        (30, 30, False),
        (30, 10, False),  # the network joins some of them
        (2, 1, False),  # too little to tell
    ],
)
def test_pieces_come_joined_where_chunks_are_few(pieces: int, chunks: int, expected: bool) -> None:
    exchange = answered(sse(*[chunk("word ")] * pieces), chunks=chunks)
    assert reading.came_joined(exchange) is expected


def test_only_what_asks_the_model_is_a_call() -> None:
    assert reading.is_call(answered(None))
    assert not reading.is_call(Exchange(method="GET", url="http://h/v1/models"))
    assert not reading.is_call(Exchange(method="POST", url="http://h/api/show"))


def test_a_stream_is_asked_for_in_the_body_or_in_the_path() -> None:
    assert reading.was_streamed(answered(None, request={"stream": True}))
    assert not reading.was_streamed(answered(None, request={"stream": False}))
    gemini = "http://h/v1beta/models/m:streamGenerateContent?alt=sse"
    assert reading.was_streamed(Exchange(method="POST", url=gemini, request={}))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"choices": [{"message": {"reasoning_content": "hm"}}]}, True),
        ({"choices": [{"message": {"content": "<think>hm</think>yes"}}]}, True),
        ({"output": [{"type": "reasoning", "encrypted_content": "x"}]}, True),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, True),
        ({"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]}, True),
        ({"choices": [{"message": {"content": "yes", "reasoning_content": None}}]}, False),
    ],
)
def test_reasoning_is_seen_wherever_it_stands(body: Any, expected: bool) -> None:
    assert reading.shows_reasoning(answered(body)) is expected
