"""Play one scene with the SDK's agent, under guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from pytest_ohllm.model import End
from pytest_ohllm.sdk.client import count_delta
from pytest_ohllm.sdk.guard import CommandGuard
from pytest_ohllm.sdk.scene import Scene, UnsupportedBySdk
from pytest_ohllm.wire.tape import Tape

MAX_STEPS = 8
"""Steps of the agent in one turn, after which one that needs two or three has gone wrong."""

MAX_REJECTIONS = 2
"""How often a model may ask for something else before the scene ends."""


class ToolsMissing(Exception):
    """An MCP server did not start: the SDK warns of it, and goes on without its tools."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """Where a conversation is kept, and by which id."""

    folder: Path
    conversation: UUID


@dataclass
class Production:
    """What a scene is played with, and what it leaves: ``events`` and ``facts`` fill as it goes.

    ``make_llm`` makes the profile's ``LLM`` for a usage id.
    """

    make_llm: Callable[[str], Any]
    workspace: Path
    tape: Tape
    events: list[Any] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    persistence: Persistence | None = None


def play(scene: Scene, production: Production) -> End:
    """Say all turns of ``scene``, one after the other; how the last of them ended.

    Every tool call waits for confirmation and is shown to the guard first. Raises the SDK's
    ConversationRunError as it is, UnsupportedBySdk, and ToolsMissing.
    """
    guard = CommandGuard(scene.allow, production.workspace, scene.allow_tools)
    conversation = _open(scene, production)
    end: End = "finished"
    try:
        _confirm_everything(conversation)
        for index, turn in enumerate(scene.turns):
            if index and scene.switch:
                _switch(conversation, production.make_llm(f"ohllm-switched-{index}"))
            if index == len(scene.turns) - 1 and scene.condense:
                conversation.condense()
            conversation.send_message(turn)
            _require_tools(scene, conversation)
            end = _run(conversation, guard, production.tape)
            if end != "finished":
                break
        return end
    finally:
        conversation.close()


def _open(scene: Scene, production: Production) -> Any:
    from openhands.sdk import Agent, Conversation, Tool
    from openhands.tools.terminal import TerminalTool

    cast: dict[str, Any] = {}
    if scene.mcp is not None:
        cast["mcp_config"] = _mcp_config(Agent, scene.mcp)
    if scene.condense:
        cast["condenser"] = _condenser(production.make_llm("ohllm-condenser"))
    props: dict[str, Any] = {}
    if scene.stream:
        production.facts["deltas"] = 0
        props["token_callbacks"] = [lambda _chunk: count_delta(production.facts)]
    if kept := production.persistence:
        props |= {"persistence_dir": str(kept.folder), "conversation_id": kept.conversation}
    agent = Agent(
        llm=production.make_llm("ohllm-agent"), tools=[Tool(name=TerminalTool.name)], **cast
    )
    return Conversation(
        agent=agent,
        workspace=str(production.workspace),
        callbacks=[production.events.append],
        visualizer=None,
        max_iteration_per_run=MAX_STEPS,
        **props,
    )


def _require_tools(scene: Scene, conversation: Any) -> None:
    """Ask the model for nothing that it was not offered."""
    missing = scene.allow_tools - set(conversation.agent.tools_map)
    if scene.mcp and missing:
        raise ToolsMissing(
            f"the MCP server {', '.join(scene.mcp)} did not start, and the SDK goes on without "
            f"{', '.join(sorted(missing))}"
        )


def _run(conversation: Any, guard: CommandGuard, tape: Tape) -> End:
    """Run, confirm or reject, and run on, until the turn ends by itself or by a limit."""
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


def _confirm_everything(conversation: Any) -> None:
    from openhands.sdk.security.confirmation_policy import AlwaysConfirm

    conversation.set_confirmation_policy(AlwaysConfirm())


def _pending(conversation: Any) -> list[Any]:
    from openhands.sdk.conversation.state import ConversationState

    return list(ConversationState.get_unmatched_actions(conversation.state.events))


def _refusal(guard: CommandGuard, action: Any) -> str | None:
    arguments = action.action.model_dump() if action.action is not None else {}
    return guard.refusal(action.tool_name, arguments)


def _switch(conversation: Any, llm: Any) -> None:
    if not hasattr(conversation, "switch_llm"):
        raise UnsupportedBySdk("switching the model in a conversation (switch_llm)")
    conversation.switch_llm(llm)


def _condenser(llm: Any) -> Any:
    from openhands.sdk.context.condenser import LLMSummarizingCondenser

    return LLMSummarizingCondenser(llm=llm, max_size=80, keep_first=2)


def _mcp_config(agent: Any, servers: Any) -> dict[str, Any]:
    """In the form that this SDK wants: newer ones take the servers as they are."""
    wraps = "Any" in str(agent.model_fields["mcp_config"].annotation)
    return {"mcpServers": dict(servers)} if wraps else dict(servers)
