"""Changing an answer on its way out: its documents, its frames, the writes they are cut into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pytest_ohllm.simulator.response import Response, Step, json_bytes

Document = dict[str, Any]
Edit = Callable[[Document], Document | None]
"""One JSON document: its replacement, or ``None`` to leave it out."""

_DATA = b"data: "


def edited(response: Response, document: Edit, chunk: Edit | None = None) -> Response:
    """``response`` with ``document`` done to its JSON document, or ``chunk`` to every frame."""
    change = document if is_whole(response) else chunk or document
    steps = (_changed(step, change) for step in response.steps)
    return replace(response, steps=tuple(step for step in steps if step != b""))


def is_whole(response: Response) -> bool:
    """Whether the body is one JSON document, not a stream of frames."""
    return response.content_type.startswith("application/json")


def frames(response: Response) -> list[Step]:
    """The steps of a stream."""
    return list(response.steps)


def each_choice(part: str, change: Callable[[Document], Document]) -> Edit:
    """An edit of the ``message`` or ``delta`` of every choice in a Chat Completions document."""

    def edit(document: Document) -> Document:
        choices = [
            {**choice, part: change(choice[part])} if part in choice else choice
            for choice in document.get("choices") or ()
        ]
        return {**document, "choices": choices} if "choices" in document else document

    return edit


def each_call(change: Callable[[Document], Document]) -> Callable[[Document], Document]:
    """An edit of every tool call in a message or delta."""

    def edit(message: Document) -> Document:
        calls = message.get("tool_calls")
        return {**message, "tool_calls": [change(call) for call in calls]} if calls else message

    return edit


def each_message(change: Callable[[Document], Document]) -> Callable[[Response], Response]:
    """``change`` done to messages and to deltas alike."""
    document, chunk = each_choice("message", change), each_choice("delta", change)
    return lambda response: edited(response, document, chunk)


def documents(response: Response) -> Iterator[Document]:
    """The JSON documents of a body or a stream."""
    for step in response.steps:
        if isinstance(step, bytes) and (found := _read(step)) is not None:
            yield found


def _changed(step: Step, change: Edit) -> Step:
    if not isinstance(step, bytes):
        return step
    document = _read(step)
    if document is None:
        return step
    changed = change(document)
    if changed is None:
        return b""
    head, found, _ = step.partition(_DATA)
    return head + _DATA + json_bytes(changed) + b"\n\n" if found else json_bytes(changed)


def _read(step: bytes) -> Document | None:
    """The document in a frame or body; ``None`` for ``[DONE]`` and comments."""
    _, found, payload = step.partition(_DATA)
    try:
        document = json.loads(payload if found else step)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
