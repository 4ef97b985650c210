"""A secret that a stream spells out is found, whichever protocol it is in."""

from __future__ import annotations

import json
import time

import pytest

from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.wire.frames import redacted
from pytest_ohllm.wire.tape import Tape
from tests.endpoints import SSE, Endpoint, head, sends
from tests.unit.wire.test_tape import ask

KEY = "sk-proj-FAKEfakeFAKE_0123-notARealKeyAtAll"
PIECES = ["The key is ", *(KEY[at : at + 7] for at in range(0, len(KEY), 7)), ", as you", " see."]
SAID = "The key is [REDACTED:k], as you see."


def chat(piece: str) -> str:
    frame = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": piece}}]}
    return f"data: {json.dumps(frame)}\n\n"


def arguments(piece: str) -> str:
    call = {"index": 0, "function": {"arguments": piece}}
    return f"data: {json.dumps({'choices': [{'delta': {'tool_calls': [call]}}]})}\r\n\r\n"


def anthropic(piece: str) -> str:
    delta = {"type": "text_delta", "text": piece}
    frame = {"type": "content_block_delta", "index": 0, "delta": delta}
    return f"event: content_block_delta\ndata:{json.dumps(frame)}\n\n"


def responses(piece: str) -> str:
    frame = {"type": "response.output_text.delta", "delta": piece}
    return f"event: response.output_text.delta\ndata: {json.dumps(frame)}\n\n"


def gemini(piece: str) -> str:
    frame = {"candidates": [{"content": {"parts": [{"text": piece}], "role": "model"}}]}
    return f"data: {json.dumps(frame)}\r\n\r\n"


def ollama(piece: str) -> str:
    return json.dumps({"message": {"content": piece}, "done": False}) + "\n"


PROTOCOLS = [chat, arguments, anthropic, responses, gemini, ollama]


def clean(body: str) -> str:
    return redacted(body, Redactor({"k": KEY}).value)


@pytest.mark.parametrize("frame", PROTOCOLS)
def test_a_key_in_pieces_is_redacted_and_the_rest_is_kept(frame: object) -> None:
    assert callable(frame)
    body = "".join(map(frame, PIECES)) + "data: [DONE]\n\n"

    shown = clean(body)

    assert json.dumps(SAID)[1:-1] in shown
    assert not [piece for piece in PIECES[1:-2] if piece in shown]
    assert shown.count("\n") == body.count("\n") and shown.endswith("data: [DONE]\n\n")
    assert clean(shown) == shown


@pytest.mark.parametrize("frame", PROTOCOLS)
def test_a_stream_without_a_secret_stays_as_it_was_to_the_letter(frame: object) -> None:
    assert callable(frame)
    body = "".join(map(frame, ["one ", "two ", "three"])) + "data: [DONE]\n\n"

    assert clean(body) == body


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Not Found",
        "<html>\n</html>",
        '{"a": 1',
        "data: [1]\n\ndata: {",
        "data: null\n",
        "{}\n[]\n",
    ],
)
def test_what_is_no_stream_of_objects_stays_as_it_was(body: str) -> None:
    assert clean(body) == body


def test_a_key_within_one_frame_is_left_to_the_redaction_of_texts() -> None:
    body = chat("see ") + chat(f"{KEY} there")

    assert clean(body) == body


def test_two_texts_that_are_streamed_at_once_are_read_apart() -> None:
    others = [f"{number}, " for number in range(len(PIECES))]
    frames = [
        json.dumps({"text": piece, "thought": other}) + "\n"
        for piece, other in zip(PIECES, others, strict=True)
    ]

    shown = [json.loads(line) for line in clean("".join(frames)).splitlines()]

    assert "".join(frame["text"] for frame in shown) == SAID
    assert [frame["thought"] for frame in shown] == others


def test_a_long_stream_takes_little_time() -> None:
    body = "".join(chat(f"word {number} ") for number in range(20_000))
    started = time.perf_counter()

    clean(body)

    assert time.perf_counter() - started < 10  # 0.9 s on an idle machine


def test_a_recorded_stream_does_not_spell_the_key() -> None:
    tape = Tape(redact=Redactor({"k": KEY}).value)
    frames = [chat(piece).encode() for piece in PIECES]
    with Endpoint(sends(head(content_type=SSE), *frames)) as endpoint, tape.recording():
        ask(endpoint)

    (exchange,) = tape.exchanges
    assert SAID in exchange.response
    assert exchange.chunks == len(PIECES)
