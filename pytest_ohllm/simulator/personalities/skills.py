"""Personalities of models that lack a skill: they work, and fail the one gate that is about it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from pytest_ohllm.simulator import agent, summary
from pytest_ohllm.simulator.personalities.declaration import Behave, Personality
from pytest_ohllm.simulator.turn import Reply, Turn

_SUM = re.compile(r"\bwhat is (-?\d+ [-+*] -?\d+)", re.IGNORECASE)


def _eager(turn: Turn, reply: Reply) -> Reply:
    """Lets the shell do sums."""
    terminal = agent.find_terminal(turn.tools)
    asked = _SUM.search(agent.current_task(turn)[0].text)
    if terminal is None or asked is None or turn.messages[-1].role == "tool":
        return reply
    call = agent.call_terminal(terminal, f"echo $(({asked.group(1)}))")
    return Reply(tool_calls=(call,), finish="tool_calls")


def _gives_up(turn: Turn, reply: Reply) -> Reply:
    """After a command that failed nothing else is tried."""
    wanted, results = agent.current_task(turn)
    if wanted.way != "until one succeeds" or not results or not reply.tool_calls:
        return reply
    return Reply(text="The command failed, so I could not find out what you asked for. Sorry!")


def _no_unicode(turn: Turn, reply: Reply) -> Reply:
    """A tokenizer that knows no letters beyond ASCII."""
    return replace(reply, text=reply.text.encode("ascii", "replace").decode())


def _flattens(turn: Turn, reply: Reply) -> Reply:
    """Objects and lists among the arguments become strings of JSON."""
    calls = [
        replace(
            call,
            arguments={
                name: json.dumps(value) if isinstance(value, dict | list) else value
                for name, value in call.arguments.items()
            },
        )
        for call in reply.tool_calls
    ]
    return replace(reply, tool_calls=tuple(calls))


def _no_summary(turn: Turn, reply: Reply) -> Reply:
    return Reply(text="The user and I talked.") if summary.wanted(turn) else reply


def _lacks(name: str, description: str, behave: Behave, gate: str) -> Personality:
    return Personality(
        name,
        description,
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate=gate,
        kind="model_limitation",
        behave=(behave,),
    )


PERSONALITIES = (
    _lacks("eager", "calls the terminal for a sum that needs none", _eager, "no_tool"),
    _lacks("gives-up", "tries nothing else after a command failed", _gives_up, "tool_error"),
    _lacks("ascii-only", "turns other letters into question marks", _no_unicode, "long_output"),
    _lacks(
        "flattens-arguments",
        "gives objects and lists among the arguments as strings of JSON",
        _flattens,
        "mcp",
    ),
    _lacks("empty-summary", "sums up a conversation without its facts", _no_summary, "condenser"),
)
