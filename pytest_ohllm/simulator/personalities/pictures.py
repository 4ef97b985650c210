"""Personalities that pictures are sent to: refused, dropped, not looked at."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pytest_ohllm.simulator import agent
from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Reply, Turn

_SEES = {"capability_overrides": {"supports_vision": True}}
_COLOUR = re.compile(r"\b(?:red|green|blue|yellow|black|white)\b")


def _no_picture_urls(turn: Turn) -> Refusal | None:
    if any(picture.url for message in turn.messages for picture in message.pictures):
        return Refusal(
            400,
            "Invalid request: unsupported image url: only base64 encoded images are supported",
        )
    return None


def _no_pictures(turn: Turn) -> Refusal | None:
    """vLLM serving a model for text."""
    if any(message.pictures for message in turn.messages):
        return Refusal(
            400,
            f"{turn.model} is not a multimodal model",
            type="BadRequestError",
            code=400,
        )
    return None


def _unreadable(turn: Turn) -> Refusal | None:
    """OpenAI on a file that it cannot decode, said of every picture."""
    if any(message.pictures for message in turn.messages):
        return Refusal(
            400,
            "You uploaded an unsupported image. Please make sure your image is valid.",
            code="image_parse_error",
        )
    return None


def _loses_pictures(turn: Turn, reply: Reply) -> Reply:
    blind = tuple(replace(message, pictures=()) for message in turn.messages)
    return agent.answer(replace(turn, messages=blind)) if blind != turn.messages else reply


def _guesses_colours(turn: Turn, reply: Reply) -> Reply:
    """Says what pictures often show."""
    if not any(message.pictures for message in turn.messages):
        return reply
    return replace(reply, text=_COLOUR.sub("blue", reply.text))


def _works(name: str, description: str, refuse: Refuse, **about: Any) -> Personality:
    return Personality(name, description, healthy=True, verdict="WORKS", refuse=(refuse,), **about)


PERSONALITIES = (
    _works(
        "image-urls-rejected",
        "accepts pictures as base64 only",
        _no_picture_urls,
        settings=_SEES,
    ),
    _works(
        "images-rejected",
        "rejects pictures as vLLM does for a text model; the profile claims vision",
        _no_pictures,
        settings=_SEES,
    ),
    Personality(
        "images-unreadable",
        "rejects every picture as damaged, in OpenAI's words",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="vision",
        kind="model_limitation",
        refuse=(_unreadable,),
        settings=_SEES,
    ),
    Personality(
        "image-dropped",
        "drops pictures without a word",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="vision",
        kind="model_limitation",
        behave=(_loses_pictures,),
        settings=_SEES,
    ),
    Personality(
        "image-guessed",
        "names colours that the picture does not have",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="vision",
        kind="model_limitation",
        behave=(_guesses_colours,),
        settings=_SEES,
    ),
)
