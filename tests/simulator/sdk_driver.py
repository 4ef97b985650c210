"""Drives the real SDK against one simulator, as the suite does."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ECHO = "Please echo 'Hello!'"
COMMAND = "cat nonce.txt; (exit 3)"
RUN = f"Use the terminal tool to run `{COMMAND}`. Then report its exit code and its output."

THINK = (
    "Call the tool `think` once, with exactly these arguments:\n```json\n"
    '{"thought": "a thought of more than sixteen tokens, so that a short limit on the output cuts '
    'the call in two"}\n```\nThen tell me what it returned.'
)


@dataclass
class Run:
    """What a conversation left behind."""

    status: str
    commands: list[str]
    exit_codes: list[int]
    final: str
    error: Exception | None


class Driver:
    """Drives the SDK against one simulator."""

    def __init__(self, sdk: SimpleNamespace, client: Any, folder: Path) -> None:
        self.sdk = sdk
        self.simulator = client.simulator
        self.folder = folder
        self.nonce = f"N-{os.urandom(6).hex()}"
        (folder / "nonce.txt").write_text(f"{self.nonce}\n")

    def llm(self, **settings: Any) -> Any:
        from pydantic import SecretStr

        about = {
            **self.simulator.personality.settings,
            "api_key": SecretStr(self.simulator.api_key),
            "base_url": self.simulator.base_url,
            "usage_id": "test",
            "num_retries": 0,
            "timeout": 10,
            **settings,
        }
        return self.sdk.LLM(**about)

    def say(self, prompt: str, *, pictures: list[str] | None = None, **settings: Any) -> str:
        """The text of one answer, as stage A asks for it; it streams if the settings say so."""
        content = [self.sdk.TextContent(text=prompt)]
        if pictures:
            content.append(self.sdk.ImageContent(image_urls=pictures))
        message = self.sdk.Message(role="user", content=content)
        chunks: list[Any] = []
        answer = self.llm(**settings).generate([message], on_token=chunks.append)
        content = answer.message.content
        return "".join(part.text for part in content)

    def converse(self, prompt: str, *, native: bool = True, **settings: Any) -> Run:
        """One conversation with the terminal tool offered, as stages B and C have it."""
        terminal = self.sdk.Tool(name=self.sdk.terminal, params={"terminal_type": "subprocess"})
        llm = self.llm(**{"native_tool_calling": native, **settings})
        events: list[Any] = []
        chunks: list[Any] = []
        conversation = self.sdk.Conversation(
            agent=self.sdk.Agent(llm=llm, tools=[terminal]),
            workspace=str(self.folder),
            callbacks=[events.append],
            token_callbacks=[chunks.append],
            visualizer=None,
            max_iteration_per_run=6,
        )
        error = None
        try:
            conversation.send_message(prompt)
            conversation.run()
        except RuntimeError as raised:
            error = raised
        finally:
            conversation.close()
        return self._run(conversation, events, error)

    def think(self, **settings: Any) -> str:
        """How a conversation ends in which the SDK's own `think` tool is called: no shell."""
        events: list[Any] = []
        conversation = self.sdk.Conversation(
            agent=self.sdk.Agent(llm=self.llm(**settings), tools=[]),
            workspace=str(self.folder),
            callbacks=[events.append],
            visualizer=None,
            max_iteration_per_run=4,
        )
        try:
            conversation.send_message(THINK)
            conversation.run()
        except RuntimeError:
            return "error"
        finally:
            conversation.close()
        thoughts = [e for e in events if isinstance(e, self.sdk.ObservationEvent)]
        status: str = conversation.state.execution_status.value
        return status if thoughts else "no thought"

    def _run(self, conversation: Any, events: list[Any], error: Exception | None) -> Run:
        calls = [e for e in events if isinstance(e, self.sdk.ActionEvent)]
        results = [e for e in events if isinstance(e, self.sdk.ObservationEvent)]
        return Run(
            status=conversation.state.execution_status.value,
            commands=[e.action.command for e in calls if e.tool_name == self.sdk.terminal],
            exit_codes=[
                e.observation.exit_code for e in results if e.tool_name == self.sdk.terminal
            ],
            final=self.sdk.final(conversation.state.events),
            error=error,
        )


Drive = Callable[[str], Driver]
