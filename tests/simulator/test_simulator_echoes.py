"""Endpoints that repeat the key, over every protocol."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pytest_ohllm.simulator.server import Simulator

Connect = Callable[..., Any]

KEY = "sk-canary-7Fh2kQ9xVb3LmZ0aRt5WcYp8"
RUN = "Run `echo TOOL_OK` with the terminal tool."
MESSAGES = [{"role": "user", "content": "Say hello."}]
REQUESTS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "openai": ("/chat/completions", {"Authorization": f"Bearer {KEY}"}, {"messages": MESSAGES}),
    "responses": ("/responses", {"Authorization": f"Bearer {KEY}"}, {"input": "Say hello."}),
    "anthropic": (
        "/v1/messages",
        {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        {"messages": MESSAGES, "max_tokens": 100},
    ),
    "ollama": ("/api/chat", {"Authorization": f"Bearer {KEY}"}, {"messages": MESSAGES}),
    "gemini": (
        "/models/{model}:generateContent",
        {"x-goog-api-key": KEY},
        {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]},
    ),
}
"""Protocol -> path, headers and body of the smallest conversation."""


def asked(protocol: str, echo: str) -> httpx.Response:
    with Simulator(f"{protocol}+{echo}", api_key=KEY) as simulator:
        path, headers, body = REQUESTS[protocol]
        named = {} if protocol == "gemini" else {"model": simulator.model, "stream": False}
        url = simulator.base_url + path.format(model=simulator.model)
        return httpx.post(url, headers=headers, json=body | named)


@pytest.mark.parametrize("protocol", REQUESTS)
def test_an_answer_holds_the_key_in_its_text_and_headers(protocol: str) -> None:
    response = asked(protocol, "key-in-answers")

    assert response.status_code == 200, response.text
    assert KEY in response.text
    assert response.headers["x-received-key"] == KEY
    assert response.headers["x-request-auth"] == f"Bearer {KEY}"


@pytest.mark.parametrize("protocol", REQUESTS)
def test_an_error_page_holds_the_key_as_it_is_and_in_base64(protocol: str) -> None:
    response = asked(protocol, "key-in-error-page")

    assert (response.status_code, response.headers["content-type"][:9]) == (403, "text/html")
    assert f"Bearer {KEY}" in response.text
    assert base64.b64encode(f"user:{KEY}".encode()).decode() in response.text


def test_a_stream_spells_the_key_in_pieces(connect: Connect) -> None:
    client = connect("key-in-answers", api_key=KEY)
    response = client.post("Say hello.", stream=True)
    assert KEY not in response.text
    events = client.events("Say hello.")
    pieces = [event["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert KEY in "".join(pieces)
    assert response.headers["x-received-key"] == KEY


def test_a_command_prints_the_key_where_there_is_a_terminal(
    connect: Connect, terminal: dict[str, Any]
) -> None:
    client = connect("key-in-commands", api_key=KEY)
    assert client.commands(client.message(RUN, tools=[terminal])) == [f"echo '{KEY}'"]
    assert KEY not in str(client.message("Say hello.", tools=[terminal]))


def test_calls_are_summed_up_with_the_key(connect: Connect, terminal: dict[str, Any]) -> None:
    properties = {"command": {"type": "string"}, "summary": {"type": "string"}}
    schema = {"type": "object", "properties": properties}
    function = terminal["function"] | {"parameters": schema}
    (call,) = connect("key-in-answers", api_key=KEY).message(
        RUN, tools=[terminal | {"function": function}]
    )["tool_calls"]
    assert KEY in call["function"]["arguments"]
    assert "echo TOOL_OK" in call["function"]["arguments"]
