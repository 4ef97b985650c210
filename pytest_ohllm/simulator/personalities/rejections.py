"""Personalities that reject one field of a request by its name, in a vendor's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_ohllm.simulator.personalities.declaration import Personality, Refuse
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Turn

_SAMPLES = {"capability_overrides": {"supports_reasoning_effort": False}}
"""For a model that it does not know the SDK drops sampling parameters, unless told so."""


def openai_unsupported(field: str, hint: str = "") -> Refusal:
    """OpenAI on a parameter that this model does not have."""
    return Refusal(
        400,
        f"Unsupported parameter: '{field}' is not supported with this model.{hint}",
        param=field,
        code="unsupported_parameter",
    )


def openai_unknown(field: str) -> Refusal:
    """OpenAI, and those that copy it, on a parameter that does not exist."""
    return Refusal(400, f"Unrecognized request argument supplied: {field}")


def groq_unsupported(field: str) -> Refusal:
    """Groq and Cerebras on a property that their schema lacks."""
    return Refusal(400, f"property '{field}' is unsupported")


def mistral_forbidden(field: str, value: Any) -> Refusal:
    """Mistral on a field that its schema lacks: pydantic's words, as an object for a message."""
    detail = {
        "type": "extra_forbidden",
        "loc": ["body", field],
        "msg": "Extra inputs are not permitted",
        "input": value,
    }
    body = {
        "object": "error",
        "message": {"detail": [detail]},
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    return Refusal(422, "Extra inputs are not permitted", body=body)


def _when_sent(field: str, refusal: Callable[[Any], Refusal]) -> Refuse:
    def refuse(turn: Turn) -> Refusal | None:
        value = turn.fields.get(field)
        return None if value is None else refusal(value)

    return refuse


def _no_temperature(turn: Turn) -> Refusal | None:
    """OpenAI's reasoning models, which accept the default value and no other."""
    temperature = turn.fields.get("temperature")
    if temperature is None or temperature == 1:
        return None
    return Refusal(
        400,
        f"Unsupported value: 'temperature' does not support {temperature} with this model. "
        "Only the default (1) value is supported.",
        param="temperature",
        code="unsupported_value",
    )


def _no_cache_control(turn: Turn) -> Refusal | None:
    for path, _ in keys(turn.fields.get("messages")):
        if path.endswith(".cache_control"):
            return Refusal(400, f"'messages{path}' : property 'cache_control' is unsupported")
    return None


def keys(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key in ``value`` with the path to it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{path}.{name}", name
            yield from keys(item, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from keys(item, f"{path}.{index}")


def _chosen(
    field: str,
    refuse: Refuse,
    settings: Mapping[str, Any],
    vendor: str,
    remedy: Mapping[str, Any] | None = None,
) -> Personality:
    """The profile itself asks for the field: its settings are at fault."""
    asked_by = next(iter(settings))
    return Personality(
        f"rejects-{field.replace('_', '-')}",
        f"rejects `{field}`, which the profile sets, in {vendor}'s words",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        refuse=(refuse,),
        settings=settings,
        remedy={asked_by: None} if remedy is None else remedy,
    )


def _own(
    field: str,
    refuse: Refuse,
    vendor: str,
    remedy: Mapping[str, Any],
    *,
    stage: str = "A",
    **about: Any,
) -> Personality:
    """The SDK adds the field by itself."""
    return Personality(
        f"rejects-{field.replace('_', '-')}",
        f"rejects `{field}`, which the SDK adds by itself, in {vendor}'s words",
        verdict="WORKS WITH SETTINGS",
        stage=stage,
        kind="sdk_gap",
        refuse=(refuse,),
        remedy=remedy,
        **about,
    )


def _extra(field: str, value: Any) -> dict[str, Any]:
    return {"litellm_extra_body": {field: value}}


PERSONALITIES = (
    Personality(
        "rejects-temperature",
        "rejects any temperature but 1 with a 400 that names the field",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        refuse=(_no_temperature,),
        settings={"temperature": 0.5, **_SAMPLES},
        remedy={"temperature": None},
    ),
    _chosen(
        "top_p",
        _when_sent("top_p", lambda value: openai_unsupported("top_p")),
        {"top_p": 0.9, **_SAMPLES},
        "OpenAI",
    ),
    _chosen(
        "max_tokens",
        _when_sent(
            "max_tokens",
            lambda value: openai_unsupported("max_tokens", " Use 'max_completion_tokens' instead."),
        ),
        _extra("max_tokens", 4096),
        "OpenAI",
        {"litellm_extra_body": {}},
    ),
    _chosen(
        "max_completion_tokens",
        _when_sent(
            "max_completion_tokens",
            lambda value: mistral_forbidden("max_completion_tokens", value),
        ),
        {"max_output_tokens": 4096},
        "Mistral",
    ),
    _chosen(
        "parallel_tool_calls",
        _when_sent("parallel_tool_calls", lambda value: openai_unsupported("parallel_tool_calls")),
        _extra("parallel_tool_calls", True),
        "OpenAI",
        {"litellm_extra_body": {}},
    ),
    _chosen(
        "tool_choice",
        _when_sent(
            "tool_choice",
            lambda value: Refusal(400, "deepseek-reasoner does not support this tool_choice"),
        ),
        _extra("tool_choice", "auto"),
        "DeepSeek",
        {"litellm_extra_body": {}},
    ),
    _own(
        "reasoning_effort",
        _when_sent("reasoning_effort", lambda value: openai_unknown("reasoning_effort")),
        "OpenAI",
        {"reasoning_effort": None},
    ),
    _own(
        "prompt_cache_key",
        _when_sent("prompt_cache_key", lambda value: groq_unsupported("prompt_cache_key")),
        "Groq",
        {"capability_overrides": {"supports_prompt_cache_key": False}},
        stage="B",
    ),
    _own(
        "stop",
        _when_sent("stop", lambda value: openai_unsupported("stop")),
        "OpenAI",
        {"disable_stop_word": True},
        stage="B",
        settings={"native_tool_calling": False},
    ),
    Personality(
        "rejects-stream-options",
        "rejects `stream_options`, which the SDK adds to streams, in Mistral's words",
        healthy=True,
        verdict="WORKS",
        stage="D",
        gate="streaming",
        kind="sdk_gap",
        refuse=(
            _when_sent("stream_options", lambda value: mistral_forbidden("stream_options", value)),
        ),
    ),
    _chosen(
        "cache_control",
        _no_cache_control,
        {"capability_overrides": {"supports_prompt_cache": True}},
        "Groq",
        {"caching_prompt": False},
    ),
)
