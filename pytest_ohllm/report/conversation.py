"""A transcript as a conversation: who said what, which tool was called, what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_ohllm.model import Event, Transcript

MOST_TURNS = 40


@dataclass(frozen=True, slots=True)
class Turn:
    """One step: ``kind`` is that of the event, ``who`` a title, ``text`` may have many lines."""

    kind: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The steps in order; ``left_out`` counts those between the first and the last ones."""

    turns: tuple[Turn, ...]
    left_out: int
    end: str


def conversation(transcript: Transcript) -> Conversation:
    """What was said and done, ending with how it ended."""
    turns = list(_turns(transcript))
    left_out = max(0, len(turns) - MOST_TURNS)
    if left_out:
        half = MOST_TURNS // 2
        turns = [*turns[:half], *turns[-half:]]
    return Conversation(tuple(turns), left_out, _end(transcript))


def _turns(transcript: Transcript) -> Iterator[Turn]:
    if not transcript.events:  # one call without an agent
        yield Turn("message", "user", str(transcript.scene.get("prompt", "")))
        if transcript.final_text or transcript.error is None:
            yield Turn("message", "model", transcript.final_text)
    for event in transcript.events:
        if event.kind != "other":
            yield Turn(event.kind, _who(event), _said(event))


def _who(event: Event) -> str:
    match event.kind:
        case "message":
            return "model" if event.source == "agent" else event.source
        case "tool_call":
            return f"model calls {event.tool or 'a tool'}"
        case "observation":
            code = "" if event.exit_code is None else f", exit code {event.exit_code}"
            return f"{event.tool or 'tool'} answers{code}"
        case "rejection":
            return f"rejected, never run: {event.tool or 'a tool'}"
    return event.kind


def _said(event: Event) -> str:
    if event.kind in ("tool_call", "rejection"):
        called = event.command if event.command is not None else _arguments(event.arguments)
        return "\n".join(part for part in (event.text, called) if part)
    return event.text


def _arguments(arguments: Any) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments, ensure_ascii=False, default=str)


def _end(transcript: Transcript) -> str:
    ends = transcript.end.replace("_", " ")
    if transcript.error is None:
        return ends
    root = transcript.error.root
    return f"{ends}: {root.type.rpartition('.')[2]}: {root.message}"
