"""Personalities of the model itself: what it says and does, over a protocol that works."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities.declaration import Personality
from pytest_ohllm.simulator.turn import Reply, ToolCall, Turn

_PRINTED = re.compile(r"^\s*(?:echo|printf)\s+['\"]?(.*?)['\"]?\s*$", re.DOTALL)
_WRONG_COMMAND = "uname -s"


def _parrot(turn: Turn, reply: Reply) -> Reply:
    """Claims to have done what a prompt asks, in the prompt's own words."""
    if not reply.tool_calls:
        return reply
    return Reply(text=_claim(turn))


def _wrong_command(turn: Turn, reply: Reply) -> Reply:
    if reply.tool_calls:
        calls = [
            replace(call, arguments={**call.arguments, "command": _WRONG_COMMAND})
            for call in reply.tool_calls
        ]
        return replace(reply, tool_calls=tuple(calls))
    wanted, _ = agent.current_task(turn)
    return Reply(text=_claim(turn)) if wanted.commands and turn.tools else reply


def _claim(turn: Turn) -> str:
    """Success claimed from the prompt alone, with a guess at what a plain ``echo`` would print."""
    wanted, _ = agent.current_task(turn)
    lines = [f"Done. As you asked: {wanted.text.strip()}"]
    for command in wanted.commands:
        printed = _PRINTED.match(command)
        output = printed.group(1) if printed else command
        lines.append(f"I ran `{command}`: exit code 0, and it printed:\n{output}")
    return "\n".join(lines)


def _empty(turn: Turn, reply: Reply) -> Reply:
    return Reply()


def _finish_tool(turn: Turn, reply: Reply) -> Reply:
    if reply.tool_calls or all(tool.name != "finish" for tool in turn.tools):
        return reply
    call = ToolCall("finish", {"message": reply.text})
    return replace(reply, text="", tool_calls=(call,), finish="tool_calls")


def _chatty(turn: Turn, reply: Reply) -> Reply:
    before = (
        "Sure, I would be glad to help with that! Let me think about the best way to go about it."
    )
    after = "I hope this helps. Please do not hesitate to ask if there is anything else I can do!"
    if reply.tool_calls:
        return replace(
            reply, text=before
        )  # the prompt-based format allows words only before a call
    return replace(reply, text=f"{before}\n\n{reply.text}\n\n{after}")


def _loops(turn: Turn, reply: Reply) -> Reply:
    """Once a command is asked for, calls for it again and again, whatever came back."""
    wanted, _ = agent.current_task(turn)
    terminal = agent.find_terminal(turn.tools)
    if not wanted.commands or terminal is None:
        return reply
    call = agent.call_terminal(terminal, wanted.commands[0])
    return Reply(tool_calls=(call,), finish="tool_calls")


PERSONALITIES = (
    Personality(
        "finish-tool",
        "competent, and ends with the finish tool in place of plain text",
        healthy=True,
        verdict="WORKS",
        behave=(_finish_tool,),
    ),
    Personality(
        "chatty",
        "competent, with long-winded text around every answer",
        healthy=True,
        verdict="WORKS",
        behave=(_chatty,),
    ),
    Personality(
        "parrot",
        "never calls a tool, yet says the words that the prompt names",
        verdict="DOES NOT WORK",
        stage="C",
        kind="model_limitation",
        behave=(_parrot,),
    ),
    Personality(
        "wrong-command",
        "calls the terminal with another command than the one asked for, then claims success",
        verdict="DOES NOT WORK",
        stage="C",
        kind="model_limitation",
        behave=(_wrong_command,),
    ),
    Personality(
        "loops",
        "makes the same tool call for ever, whatever the tool answers",
        verdict="DOES NOT WORK",
        stage="C",
        kind="model_limitation",
        behave=(_loops,),
    ),
    Personality(
        "empty",
        "answers with status 200 and empty content",
        verdict="DOES NOT WORK",
        stage="A",
        kind="model_limitation",
        behave=(_empty,),
    ),
)
