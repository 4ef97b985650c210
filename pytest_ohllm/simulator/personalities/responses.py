"""Personalities of the Responses API: what is offered there, and what must come back as it was.

There an answer is a list of items, and the next request repeats them. The SDK keeps the text of a
message and forgets its id, its status and its annotations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pytest_ohllm.simulator.personalities import wire
from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.personalities.rejections import openai_unsupported
from pytest_ohllm.simulator.response import Call, Refusal, Response
from pytest_ohllm.simulator.turn import Turn

_REASONS: Mapping[str, Any] = {
    "api_mode": "responses",
    "capability_overrides": {"supports_responses_api": True, "supports_reasoning_effort": True},
}


def _nowhere(call: Call, key: str | None) -> Refusal | None:
    if call.path != "/v1/responses":
        return None
    return Refusal(404, "Not Found", body={"detail": "Not Found"})


def _without_tools(turn: Turn) -> Refusal | None:
    if turn.protocol != "responses" or not turn.tools:
        return None
    return Refusal(
        400, "Tools are not supported by this model on the Responses API.", type="BadRequestError"
    )


def _without_sampling(turn: Turn) -> Refusal | None:
    """OpenAI's Codex models: not even the default value is accepted."""
    sampling = [name for name in ("temperature", "top_p") if name in turn.fields]
    return openai_unsupported(sampling[0]) if sampling else None


def _unsealed(turn: Turn, response: Response) -> Response:
    """Reasoning items without the sealed form that was asked for: they cannot be sent back."""

    def drop(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: drop(v) for k, v in value.items() if k != "encrypted_content"}
        return [drop(item) for item in value] if isinstance(value, list) else value

    return wire.edited(response, drop)


def _items(turn: Turn) -> list[Mapping[str, Any]]:
    """The input of a Responses request, item by item."""
    given = turn.fields.get("input") if turn.protocol == "responses" else None
    return [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []


def _wants_message_id(turn: Turn) -> Refusal | None:
    """OpenAI: a thought belongs to the item that followed it, which is known by its id."""
    for thought, after in pairwise(_items(turn)):
        if thought.get("type") == "reasoning" and not after.get("id"):
            return Refusal(
                400,
                f"Item '{thought.get('id')}' of type 'reasoning' was provided without its required "
                "following item.",
                param="input",
            )
    return None


def _wants_annotations(turn: Turn) -> Refusal | None:
    """Azure and others whose schema of an output's text has no optional parts."""
    for path, part in _spoken(turn):
        if "annotations" not in part:
            return Refusal(
                400,
                "Required property 'annotations' is missing",
                param=f"{path}.annotations",
                code="invalid_payload",
            )
    return None


def _spoken(turn: Turn) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every text of the assistant that came back, and where it stands."""
    for index, item in enumerate(_items(turn)):
        content = item.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, Mapping) and part.get("type") == "output_text":
                yield f"input[{index}].content[{number}]", part


def _remembers(name: str, description: str, refuse: Refuse, gate: str) -> Personality:
    """Fine within a turn; no conversation goes on after the first answer in words."""
    return Personality(
        name,
        description,
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate=gate,
        kind="sdk_gap",
        spoken="responses",
        settings=_REASONS,
        refuse=(refuse,),
    )


PERSONALITIES = (
    Personality(
        "no-responses",
        "has no Responses API: its path is not found",
        healthy=True,
        verdict="WORKS",
        intercept=(_nowhere,),
    ),
    Personality(
        "responses-without-tools",
        "rejects tools on the Responses API, which the profile claims; Chat Completions takes them",
        verdict="WORKS WITH SETTINGS",
        stage="B",
        kind="configuration",
        refuse=(_without_tools,),
        # Who claims the Responses API gets it: prompt-based tools, too, exist on Chat Completions
        # only.
        settings={"capability_overrides": {"supports_responses_api": True}},
        remedy={"api_mode": "chat"},
    ),
    Personality(
        "responses-without-sampling",
        "Responses: rejects temperature and top_p whatever they are, as OpenAI's Codex models do",
        healthy=True,
        verdict="WORKS",
        spoken="responses",
        settings=_REASONS,
        refuse=(_without_sampling,),
    ),
    Personality(
        "reasoning-unsealed",
        "Responses: gives thoughts without their sealed form, and does not know them afterwards",
        verdict="WORKS WITH SETTINGS",
        stage="C",
        kind="sdk_gap",
        spoken="responses",
        settings=_REASONS,
        deliver=(_unsealed,),
        remedy={"reasoning_effort": None},
    ),
    _remembers(
        "message-id-required",
        "OpenAI: rejects a thought if the message after it comes back without its id",
        _wants_message_id,
        "reasoning",
    ),
    _remembers(
        "annotations-required",
        "Azure: rejects an assistant's text that comes back without its annotations",
        _wants_annotations,
        "switch",
    ),
)
