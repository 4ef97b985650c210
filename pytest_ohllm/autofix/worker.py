"""The agent itself, a process in the sandbox: ``python -P -m pytest_ohllm.autofix.worker``.

It reads a job (JSON) from its standard input and writes a line of JSON for each event, and one for
how it ended. It runs on the installed SDK, since a broken one could not repair itself; the agent's
terminal is where the worktree's SDK is used. What it says is not to be trusted: whatever the agent
starts could have written it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_ohllm.autofix.forwarder import Forwarder

LONGEST_TEXT = 20_000
"""Of an event's text, so many characters are told."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_PROVIDERS = ("litellm", "openai", "httpx", "httpcore", "openhands.sdk.llm")
_STATUS = {"finished": "finished", "stuck": "stuck", "paused": "budget"}
_CODES = {"MaxIterationsReached": "iteration_limit", "MaxBudgetReached": "budget"}


def main() -> None:
    """Run the job; the process ends here, whatever the SDK's threads and terminals still do."""
    job = json.load(sys.stdin)
    say = _private_output()
    with Forwarder(Path(job["socket"]), job["port"]) as forwarder:
        try:
            result = _Work(job, forwarder.url + job["path"], say).run()
        except Exception as error:
            result = {"status": "error", **_described(error)}
    say({"ohllm": "result", **result})
    os._exit(0)


