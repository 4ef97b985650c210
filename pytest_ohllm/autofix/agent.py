"""Let the agent work: a conversation in the sandbox, with the relay beside it and limits around it.

What comes out of the sandbox is text that the agent could have made up. It is kept and shown, and
decides about nothing: whether the failure is fixed is found out by others.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pytest_ohllm.autofix.forwarder import PORT
from pytest_ohllm.autofix.relay import Relay
from pytest_ohllm.autofix.sandbox import (
    Finished,
    Sandbox,
    environment_for,
    places_of_this_python,
)
from pytest_ohllm.autofix.upstream import PLACEHOLDER
from pytest_ohllm.evidence.files import append_line, encode, make_folder, replace_file
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Record, Usage
from pytest_ohllm.profiles.connection import Connection

SOCKET = "llm.sock"
CONVERSATIONS = "conversations"
EVENTS = "events.jsonl"
RESULT = "agent.json"

_ONLY_FOR_THE_WORKER = {"LOG_LEVEL": "ERROR", "LOG_AUTO_CONFIG": "false"}
_ONLY_FOR_ITS_TERMINALS = ("PYTHONPATH", "PYTHONPYCACHEPREFIX")
_CALLS_PER_ITERATION = 3
_SPARE_CALLS = 20
"""Retries and summaries are calls as well; a terminal that asks the relay by itself is stopped."""
_LONGEST_LINE = 160
_LAST_WORDS = 2000

Status = Literal["finished", "stuck", "iteration_limit", "budget", "timeout", "error"]


@dataclass(frozen=True)
class Limits:
    """What one run may take: US dollars, minutes, and steps of the agent."""

    cost: float
    minutes: float
    iterations: int


@dataclass(frozen=True)
class AgentRun:
    """How one run of the agent ended.

    ``cost`` is in US dollars, ``None`` where litellm knows no price. ``message`` is the agent's
    last word. ``problem`` says what went wrong, ``from_provider`` whether another model could do
    better. ``conversation`` is what goes on with it.
    """

    status: Status
    cost: float | None
    usage: Usage
    seconds: float
    message: str
    problem: str = ""
    from_provider: bool = False
    conversation: str = ""


class _Spent(Record):
    """What the worker says that it has consumed so far."""

    cost: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


class _Result(_Spent):
    """The worker's last line."""

    ohllm: Literal["result"]
    status: Status
    message: str = ""
    problem: str = ""
    from_provider: bool = False
    priced: bool = False


def run_agent(
    task: str,
    connection: Connection,
    sandbox: Sandbox,
    limits: Limits,
    folder: Path,
    redactor: Redactor,
    on_event: Callable[[str], None],
    *,
    conversation: str | None = None,
) -> AgentRun:
    """Give the agent ``task`` and wait for it; with ``conversation``, it goes on with that one.

    ``folder`` gets the events as they come and the result, without secrets; ``on_event`` gets a
    line for each step. Raises ``AutofixError`` if the model's calls cannot be relayed.
    """
    make_folder(sandbox.scratch)
    make_folder(folder)
    own = {f"agent_{n}": value for n, value in enumerate(connection.confidential())}
    transcript = _Transcript(folder, redactor.with_known(own), on_event)
    sandbox = replace(
        sandbox, readable=tuple(dict.fromkeys((*sandbox.readable, *places_of_this_python())))
    )
    name = uuid.UUID(conversation).hex if conversation else uuid.uuid4().hex
    relay = Relay(
        sandbox.scratch / SOCKET,
        connection,
        most_requests=_CALLS_PER_ITERATION * limits.iterations + _SPARE_CALLS,
        redact=transcript.redactor.text,
    )
    with relay:
        environment, job = _prepared(task, relay, sandbox, limits, name)
        finished = sandbox.run(
            [sys.executable, "-P", "-m", "pytest_ohllm.autofix.worker"],
            environment=environment,
            timeout=limits.minutes * 60,
            given=json.dumps(job),
            on_line=transcript.line,
        )
    run = replace(_outcome(finished, transcript, relay, limits, connection), conversation=name)
    transcript.close(run)
    return run


