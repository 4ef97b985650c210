"""The competent agent behind every protocol: a ``Turn`` in, a ``Reply`` out, nothing remembered.

All it knows is in the request, so retries, extra calls and any order of requests cannot derail it.
What it reports about a command comes from the tool's result in the history, and only from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_ohllm.simulator import knowledge, observation, summary, task
from pytest_ohllm.simulator.task import Task
from pytest_ohllm.simulator.turn import Message, Reply, Tool, ToolCall, Turn

TERMINALS = ("terminal", "bash", "execute_bash", "shell", "run_command")
"""Names of tools that run shell commands."""


@dataclass(frozen=True)
class Result:
    """What a tool said, and the command of the call that it answers."""

    command: str | None
    text: str


def answer(turn: Turn) -> Reply:
    """What a competent agent does next; it thinks aloud where the request asks for that."""
    reply = _answer(turn)
    return replace(reply, reasoning=thoughts(turn, reply)) if turn.reasons else reply


def _answer(turn: Turn) -> Reply:
    if summary.wanted(turn):
        return Reply(text=summary.write(turn))
    wanted, results = current_task(turn)
    if wanted.call is not None:
        return _call_by_name(wanted.call, results, turn)
    if not wanted.commands:
        return Reply(text=knowledge.answer(wanted.text, turn) or wanted.words)
    terminal = find_terminal(turn.tools)
    if terminal is None:
        return Reply(text=f"I have no terminal tool, so I cannot run `{wanted.commands[0]}`.")
    if due := _due(wanted, results, one_at_a_time=turn.prompt_based):
        calls = tuple(call_terminal(terminal, command) for command in due)
        return Reply(tool_calls=calls, finish="tool_calls")
    return Reply(text="\n".join(_report(result, wanted) for result in results))


def current_task(turn: Turn) -> tuple[Task, tuple[Result, ...]]:
    """The last thing that the user asked for, nudges aside, and what tools have said since."""
    names = {tool.name for tool in turn.tools}
    condensed: tuple[Result, ...] = ()
    for index in range(len(turn.messages) - 1, -1, -1):
        message = turn.messages[index]
        if message.role != "user":
            continue
        for part in reversed(summary.segments(message.text)):
            since = (*condensed, *_results(turn.messages[index + 1 :]))
            if isinstance(part, str):
                if not task.is_nudge(part):
                    return task.read(part, names), since
                continue
            earlier = tuple(Result(None, text) for text in part.results)
            if part.pending is not None:
                return task.read(part.pending, names), (*earlier, *since)
            condensed = (*earlier, *condensed)
    return task.read("", names), ()


def find_terminal(tools: tuple[Tool, ...]) -> Tool | None:
    """The tool that runs shell commands: by name, else by a free-text ``command`` argument."""
    for tool in tools:
        if tool.name in TERMINALS and "command" in tool.properties:
            return tool
    for tool in tools:
        command = tool.properties.get("command")
        if isinstance(command, dict) and "enum" not in command:
            return tool
    return None


def call_terminal(tool: Tool, command: str) -> ToolCall:
    """A call of ``tool`` with ``command``, and the courtesy arguments that its schema offers."""
    about = "Run the command that the user asked for"
    return ToolCall(tool.name, {"command": command, **_courtesies(tool, about)})


def thoughts(turn: Turn, reply: Reply) -> str:
    """What a reasoning model thinks before it says ``reply``."""
    steps = f"Step {1 + sum(m.role == 'assistant' for m in turn.messages)}: "
    if reply.tool_calls:
        return f"{steps}I need {reply.tool_calls[0].name} to find out what the user wants to know."
    return f"{steps}I know enough to answer the user now."


def _courtesies(tool: Tool, about: str) -> dict[str, Any]:
    offered = {"security_risk": "LOW", "summary": about}
    return {name: value for name, value in offered.items() if name in tool.properties}


def _due(wanted: Task, results: tuple[Result, ...], *, one_at_a_time: bool) -> tuple[str, ...]:
    """The commands to call now.

    Results are counted, not compared with the wanted command: a command that was rewritten or
    rejected on the way is reported, not repeated for ever.
    """
    left = wanted.commands[len(results) :]
    if wanted.way == "at once" and not one_at_a_time:
        return left
    if wanted.way == "until one succeeds" and results and _succeeded(results[-1]):
        return ()
    return left[:1]


def _succeeded(result: Result) -> bool:
    return observation.read(result.text).exit_code == 0


def _report(result: Result, wanted: Task) -> str:
    seen = observation.read(result.text)
    return seen.ends(result.command) if wanted.ends else seen.report(result.command)


def _call_by_name(call: ToolCall, results: tuple[Result, ...], turn: Turn) -> Reply:
    if results:
        said = "\n".join(observation.read(result.text).output for result in results)
        return Reply(text=f"The tool `{call.name}` returned:\n{said}")
    tool = next((tool for tool in turn.tools if tool.name == call.name), None)
    if tool is None:
        return Reply(text=f"I have no tool `{call.name}`, so I cannot call it.")
    arguments = {**_courtesies(tool, "Make the call that the user asked for"), **call.arguments}
    return Reply(tool_calls=(replace(call, arguments=arguments),), finish="tool_calls")


def _results(messages: tuple[Message, ...]) -> tuple[Result, ...]:
    """Each tool result with the command of the call that it answers, in order."""
    commands: dict[str | None, str | None] = {}
    results: list[Result] = []
    for message in messages:
        for call in message.tool_calls:
            command = call.arguments.get("command")
            commands[call.id] = command if isinstance(command, str) else None
        if message.role == "tool":
            results.append(Result(commands.get(message.call_id), message.text))
    return tuple(results)