def _private_output() -> Callable[[dict[str, Any]], None]:
    """Writes lines to what was the standard output; prints of libraries go to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(record: dict[str, Any]) -> None:
        data = json.dumps(record, default=str).encode() + b"\n"
        with lock:
            while data:
                data = data[os.write(private, data) :]

    return say


class _Work:
    """One run of the conversation, from the user's message to the end of the agent's turn."""

    def __init__(self, job: dict[str, Any], base_url: str, say: Callable[..., None]) -> None:
        self._job, self._say = job, say
        self._fields = {
            **job["settings"],
            "base_url": base_url,
            "api_key": job["key"],
            "log_completions": False,
        }
        self._codes: list[str] = []
        self._last_word = ""
        self._conversation: Any = None
        self._before: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """How it ended, in the words of ``agent.AgentRun``."""
        conversation = self._open()
        self._before = _metrics(conversation)
        problem: dict[str, Any] = {}
        try:
            conversation.send_message(self._job["task"])
            conversation.run()
        except Exception as error:
            problem = _described(error)
        state = str(conversation.state.execution_status.value)
        status = _STATUS.get(state) or next(
            (_CODES[code] for code in reversed(self._codes) if code in _CODES), "error"
        )
        return {
            "status": "error" if problem else status,
            "message": self._last_word,
            "priced": _price_known(conversation.agent.llm),
            **self._spent(),
            **problem,
        }

    def _open(self) -> Any:
        from openhands.sdk import LLM, Agent, Tool
        from openhands.sdk.context.condenser import LLMSummarizingCondenser
        from openhands.sdk.conversation.impl.local_conversation import LocalConversation
        from openhands.tools.file_editor import FileEditorTool
        from openhands.tools.terminal import TerminalTool

        # From here on, whatever is started uses the worktree's SDK.
        for name in self._job["only_here"]:
            os.environ.pop(name, None)
        os.environ.update(self._job["elsewhere"])
        agent = Agent(
            llm=LLM(**{**self._fields, "usage_id": "ohllm-autofix"}),
            # Of the two kinds of terminal, the one that needs no tmux.
            tools=[
                Tool(name=TerminalTool.name, params={"terminal_type": "subprocess"}),
                Tool(name=FileEditorTool.name),
            ],
            condenser=LLMSummarizingCondenser(
                llm=LLM(**{**self._fields, "usage_id": "ohllm-autofix-condenser"})
            ),
        )
        stream = bool(self._fields.get("stream"))
        self._conversation = LocalConversation(
            agent=agent,
            workspace=self._job["worktree"],
            persistence_dir=self._job["persistence"],
            conversation_id=uuid.UUID(self._job["conversation"]),
            callbacks=[self._told],
            token_callbacks=[lambda _chunk: None] if stream else None,
            visualizer=None,
            max_iteration_per_run=self._job["iterations"],
            stuck_detection=True,
            delete_on_close=False,
        )
        return self._conversation

    def _told(self, event: Any) -> None:
        record = _record(event)
        if record is None:
            return
        if record["kind"] == "error" and record["source"] == "environment":
            self._codes.append(str(getattr(event, "code", "")))
        spoken = record["kind"] == "message" or record["tool"] == "finish"
        if spoken and record["text"] and record["source"] == "agent":
            self._last_word = record["text"]
        self._say({"ohllm": "event", **record, **self._spent()})
        if self._conversation is None:
            return  # it is still being opened
        # Not every SDK has a limit of its own, and those that do count the whole conversation.
        if self._spent()["cost"] >= self._job["cost"]:
            self._conversation.pause()

    def _spent(self) -> dict[str, Any]:
        """What this run has consumed; a conversation that goes on has its earlier costs."""
        if self._conversation is None:
            return {}
        now = _metrics(self._conversation)
        return {name: value - self._before.get(name, 0) for name, value in now.items()}


def _metrics(conversation: Any) -> dict[str, Any]:
    metrics = conversation.conversation_stats.get_combined_metrics()
    tokens = metrics.accumulated_token_usage
    return {
        "cost": float(metrics.accumulated_cost),
        "prompt_tokens": getattr(tokens, "prompt_tokens", 0),
        "completion_tokens": getattr(tokens, "completion_tokens", 0),
        "cached_tokens": getattr(tokens, "cache_read_tokens", 0),
    }


def _record(event: Any) -> dict[str, Any] | None:
    """An event as it stands in the transcript; classes go by name, as they have moved about."""
    name = type(event).__name__
    record: dict[str, Any] = {
        "kind": "other",
        "source": str(getattr(event, "source", "")),
        "at": getattr(event, "timestamp", None),
        "tool": getattr(event, "tool_name", None),
        "text": "",
    }
    if name == "MessageEvent":
        record |= {"kind": "message", "text": _text(event.llm_message.content)}
    elif name == "ActionEvent":
        action = event.action
        record |= {
            "kind": "tool_call",
            "text": _clip(str(getattr(action, "message", "") or "")),
            "thought": _text(event.thought),
            "arguments": _arguments(action),
        }
    elif name == "ObservationEvent":
        content = getattr(event.observation, "to_llm_content", ())
        record |= {
            "kind": "observation",
            "text": _text(content),
            "exit_code": getattr(event.observation, "exit_code", None),
        }
    elif name == "AgentErrorEvent":
        record |= {"kind": "error", "text": _clip(event.error)}
    elif name == "ConversationErrorEvent":
        record |= {"kind": "error", "text": _clip(f"{event.code}: {event.detail}")}
    elif name == "Condensation":
        record |= {"text": "older events were summarised"}
    else:
        return None
    return record


def _arguments(action: Any) -> Any:
    if action is None:
        return None
    fields = action.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return {n: _clip(v) if isinstance(v, str) else v for n, v in fields.items() if n != "kind"}


def _text(parts: Any) -> str:
    return _clip("\n".join(str(getattr(part, "text", "")) for part in parts))


def _clip(text: str) -> str:
    text = _ESCAPES.sub("", text)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} […]"


def _described(error: BaseException) -> dict[str, Any]:
    """What went wrong, from the outermost exception to the first, and whether the model's side."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    told = dict.fromkeys(f"{type(one).__name__}: {one}" for one in chain[1:3] or chain)
    from_provider = any(type(one).__module__.startswith(_PROVIDERS) for one in chain)
    return {"problem": _clip(" <- ".join(told)), "from_provider": from_provider}


def _price_known(llm: Any) -> bool:
    if llm.metrics.accumulated_cost or llm.input_cost_per_token is not None:
        return True
    info = getattr(llm, "model_info", None) or {}
    return info.get("input_cost_per_token") is not None


if __name__ == "__main__":
    main()
