"""Requests that between them hold whatever some endpoint is particular about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pytest_ohllm.simulator.response import Call
from pytest_ohllm.simulator.seal import seal
from tests.simulator.conformance import COLOURS, COUNT, ENCODED, HELLO, RUN, SCHEMA, TWO

KEY = "sk-sim-quirks-0123456789"
MODEL = "sim-quirks"
URL = f"data:image/png;base64,{ENCODED}"
FALL_BACK = "Use the terminal tool to run `a`. If that fails, run `b` instead."
CALL = 'Call the tool `place` with these arguments:\n```json\n{"order": {"n": 1}}\n```'
RECALL = "Which word did I ask you to remember?"
EVENT = "<EVENT>\nMessageEvent (user)\n  user: Remember this word: plum.\n</EVENT>"


def tool(name: str, **extra: Any) -> dict[str, Any]:
    parameters = {**SCHEMA, **extra}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def called(identity: str, arguments: str = '{"command": "a"}', **about: Any) -> dict[str, Any]:
    function = {"name": "terminal", "arguments": arguments}
    call = {"id": identity, "type": "function", "function": function}
    return {"role": "assistant", "tool_calls": [call], **about}


def two_calls() -> dict[str, Any]:
    calls = [called(identity)["tool_calls"][0] for identity in "cd"]
    return {"role": "assistant", "tool_calls": calls}


def result(identity: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": text}


def thought(identity: str) -> dict[str, Any]:
    """An item of the Responses API, as an endpoint made it."""
    sealed = seal("I know enough.")
    return {"type": "reasoning", "id": identity, "summary": [], "encrypted_content": sealed}


def spoken(text: str, **about: Any) -> dict[str, Any]:
    """The item of a message, as the SDK sends it back: without id, status and annotations."""
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content, **about}


def chat() -> Iterator[dict[str, Any]]:
    """Requests that between them hold whatever some endpoint is particular about."""
    tools = [tool("terminal"), tool("finish"), tool("place")]
    failed = result("c", "no\n[The command completed with exit code 1.]")
    histories: list[list[dict[str, Any]]] = [
        [user(HELLO)],
        [user(RUN)],
        [user(TWO)],
        [user(COUNT)],
        [user(CALL)],
        [user("What is 2 + 3?")],
        [user("Please echo 'h\u00e9llo \u05e9'")],
        [user([{"type": "text", "text": HELLO, "cache_control": {"type": "ephemeral"}}])],
        [user([{"type": "text", "text": COLOURS}, {"type": "image_url", "image_url": URL}])],
        [user([{"type": "text", "text": COLOURS}, {"type": "image_url", "image_url": "http://x"}])],
        [user("Remember this word: plum."), said("OK"), user(RECALL)],
        [user(FALL_BACK), called("c"), failed],
        [user(RUN), called("c"), result("c", f"{'long ' * 600}\n[exit code 0]")],
        [user(TWO), two_calls(), result("c", "W-1"), result("d", "W-2")],
        [user(RUN), called("c", "{broken"), failed],
        [user(RUN), called("c"), user("and then?")],
        [user(HELLO), said(""), user(HELLO)],
        [user(HELLO), {"role": "system", "content": "be brief"}, user(HELLO)],
        [user(HELLO), user(HELLO)],
        [{"role": "system", "content": "a context-aware state summary"}, user(EVENT)],
    ]
    for messages in histories:
        for stream in (False, True):
            yield {"messages": messages, "tools": tools, "stream": stream}
            yield {"messages": messages, "stream": stream}
    for field, value in (
        *(("temperature", 0.5), ("top_p", 0.9), ("max_tokens", 9), ("stop", ["x"])),
        *(("max_completion_tokens", 200_000), ("parallel_tool_calls", True)),
        *(("tool_choice", "auto"), ("reasoning_effort", "high"), ("prompt_cache_key", "k")),
        ("stream_options", {"include_usage": True}),
    ):
        yield {"messages": [user(RUN)], "tools": tools, field: value}
    for extra in ({"$schema": "x"}, {"additionalProperties": False}, {"$defs": {}}):
        yield {"messages": [user(HELLO)], "tools": [tool("terminal", **extra)]}
    yield {"messages": [user(HELLO)], "stream": True, "stream_options": {"include_usage": True}}
    yield {"messages": [user(HELLO)], "model": "another-model"}
    yield {"messages": [user("word " * 6000)], "tools": tools}


def requests(protocol: str) -> Iterator[Call]:
    """The requests of one protocol, and some that lead astray."""
    headers = {"authorization": f"Bearer {KEY}"}

    def post(path: str, body: dict[str, Any]) -> Call:
        return Call("POST", path, headers, json.dumps({"model": MODEL, **body}).encode())

    match protocol:
        case "chat":
            for body in chat():
                yield post("/v1/chat/completions", body)
            yield post("/chat/completions", {"messages": [user(HELLO)]})
            yield post("/api/paas/v4/chat/completions", {"messages": [user(HELLO)]})
            flat = {"type": "function", "name": "terminal", "parameters": SCHEMA}
            yield post("/v1/responses", {"input": HELLO, "tools": [flat]})
        case "responses":
            reasoning = {"effort": "high", "summary": "auto"}
            include = ["reasoning.encrypted_content"]
            for given in (HELLO, [user(HELLO), thought("rs_1"), spoken("OK"), user(HELLO)]):
                asked = {"input": given, "reasoning": reasoning, "include": include}
                yield post("/v1/responses", asked | {"store": False})
            yield post("/v1/responses", {"input": HELLO, "temperature": 1.0})
        case "anthropic":
            for text in (HELLO, "word " * 6000):
                yield post("/v1/messages", {"max_tokens": 99, "messages": [user(text)]})
            changed = {"type": "thinking", "thinking": "changed", "signature": seal("original")}
            answer = {"role": "assistant", "content": [changed]}
            history = [user(HELLO), answer, user(HELLO)]
            yield post("/v1/messages", {"max_tokens": 99, "messages": history})
        case "gemini":
            path = f"/v1beta/models/{MODEL}:generateContent"
            call = {"functionCall": {"name": "terminal", "args": {"command": "a"}}}
            printed = {"functionResponse": {"name": "terminal", "response": {"output": "x"}}}
            yield post(path, {"contents": [{"parts": [{"text": HELLO}]}]})
            yield post(path, {"contents": [{"parts": [{"text": "word " * 6000}]}]})
            history = [{"role": "user", "parts": [{"text": RUN}]}]
            history += [{"role": "model", "parts": [call]}, {"role": "user", "parts": [printed]}]
            yield post(path, {"contents": history})
        case _:
            yield post("/api/chat", {"messages": [user(RUN)], "tools": [tool("terminal")]})
