"""A simulator per test, and the few requests that the tests of this room make of it."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pytest_ohllm.simulator.server import Simulator
from pytest_ohllm.wire.tape import Tape
from tests.simulator.sdk_driver import Drive, Driver


@pytest.fixture(autouse=True)
def _on_tape() -> Iterator[None]:
    """As in the suite: litellm lets go of unread streams, which the garbage collector then closes.

    Without the tape that takes the lock of httpx's connection pool, now and then in a thread that
    holds it already, and for ever.
    """
    with Tape().recording():
        yield


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


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The SDK's names; its environment must stand before the first import, and goes with the file.

    Of the session, it would be the environment of every later file of this worker, too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("OPENHANDS_SUPPRESS_BANNER", "1")
        patch.setenv("LOG_LEVEL", "ERROR")
        patch.setenv("OH_PERSISTENCE_DIR", str(tmp_path_factory.mktemp("openhands")))
        for name in ("DEBUG", "DEBUG_LLM", *(n for n in os.environ if n.endswith("_API_KEY"))):
            patch.delenv(name, raising=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from openhands import sdk as names
            from openhands.sdk import event
            from openhands.sdk.conversation.response_utils import get_agent_final_response
            from openhands.tools.terminal import TerminalTool

            yield SimpleNamespace(
                LLM=names.LLM,
                Agent=names.Agent,
                Conversation=names.Conversation,
                Message=names.Message,
                TextContent=names.TextContent,
                Tool=names.Tool,
                ActionEvent=event.ActionEvent,
                ObservationEvent=event.ObservationEvent,
                ImageContent=names.ImageContent,
                final=get_agent_final_response,
                terminal=TerminalTool.name,
            )


@pytest.fixture
def drive(sdk: SimpleNamespace, connect: Callable[..., Client], tmp_path: Path) -> Drive:
    """Starts a simulator with a personality and gives a driver of the SDK against it."""
    return lambda personality: Driver(sdk, connect(personality), tmp_path)
