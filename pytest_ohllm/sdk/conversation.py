"""Run one conversation of the SDK's agent under guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_ohllm.model import End
from pytest_ohllm.sdk.guard import CommandGuard
from pytest_ohllm.wire.tape import Tape

MAX_STEPS = 8
"""Steps of the agent after which a scenario that needs two has certainly gone wrong."""

MAX_REJECTIONS = 2
"""How often a model may ask for something else before the scenario ends."""


def converse(
    llm: Any, prompt: str, *, workspace: Path, guard: CommandGuard, tape: Tape, events: list[Any]
) -> End:
    """Let the agent answer ``prompt`` with a terminal in ``workspace``; how it ended.

    ``events`` is filled while the conversation runs, so that it holds what happened even if this
    raises. Every tool call waits for confirmation and is shown to ``guard`` first. Raises the SDK's
    ConversationRunError as it is.
    """
    from openhands.sdk import Agent, Conversation, Tool
    from openhands.sdk.security.confirmation_policy import AlwaysConfirm
    from openhands.tools.terminal import TerminalTool

    conversation: Any = Conversation(
        agent=Agent(llm=llm, tools=[Tool(name=TerminalTool.name)]),
        workspace=str(workspace),
        callbacks=[events.append],
        visualizer=None,
        max_iteration_per_run=MAX_STEPS,
    )
    try:
        conversation.set_confirmation_policy(AlwaysConfirm())
        conversation.send_message(prompt)
        return _run(conversation, guard, tape)
    finally:
        conversation.close()


def _run(conversation: Any, guard: CommandGuard, tape: Tape) -> End:
    """Run, confirm or reject, and run on, until the conversation ends by itself or by a limit."""
    rejections = 0
    for _ in range(MAX_STEPS):
        conversation.run()
        status = conversation.state.execution_status.value
        if status != "waiting_for_confirmation":
            return _END.get(status, "error")
        if tape.remaining == 0:
            return "timeout"
        refusals = [
            refusal for action in _pending(conversation) if (refusal := _refusal(guard, action))
        ]
        if refusals:
            rejections += 1
            conversation.reject_pending_actions(refusals[0])
            if rejections > MAX_REJECTIONS:
                return "rejected"
    return "iteration_limit"


_END: dict[str, End] = {"finished": "finished", "stuck": "stuck", "error": "iteration_limit"}
"""run() raises for every error but one: reaching the limit of its iterations."""


def _pending(conversation: Any) -> list[Any]:
    from openhands.sdk.conversation.state import ConversationState

    return list(ConversationState.get_unmatched_actions(conversation.state.events))


def _refusal(guard: CommandGuard, action: Any) -> str | None:
    arguments = action.action.model_dump() if action.action is not None else {}
    return guard.refusal(action.tool_name, arguments)
