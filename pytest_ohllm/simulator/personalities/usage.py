"""Personalities that miscount tokens, or do not tell how many there were."""

from __future__ import annotations

from pytest_ohllm.simulator.personalities import wire
from pytest_ohllm.simulator.personalities.declaration import Deliver, Personality
from pytest_ohllm.simulator.personalities.streams import streamed
from pytest_ohllm.simulator.response import Response
from pytest_ohllm.simulator.turn import Turn


def _usage(change: wire.Edit) -> Deliver:
    return lambda turn, response: wire.edited(response, change)


def _drop_usage(document: wire.Document) -> wire.Document | None:
    if document.get("choices") == []:
        return None  # the chunk that a stream has for usage alone
    return {name: value for name, value in document.items() if name != "usage"}


def _null_usage(document: wire.Document) -> wire.Document:
    return {**document, "usage": None}


def _usage_everywhere(turn: Turn, response: Response) -> Response:
    """Running counts in every chunk, and no chunk of its own, as some servers do it."""
    counted = [chunk["usage"] for chunk in wire.documents(response) if chunk.get("usage")]
    last = counted[-1] if counted else None
    return wire.edited(
        response, lambda chunk: {**chunk, "usage": last} if chunk.get("choices") else None
    )


def _constant_usage(document: wire.Document) -> wire.Document:
    counted = document.get("usage") or {}
    if "prompt_tokens" not in counted:
        return document
    usage = {**counted, "prompt_tokens": 7, "total_tokens": 7 + counted["completion_tokens"]}
    return {**document, "usage": usage}


def _untold(name: str, description: str, deliver: Deliver) -> Personality:
    """Nobody learns how much was used, from the first answer on."""
    return Personality(
        name,
        description,
        verdict="DOES NOT WORK",
        stage="A",
        kind="model_limitation",
        deliver=(deliver,),
    )


PERSONALITIES = (
    _untold("usage-missing", "never reports usage", _usage(_drop_usage)),
    _untold("usage-null", "reports `usage: null`", _usage(_null_usage)),
    Personality(
        "usage-in-every-chunk",
        "repeats the usage in every chunk",
        healthy=True,
        verdict="WORKS",
        deliver=(streamed(_usage_everywhere),),
    ),
    Personality(
        "stream-usage-missing",
        "reports no usage in streams, even when asked to",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="streaming",
        kind="model_limitation",
        deliver=(streamed(_usage(_drop_usage)),),
    ),
    Personality(
        "usage-constant",
        "reports seven prompt tokens, however long the prompt is",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="usage",
        kind="model_limitation",
        deliver=(_usage(_constant_usage),),
    ),
)
