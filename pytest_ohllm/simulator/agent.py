"""The competent agent behind every protocol: a ``Turn`` in, a ``Reply`` out, nothing remembered.

All it knows is in the request, so retries, extra calls and any order of requests cannot derail it.
What it reports about a command comes from the tool's result in the history, and only from there.
"""

from __future__ import annotations

from typing import Any

from pytest_ohllm.simulator import observation, task
from pytest_ohllm.simulator.task import Task
from pytest_ohllm.simulator.turn import Message, Reply, Tool, ToolCall, Turn

_TERMINALS = ("terminal", "bash", "execute_bash", "shell", "run_command")


def answer(turn: Turn) -> Reply:
    """What a competent agent does next."""
    wanted, since = current_task(turn)
    results = _results(since)
    terminal = find_terminal(turn.tools)
    if wanted.commands and terminal is None:
        return Reply(text=f"I have no terminal tool, so I cannot run `{wanted.commands[0]}`.")
    # Results are counted, not compared with the wanted command: a command that was rewritten or
    # rejected on the way is reported, not repeated for ever.
    if terminal is not None and len(results) < len(wanted.commands):
        return _calling(terminal, wanted.commands[len(results)])
    if results and wanted.commands:
        reports = [observation.read(said).report(command) for command, said in results]
        return Reply(text="\n".join(reports))
    return Reply(text=wanted.words)


def current_task(turn: Turn) -> tuple[Task, tuple[Message, ...]]:
    """The last thing that the user asked for, nudges aside, and what happened since."""
    names = {tool.name for tool in turn.tools}
    for index in range(len(turn.messages) - 1, -1, -1):
        message = turn.messages[index]
        if message.role == "user" and not task.is_nudge(message.text):
            return task.read(message.text, names), turn.messages[index + 1 :]
    return task.read("", names), ()


def find_terminal(tools: tuple[Tool, ...]) -> Tool | None:
    """The tool that runs shell commands: by name, else by a free-text ``command`` argument."""
    for tool in tools:
        if tool.name in _TERMINALS and "command" in tool.properties:
            return tool
    for tool in tools:
        command = tool.properties.get("command")
        if isinstance(command, dict) and "enum" not in command:
            return tool
    return None


def call_terminal(tool: Tool, command: str) -> ToolCall:
    """A call of ``tool`` with ``command``, and the courtesy arguments that its schema offers."""
    arguments: dict[str, Any] = {"command": command}
    if "security_risk" in tool.properties:
        arguments["security_risk"] = "LOW"
    if "summary" in tool.properties:
        arguments["summary"] = "Run the command that the user asked for"
    return ToolCall(tool.name, arguments)


def _calling(tool: Tool, command: str) -> Reply:
    return Reply(tool_calls=(call_terminal(tool, command),), finish="tool_calls")


def _results(messages: tuple[Message, ...]) -> list[tuple[str | None, str]]:
    """Each tool result with the command of the call that it answers, in order."""
    commands: dict[str | None, str | None] = {}
    results: list[tuple[str | None, str]] = []
    for message in messages:
        for call in message.tool_calls:
            command = call.arguments.get("command")
            commands[call.id] = command if isinstance(command, str) else None
        if message.role == "tool":
            results.append((commands.get(message.call_id), message.text))
    return results