def _prepared(
    task: str, relay: Relay, sandbox: Sandbox, limits: Limits, conversation: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """The worker's environment and its job."""
    everywhere = environment_for(sandbox.worktree, sandbox.scratch)
    elsewhere = {n: everywhere.pop(n) for n in _ONLY_FOR_ITS_TERMINALS if n in everywhere}
    job = {
        "task": task,
        "settings": relay.upstream.settings,
        "path": relay.upstream.path,
        "key": PLACEHOLDER,
        "socket": str(sandbox.scratch.resolve() / SOCKET),
        # Outside of a network namespace somebody else may have that port.
        "port": 0 if sandbox.unsafe else PORT,
        "worktree": str(sandbox.worktree.resolve()),
        "persistence": str(sandbox.scratch.resolve() / CONVERSATIONS),
        "conversation": conversation,
        "iterations": limits.iterations,
        "cost": limits.cost,
        "elsewhere": elsewhere,
        "only_here": sorted(_ONLY_FOR_THE_WORKER),
    }
    return everywhere | _ONLY_FOR_THE_WORKER, job


def _outcome(
    finished: Finished,
    transcript: _Transcript,
    relay: Relay,
    limits: Limits,
    connection: Connection,
) -> AgentRun:
    result, spent = transcript.result, transcript.spent
    status: Status = result.status if result else "error"
    problems = [result.problem] if result and result.problem else []
    if finished.timed_out:
        status, problems = "timeout", [f"no end after {limits.minutes:g} minutes"]
    elif result is None:
        said = transcript.redactor.text(finished.output)[-_LAST_WORDS:].strip()
        problems = [f"the agent's process ended with {finished.code} without a result: {said}"]
    if status == "error":
        problems += relay.problems[-3:]
        if relay.exhausted:
            status = "iteration_limit"
    priced = result.priced if result else spent.cost > 0
    if not priced:
        model = connection.profile.model
        problems.append(f"the price of {model} is unknown: the limit on cost was not applied")
    cost = spent.cost if priced else None
    return AgentRun(
        status=status,
        cost=cost,
        usage=Usage(
            llm_calls=relay.requests,
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
            cached_tokens=spent.cached_tokens,
            cost=cost,
        ),
        seconds=finished.seconds,
        message=transcript.redactor.text(result.message) if result else "",
        problem=transcript.redactor.text("; ".join(dict.fromkeys(problems))),
        from_provider=bool(result and result.from_provider and status == "error"),
    )


class _Transcript:
    """Reads the worker's lines, keeps them without secrets, and tells what happens."""

    def __init__(self, folder: Path, redactor: Redactor, on_event: Callable[[str], None]) -> None:
        self.redactor = redactor
        self.result: _Result | None = None
        self.spent = _Spent()
        self._folder, self._on_event = folder, on_event

    def line(self, line: str) -> None:
        """One line of the worker's output; what is none of its records is passed over."""
        try:
            record = json.loads(line)
            if record["ohllm"] == "result":
                self.result = _Result.model_validate(record)
            spent = {n: record[n] for n in _Spent.model_fields if n in record}
            self.spent = _Spent.model_validate(spent)
        except (ValueError, TypeError, KeyError, RecursionError, ValidationError):
            return
        if record["ohllm"] != "event":
            return
        record = self.redactor.value(record)
        append_line(self._folder / EVENTS, encode(json.dumps(record)))
        if shown := _shown(record):
            self._on_event(shown)

    def close(self, run: AgentRun) -> None:
        """Write the result."""
        fields = {**vars(run), "usage": run.usage.model_dump(mode="json")}
        text = json.dumps(self.redactor.value(fields), indent=2)
        replace_file(self._folder / RESULT, encode(text + "\n"))


def _shown(record: dict[str, Any]) -> str:
    """An event in one line for a terminal; empty for one that says nothing new."""
    kind, text = record.get("kind"), str(record.get("text") or "")
    arguments = record.get("arguments")
    arguments = arguments if isinstance(arguments, dict) else {}
    if kind == "tool_call" and record.get("tool") == "terminal":
        return _one_line(f"$ {arguments.get('command', '')}")
    if kind == "tool_call":
        words = [record.get("tool"), arguments.get("command"), arguments.get("path"), text]
        return _one_line(" ".join(str(word) for word in words if word))
    if kind == "message" and record.get("source") == "agent":
        return _one_line(f"agent: {text}")
    return _one_line(f"error: {text}") if kind == "error" else ""


def _one_line(text: str) -> str:
    """Without line ends and what a terminal would obey."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"
