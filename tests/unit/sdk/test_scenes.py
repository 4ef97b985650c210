"""Scenes of several turns and tools: what is particular to the SDK, not to a model."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.sdk import mcp_server
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.sdk.scene import Scene
from pytest_ohllm.simulator.server import Simulator

FAKE_KEY = "fake-key-0123456789-for-tests"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(api_key=FAKE_KEY) as simulator:
        yield simulator


def driver_for(simulator: Simulator) -> Driver:
    """A driver for the embedded provider."""
    settings = {"model": f"openai/{simulator.model}", "base_url": simulator.base_url}
    connection = Connection(
        Profile(name="test", settings=settings), {"api_key": SecretStr(FAKE_KEY)}
    )
    return Driver(connection, timeout=20, redact=lambda value: value)


def shop(command: str, *args: str) -> Scene:
    """A scene about a tool ``ring`` that the MCP server so started offers."""
    return Scene(
        ("Call the tool `ring` once, with exactly these arguments:\n```json\n{}\n```",),
        allow_tools=frozenset({"ring"}),
        mcp={"shop": {"command": command, "args": list(args)}},
    )


def answering(text: str) -> tuple[str, ...]:
    """How our MCP server is started with the one tool ``ring``, which answers ``text``."""
    tool: dict[str, Any] = {"name": "ring", "inputSchema": {"type": "object", "properties": {}}}
    job = {"tool": tool, "receipts": {mcp_server.canonical({}): text}}
    return (sys.executable, "-I", mcp_server.__file__, json.dumps(job))


class TestTools:
    def test_an_mcp_tool_is_called_and_answers(self, simulator: Simulator) -> None:
        transcript = driver_for(simulator).perform(shop(*answering("ding-4711")))

        assert transcript.error is None, transcript.traceback
        assert len(transcript.tool_calls("ring")) == 1
        assert "ding-4711" in transcript.observations("ring")[0].text

    def test_an_mcp_server_is_started_where_stderr_is_no_file(
        self, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As it is below `pytest --capture=sys`.
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))

        transcript = driver_for(simulator).perform(shop(*answering("ding-4711")))

        assert "ding-4711" in transcript.observations("ring")[0].text

    def test_an_mcp_server_that_does_not_start_is_never_the_model_s_fault(
        self, simulator: Simulator
    ) -> None:
        transcript = driver_for(simulator).perform(shop(sys.executable, "-c", "raise SystemExit"))

        assert transcript.error is not None
        assert transcript.end == "error"
        assert "ring" in transcript.error.root.message or "MCP" in transcript.traceback
        assert not simulator.journal, "the model was asked for a tool that it was not offered"
