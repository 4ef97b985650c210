"""The simulator as a programmer who follows a script: the agent's model in tests of the autofix.

The script has a round for each message of the user, and a round has a step for each turn of the
assistant. Which step is next is read from the conversation, so a request that is sent again gets
the same answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr

from pytest_ohllm.model import Profile
from pytest_ohllm.profiles.connection import Connection
from pytest_ohllm.simulator import personalities, summary
from pytest_ohllm.simulator.latency import Latency
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.server import Simulator
from pytest_ohllm.simulator.turn import Reply, ToolCall, Turn

PROTOCOLS = ("openai", "responses", "anthropic", "gemini", "ollama")
"""The healthy personality of each protocol."""

PRICES = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5}


@dataclass(frozen=True)
class Step:
    """What the programmer says and does in one turn."""

    calls: tuple[ToolCall, ...] = ()
    text: str = ""


def terminal(command: str, **more: Any) -> Step:
    """Run a command."""
    return Step((ToolCall("terminal", {"command": command, **more}),))


def create(path: object, text: str) -> Step:
    """Write a file."""
    return _edit(command="create", path=str(path), file_text=text)


def replaces(path: object, old: str, new: str) -> Step:
    """Change a file in one place."""
    return _edit(command="str_replace", path=str(path), old_str=old, new_str=new)


def view(path: object) -> Step:
    """Read a file."""
    return _edit(command="view", path=str(path))


def says(text: str) -> Step:
    """A message, which ends the turn."""
    return Step(text=text)


def finish(message: str = "It is done.") -> Step:
    """End the turn as agents do."""
    return Step((ToolCall("finish", {"message": message}),))


def _edit(**arguments: Any) -> Step:
    return Step((ToolCall("file_editor", arguments),))


class Forever(tuple[Step, ...]):
    """A round that goes on with its last step."""


Script = Sequence[Step]


def personality(*rounds: Script, protocol: str = "openai") -> Personality:
    """A competent endpoint whose model follows ``rounds``."""

    def follow(turn: Turn, reply: Reply) -> Reply:
        if summary.wanted(turn) or not turn.tools:
            return reply
        step = _step(rounds, turn)
        calls = tuple(replace(call, arguments=_complete(call, turn)) for call in step.calls)
        return replace(
            reply, text=step.text, tool_calls=calls, finish="tool_calls" if calls else "stop"
        )

    return replace(personalities.get(protocol), behave=(follow,))


def _step(rounds: Sequence[Script], turn: Turn) -> Step:
    users = [number for number, message in enumerate(turn.messages) if message.role == "user"]
    said = sum(message.role == "assistant" for message in turn.messages[users[-1] :])
    # Clients may join messages of the user that follow one another, but not those of two rounds.
    groups = [role for role, _ in itertools.groupby(m.role for m in turn.messages)]
    current = rounds[min(groups.count("user"), len(rounds)) - 1]
    if said < len(current):
        return current[said]
    return current[-1] if isinstance(current, Forever) else says("I have nothing more to do.")


def _complete(call: ToolCall, turn: Turn) -> dict[str, Any]:
    """The arguments with what the tool's schema demands beside them."""
    tool = next((tool for tool in turn.tools if tool.name == call.name), None)
    offered = {"security_risk": "LOW", "summary": "A step of the script"}
    known = tool.properties if tool else {}
    return {n: v for n, v in offered.items() if n in known} | dict(call.arguments)


def programmer(
    *rounds: Script,
    protocol: str = "openai",
    api_key: str | None = None,
    latency: Latency | None = None,
) -> Simulator:
    """The provider, which has to be started."""
    return Simulator(personality(*rounds, protocol=protocol), api_key=api_key, latency=latency)


def connection(simulator: Simulator, **settings: Any) -> Connection:
    """The profile of a running provider and its key; ``settings`` are added to its own."""
    fields = {
        **simulator.personality.settings,
        "base_url": simulator.base_url,
        **PRICES,
        "num_retries": 0,
        **settings,
    }
    profile = Profile(name="programmer", settings=fields, secrets={"api_key": "env:UNUSED"})
    return Connection(profile, {"api_key": SecretStr(simulator.api_key)})
