"""Personalities of the model itself: what it says and does, over a protocol that works."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities.declaration import Behave, Personality, cannot_act
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


def _rename(change: Callable[[str], str]) -> Behave:
    """Calls of tools under the names that ``change`` gives them."""

    def behave(turn: Turn, reply: Reply) -> Reply:
        calls = tuple(replace(call, name=change(call.name)) for call in reply.tool_calls)
        return replace(reply, tool_calls=calls)

    return behave


def _list_command(turn: Turn, reply: Reply) -> Reply:
    """The command as a list of words, which the schema does not allow."""
    calls = [
        replace(call, arguments={**call.arguments, "command": _words_of(call.arguments["command"])})
        if "command" in call.arguments
        else call
        for call in reply.tool_calls
    ]
    return replace(reply, tool_calls=tuple(calls))


def _words_of(command: object) -> list[str]:
    return str(command).split()


def _ignores(turn: Turn, reply: Reply) -> Reply:
    """Small talk, whatever is asked for."""
    return Reply(text="What a lovely day! Let me tell you about the history of tea instead.")


def _prose(turn: Turn, reply: Reply) -> Reply:
    """Explains how one would call the tool."""
    if not reply.tool_calls:
        return reply
    command = reply.tool_calls[0].arguments.get("command", "")
    return Reply(
        text=f"To do this, you would use the terminal tool with the command `{command}`. "
        "Let me know what it prints!"
    )


def _breaks_down(turn: Turn, reply: Reply) -> Reply:
    """The same words over and over, until the limit."""
    return replace(reply, text=" ".join([*reply.text.split()[:3], *["and so on"] * 400]))


def _tolerated(name: str, description: str, behave: Behave) -> Personality:
    """What the SDK puts right by itself."""
    return Personality(name, description, healthy=True, verdict="WORKS", behave=(behave,))


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
    cannot_act(
        "unknown-tool",
        "calls a tool that nobody offered",
        _rename(lambda name: "run_in_sandbox"),
    ),
    _tolerated(
        "tool-alias",
        "calls the terminal `bash`, an alias that the SDK knows",
        _rename(lambda name: "bash" if name in agent.TERMINALS else name),
    ),
    _tolerated(
        "tag-in-tool-name",
        "leaves a fragment of its template in the tool's name, which the SDK removes",
        _rename(lambda name: f"{name}<|channel|>commentary"),
    ),
    cannot_act("list-for-string", "gives the command as a list of words", _list_command),
    cannot_act("prose-about-tool", "explains in prose how one would call the tool", _prose),
    cannot_act("ignores-instruction", "makes small talk, whatever is asked for", _ignores),
    cannot_act("repeats-itself", "says the same words again and again", _breaks_down),
)
