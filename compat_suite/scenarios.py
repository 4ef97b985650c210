"""The scenarios of stage D: what is played for each gate, ahead of the checks that judge it."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from compat_suite import orders, pictures, prompts
from pytest_ohllm.model import ToolMode, Transcript
from pytest_ohllm.sdk import mcp_server
from pytest_ohllm.sdk.driver import Driver
from pytest_ohllm.sdk.scene import Scene
from pytest_ohllm.sdk.server import is_installed
from pytest_ohllm.wire import reading


class NotClaimed(Exception):
    """Nothing says that the model offers this, and the user did not ask for it by name."""


@dataclass(frozen=True)
class Played:
    """What a scenario produced: its transcripts by name, and what only they could know."""

    transcripts: dict[str, Transcript]
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def transcript(self) -> Transcript:
        """The only one."""
        (only,) = self.transcripts.values()
        return only


Play = Callable[[str], Played]
"""The fixture ``play``: a gate's name -> what its scenario produced."""


@dataclass(frozen=True)
class Stage:
    """What scenarios are played with; ``claimed_only`` unless the user named the gate."""

    driver: Driver
    mode: ToolMode
    claimed_only: bool


def word() -> str:
    """A word that nobody can guess."""
    return f"word-{secrets.token_hex(4)}"


def streaming(stage: Stage) -> Played:
    plain = stage.driver.complete(prompts.COUNT)
    streamed = stage.driver.complete(prompts.COUNT, stream=True)
    played = {"plain": plain, "streamed": streamed}
    if any(map(reading.came_joined, streamed.exchanges)):
        # If something collects the stream, the first byte of a shorter answer comes sooner.
        played["short"] = stage.driver.complete(prompts.HELLO, stream=True)
    return Played(played)


def streaming_tools(stage: Stage) -> Played:
    nonce = word()
    scene = Scene(
        (prompts.NONCE_TASK,),
        (prompts.NONCE_COMMAND,),
        files={prompts.NONCE_FILE: f"{nonce}\n"},
        tool_mode=stage.mode,
        stream=True,
    )
    return Played({"streamed": stage.driver.perform(scene)}, {"word": nonce})


def vision(stage: Stage) -> Played:
    sees = stage.driver.capability("vision")
    if stage.claimed_only and not sees:
        raise NotClaimed("the SDK's metadata does not say that the model sees pictures")
    colours = pictures.four_colours()
    # Without the override the SDK would drop the picture silently, and ask about nothing.
    changes = {} if sees else {"capability_overrides": {"supports_vision": True}}
    seen = stage.driver.complete(
        prompts.COLOURS, picture=pictures.quadrants(colours), changes=changes
    )
    return Played({"seen": seen}, {"colours": colours})


def responses(stage: Stage) -> Played:
    appropriate = stage.driver.capability("responses")
    if stage.claimed_only and not appropriate:
        raise NotClaimed("the SDK would not use the Responses API for this model")
    nonce = word()
    played = {}
    for mode in ("chat", "responses"):
        played[mode] = stage.driver.perform(
            Scene(
                (prompts.NONCE_TASK, prompts.RECALL_OUTPUT),
                (prompts.NONCE_COMMAND,),
                files={prompts.NONCE_FILE: f"{nonce}\n"},
                tool_mode=stage.mode,
                changes={"api_mode": mode},
            )
        )
    return Played(played, {"word": nonce})


def resume(stage: Stage) -> Played:
    return _remembering(stage, Scene((prompts.REMEMBER, prompts.RECALL), resume=True))


def switch(stage: Stage) -> Played:
    there_and_back = (prompts.REMEMBER, prompts.RECALL, prompts.RECALL)
    return _remembering(stage, Scene(there_and_back, switch=True))


def condenser(stage: Stage) -> Played:
    turns = (prompts.REMEMBER, prompts.RECALL, prompts.RECALL)
    return _remembering(stage, Scene(turns, condense=True))


def reasoning(stage: Stage) -> Played:
    nonce = word()
    scene = Scene(
        (prompts.NONCE_TASK, prompts.RECALL_OUTPUT),
        (prompts.NONCE_COMMAND,),
        files={prompts.NONCE_FILE: f"{nonce}\n"},
        tool_mode=stage.mode,
    )
    return Played({"two turns": stage.driver.perform(scene)}, {"word": nonce})


