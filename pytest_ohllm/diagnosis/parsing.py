"""Experiments on an answer that came with HTTP 200 and made a library stumble: no network needed.

The recorded answer is given to the SDK alone, as it was and with one thing changed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from pytest_ohllm.diagnosis.conclusions import unreadable_answer
from pytest_ohllm.diagnosis.examination import Conclusion
from pytest_ohllm.model import Exchange, Probe

type Change = Callable[[dict[str, Any]], None]


def examined(
    exchange: Exchange, parses: Callable[[Any], bool]
) -> tuple[Conclusion | None, tuple[Probe, ...]]:
    """What makes the answer readable, if one change does; ``parses`` asks the SDK."""
    body = exchange.response
    if not isinstance(body, Mapping) or not (body.get("choices") or body.get("output")):
        return None, ()
    probes: list[Probe] = []

    def ask(change: str, answer: Any) -> bool:
        good = parses(answer)
        result = "works" if good else "same"
        probes.append(Probe.model_validate({"change": change, "status": 200, "result": result}))
        return good

    if ask("the recorded answer given to the SDK alone", body):
        return None, tuple(probes)
    for text, change in _CHANGES.items():
        repaired = copy.deepcopy(dict(body))
        change(repaired)
        if repaired == body or not ask(f"read if {text}?", repaired):
            continue
        confirmed = ask(f"{text}, again", repaired) and not ask("as recorded, again", body)
        if confirmed:
            return Conclusion(unreadable_answer(text), "parser", ("response",)), tuple(probes)
    return None, tuple(probes)


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = body.get("choices")
    found = [one.get("message") for one in choices if isinstance(one, dict)] if choices else []
    return [message for message in found if isinstance(message, dict)]


def _content_as_text(body: dict[str, Any]) -> None:
    for message in _messages(body):
        parts = message.get("content")
        if isinstance(parts, list):
            texts = [str(p.get("text", "")) for p in parts if isinstance(p, Mapping)]
            message["content"] = "".join(texts)


def _arguments_as_text(body: dict[str, Any]) -> None:
    for message in _messages(body):
        for call in message.get("tool_calls") or []:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict) and not isinstance(function.get("arguments"), str):
                function["arguments"] = json.dumps(function.get("arguments") or {})


def _role_is_named(body: dict[str, Any]) -> None:
    for message in _messages(body):
        message.setdefault("role", "assistant")


def _usage_is_complete(body: dict[str, Any]) -> None:
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    usage = body.get("usage")
    body["usage"] = counts | dict(usage if isinstance(usage, Mapping) else {})


def _service_tier(body: dict[str, Any]) -> None:
    body.setdefault("service_tier", "default")


_CHANGES: Mapping[str, Change] = {
    "the content is one string": _content_as_text,
    "the arguments of tool calls are strings": _arguments_as_text,
    "the role is named": _role_is_named,
    "the usage is complete": _usage_is_complete,
    "a service tier is named": _service_tier,
}
"""What libraries stumble over, the frequent first."""
