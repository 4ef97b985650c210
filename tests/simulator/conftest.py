"""A simulator per test, and the few requests that the tests of this room make of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pytest_ohllm.simulator.server import Simulator

TERMINAL = {
    "type": "function",
    "function": {
        "name": "terminal",
        "description": "Execute a shell command.",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string"}, "security_risk": {"type": "string"}},
            "required": ["command"],
        },
    },
}


class Client:
    """Speaks chat completions to one simulator, as a client library would."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.http = httpx.Client(
            base_url=simulator.base_url,
            headers={"Authorization": f"Bearer {simulator.api_key}"},
            timeout=5,
        )

    def post(self, prompt: str | list[dict[str, Any]], **fields: Any) -> httpx.Response:
        """One request; ``prompt`` is a user's text or the whole history."""
        if isinstance(prompt, str):
            prompt = [{"role": "user", "content": prompt}]
        body = {"model": self.simulator.model, "messages": prompt, **fields}
        return self.http.post("chat/completions", json=body)

    def message(self, prompt: str | list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """The assistant's message in a successful answer."""
        response = self.post(prompt, **fields)
        assert response.status_code == 200, response.text
        message: dict[str, Any] = response.json()["choices"][0]["message"]
        return message

    def events(self, prompt: str | list[dict[str, Any]], **fields: Any) -> list[Any]:
        """The documents of a stream, ``"[DONE]"`` included."""
        lines = self.post(prompt, stream=True, **fields).text.splitlines()
        data = [line.removeprefix("data: ") for line in lines if line]
        return [item if item == "[DONE]" else json.loads(item) for item in data]

    def commands(self, message: dict[str, Any]) -> list[str]:
        """The commands of the terminal calls in an assistant's message."""
        return [
            json.loads(call["function"]["arguments"])["command"]
            for call in message.get("tool_calls", [])
            if call["function"]["name"] == "terminal"
        ]

    def run(self, prompt: str, result: str) -> dict[str, Any]:
        """The message once the call that ``prompt`` leads to was answered with ``result``."""
        return self.message(self.history(prompt, result), tools=[TERMINAL])

    def history(self, prompt: str, result: str) -> list[dict[str, Any]]:
        """``prompt``, the call that it leads to, and ``result``."""
        call = self.message(prompt, tools=[TERMINAL])
        return [
            {"role": "user", "content": prompt},
            call,
            {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": result},
        ]


@pytest.fixture
def terminal() -> dict[str, Any]:
    """The terminal tool as it is offered on the wire."""
    return TERMINAL


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Starts a simulator with a personality and gives a client of it; all stop with the test."""
    clients: list[Client] = []

    def start(personality: str = "default", **options: Any) -> Client:
        clients.append(Client(Simulator(personality, **options).start()))
        return clients[-1]

    yield start
    for client in clients:
        client.http.close()
        client.simulator.stop()