def parallel(stage: Stage) -> Played:
    first, second = word(), word()
    scene = Scene(
        (prompts.TWO_COMMANDS.format(first="cat first.txt", second="cat second.txt"),),
        ("cat first.txt", "cat second.txt"),
        files={"first.txt": f"{first}\n", "second.txt": f"{second}\n"},
        tool_mode=stage.mode,
    )
    return Played({"parallel": stage.driver.perform(scene)}, {"words": (first, second)})


def tool_error(stage: Stage) -> Played:
    nonce = word()
    failing, working = "cat missing.txt", "cat present.txt"
    scene = Scene(
        (prompts.FALL_BACK.format(failing=failing, working=working),),
        (failing, working),
        files={"present.txt": f"{nonce}\n"},
        tool_mode=stage.mode,
    )
    return Played({"recovery": stage.driver.perform(scene)}, {"word": nonce})


def long_output(stage: Stage) -> Played:
    # The answer must hold other scripts, too: they get lost on the way there or on the way back.
    first, last = f"{word()} Zoë", f"{word()} 日本語 🦜"
    command = "cat long.txt"
    scene = Scene(
        (prompts.LONG_OUTPUT.format(command=command),),
        (command,),
        files={"long.txt": "\n".join([first, *prompts.MANY_SCRIPTS, last]) + "\n"},
        tool_mode=stage.mode,
    )
    return Played({"long": stage.driver.perform(scene)}, {"words": (first, last)})


def mcp(stage: Stage) -> Played:
    receipt = f"receipt-{secrets.token_hex(4)}"
    order = orders.order()
    job = {"tool": orders.TOOL, "receipts": {mcp_server.canonical(order): receipt}}
    scene = Scene(
        (
            prompts.CALL_WITH_JSON.format(
                tool=orders.TOOL["name"], arguments=json.dumps(order, ensure_ascii=False)
            ),
        ),
        allow_tools=frozenset({orders.TOOL["name"]}),
        mcp={
            "shop": {
                "command": sys.executable,
                "args": ["-I", mcp_server.__file__, json.dumps(job)],
            }
        },
        tool_mode=stage.mode,
    )
    return Played({"order": stage.driver.perform(scene)}, {"receipt": receipt, "order": order})


def no_tool(stage: Stage) -> Played:
    left, right = (secrets.randbelow(400) + 100 for _ in range(2))
    scene = Scene((prompts.NO_TOOL.format(left=left, right=right),), tool_mode=stage.mode)
    return Played({"sum": stage.driver.perform(scene)}, {"sum": str(left + right)})


def fallback(stage: Stage) -> Played:
    return Played({"fallback": stage.driver.fall_back(prompts.HELLO)})


def server(stage: Stage) -> Played:
    if stage.claimed_only and not is_installed():
        raise NotClaimed(
            "openhands-agent-server is not installed (pip install 'pytest-ohllm[server]')"
        )
    nonce = word()
    scene = Scene(
        (prompts.NONCE_TASK, prompts.RECALL_OUTPUT),
        (prompts.NONCE_COMMAND,),
        files={prompts.NONCE_FILE: f"{nonce}\n"},
        tool_mode=stage.mode,
    )
    return Played({"server": stage.driver.through_server(scene)}, {"word": nonce})


def _remembering(stage: Stage, how: Scene) -> Played:
    """A word is told in the first of the turns, and asked for in the others."""
    nonce = word()
    first, *others = how.turns
    scene = replace(how, turns=(first.format(word=nonce), *others), tool_mode=stage.mode)
    return Played({"memory": stage.driver.perform(scene)}, {"word": nonce})


SCENARIOS: dict[str, Callable[[Stage], Played]] = {
    scenario.__name__: scenario
    for scenario in (
        # The slow ones first: the whole takes as long as the last one to end.
        resume,
        server,
        long_output,
        responses,
        streaming,
        switch,
        condenser,
        reasoning,
        streaming_tools,
        parallel,
        tool_error,
        mcp,
        vision,
        no_tool,
        fallback,
    )
}
