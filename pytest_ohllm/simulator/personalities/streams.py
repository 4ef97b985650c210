"""Personalities of the wire: how answers are cut into frames, ended, broken and dressed up."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

from pytest_ohllm.simulator.personalities import wire
from pytest_ohllm.simulator.personalities.declaration import Deliver, Personality
from pytest_ohllm.simulator.response import JSON, Response, Step, Wait, json_bytes
from pytest_ohllm.simulator.turn import Turn

FRAMES_BEFORE_THE_END = 4
BUFFERED_SECONDS = 0.028
"""What the model behind a buffering proxy takes for one frame: 0.9 s for counting to thirty."""

FIRST_TOKEN_SECONDS = 1.0
DRIP_SECONDS = 0.02

_CONTENT = b'"delta":{"content":'
_DONE = b"data: [DONE]\n\n"


def streamed(change: Deliver) -> Deliver:
    """``change`` done to streams only."""
    return lambda turn, response: change(turn, response) if turn.stream else response


def _no_role(turn: Turn, response: Response) -> Response:
    def drop(delta: wire.Document) -> wire.Document:
        return {name: value for name, value in delta.items() if name != "role"}

    return wire.edited(response, wire.each_choice("delta", drop))


def _no_done(turn: Turn, response: Response) -> Response:
    return replace(response, steps=tuple(step for step in response.steps if step != _DONE))


def _buffered(turn: Turn, response: Response) -> Response:
    """All frames in one write, after the time that the model takes for them."""
    frames = [step for step in response.steps if isinstance(step, bytes)]
    return replace(response, steps=(Wait(BUFFERED_SECONDS * len(frames)), b"".join(frames)))


def _truncated(turn: Turn, response: Response) -> Response:
    return replace(response, steps=wire.frames(response)[:FRAMES_BEFORE_THE_END])


def _error_event(turn: Turn, response: Response) -> Response:
    error = {
        "message": "The server had an error while processing your request. Sorry about that!",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    event = b"data: " + json_bytes({"error": error}) + b"\n\n"
    return replace(response, steps=[*wire.frames(response)[:FRAMES_BEFORE_THE_END], event])


def _not_streamed(turn: Turn, response: Response) -> Response:
    """The answer as one document, whatever the request wanted."""
    content, finish = "", "stop"
    calls: dict[int, wire.Document] = {}
    head: wire.Document = {}
    for chunk in wire.documents(response):
        head = head or chunk
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            content += delta.get("content") or ""
            finish = choice.get("finish_reason") or finish
            for part in delta.get("tool_calls") or ():
                call = calls.setdefault(part["index"], {**part, "function": {"arguments": ""}})
                function = part["function"]
                call["function"]["name"] = function.get("name", call["function"].get("name"))
                call["function"]["arguments"] += function["arguments"]
    message = {"role": "assistant", "content": content, "tool_calls": list(calls.values()) or None}
    document = {
        "id": head.get("id"),
        "object": "chat.completion",
        "created": head.get("created"),
        "model": head.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return Response(200, (json_bytes(document),), JSON)


def _split_characters(turn: Turn, response: Response) -> Response:
    """Text as plain UTF-8, written in pieces that end within its characters."""
    steps: list[Step] = []
    for step in response.steps:
        head, mark, payload = step.partition(b"data: ") if isinstance(step, bytes) else (b"",) * 3
        try:
            document = json.loads(payload if mark else step)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            steps.append(step)
            continue
        text = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        whole = head + mark + text + b"\n\n" if mark else text
        cuts = [i for i in range(1, len(whole)) if whole[i] & 0xC0 == 0x80]
        edges = [0, *cuts, len(whole)]
        for start, end in pairwise(edges):
            steps += [whole[start:end], Wait(0.001)]
    return replace(response, steps=tuple(steps))


def _comments(turn: Turn, response: Response) -> Response:
    steps: list[Step] = []
    for step in response.steps:
        steps += [b": OPENROUTER PROCESSING\n\n", step]
    return replace(response, steps=tuple(steps))


def _carriage_returns(turn: Turn, response: Response) -> Response:
    steps = [s.replace(b"\n", b"\r\n") if isinstance(s, bytes) else s for s in response.steps]
    return replace(response, steps=tuple(steps))


def _slow_start(turn: Turn, response: Response) -> Response:
    return replace(response, steps=(Wait(FIRST_TOKEN_SECONDS), *response.steps))


def _slow_drip(turn: Turn, response: Response) -> Response:
    steps: list[Step] = []
    for step in response.steps:
        steps += [step, Wait(DRIP_SECONDS)]
    return replace(response, steps=tuple(steps))


def _loses_words(turn: Turn, response: Response) -> Response:
    steps = wire.frames(response)
    spoken = [i for i, step in enumerate(steps) if isinstance(step, bytes) and _CONTENT in step]
    lost = set(spoken[4::5])
    return replace(response, steps=tuple(s for i, s in enumerate(steps) if i not in lost))


def _null_content(message: wire.Document) -> wire.Document:
    return message if message.get("tool_calls") else {**message, "content": None}


def _list_content(message: wire.Document) -> wire.Document:
    content = message.get("content")
    if not isinstance(content, str):
        return message
    return {**message, "content": [{"type": "text", "text": content}]}


def _message(change: wire.Edit) -> Deliver:
    edit = wire.each_message(lambda message: change(message) or message)
    return lambda turn, response: edit(response)


def _works(name: str, description: str, deliver: Deliver) -> Personality:
    return Personality(name, description, healthy=True, verdict="WORKS", deliver=(deliver,))


def _gated(name: str, description: str, deliver: Deliver, kind: str) -> Personality:
    """Only streams are affected, which no mandatory stage needs."""
    return Personality(
        name,
        description,
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="streaming",
        kind=kind,
        deliver=(streamed(deliver),),
    )


def _broken(name: str, description: str, deliver: Deliver, kind: str) -> Personality:
    return Personality(
        name, description, verdict="DOES NOT WORK", stage="A", kind=kind, deliver=(deliver,)
    )


PERSONALITIES = (
    _works("first-chunk-without-role", "never names the role in a stream", streamed(_no_role)),
    _works("no-done", "ends streams after the finish reason, without [DONE]", streamed(_no_done)),
    _works("keep-alive-comments", "sends a comment before every frame", streamed(_comments)),
    _works("crlf-frames", "ends the lines of a stream by CR LF", streamed(_carriage_returns)),
    _works(
        "split-characters",
        "sends plain UTF-8 in writes that end within a character",
        _split_characters,
    ),
    _works("slow-start", "waits a second before the first token", _slow_start),
    _works("slow-drip", "pauses after every frame", _slow_drip),
    _gated(
        "buffered-stream",
        "sends the whole stream at once, as a buffering proxy does",
        _buffered,
        "model_limitation",
    ),
    _gated(
        "truncated-frames",
        "ends every stream after four frames as if it were over",
        _truncated,
        "model_limitation",
    ),
    _gated(
        "error-mid-stream",
        "breaks every stream after four frames by an error event",
        _error_event,
        "provider_outage",
    ),
    _gated(
        "ignores-stream",
        "answers a request that streams by one document",
        _not_streamed,
        "model_limitation",
    ),
    _gated(
        "stream-loses-words",
        "loses every fifth piece of text in streams",
        _loses_words,
        "model_limitation",
    ),
    _broken(
        "content-null",
        "answers with `content: null` where text belongs",
        _message(_null_content),
        "model_limitation",
    ),
    _broken(
        "content-list",
        "answers with a list of parts where text belongs",
        _message(_list_content),
        "sdk_gap",
    ),
)
