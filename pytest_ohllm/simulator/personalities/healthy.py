"""Competent models on correct endpoints, one for each protocol."""

from __future__ import annotations

from typing import Any

from pytest_ohllm.simulator.personalities.declaration import Personality

_SEES = {"supports_vision": True}


def _healthy(name: str, description: str, **about: Any) -> Personality:
    return Personality(name, description, healthy=True, verdict="WORKS", **about)


PERSONALITIES = (
    _healthy("default", "a competent model on a correct endpoint"),
    _healthy(
        "openai",
        "OpenAI Chat Completions: a competent model with vision",
        settings={"capability_overrides": _SEES},
    ),
    _healthy(
        "responses",
        "OpenAI Responses: a competent reasoning model with vision and sealed thoughts",
        spoken="responses",
        settings={
            "api_mode": "responses",
            "capability_overrides": {
                **_SEES,
                "supports_responses_api": True,
                "supports_reasoning_effort": True,
            },
        },
    ),
    _healthy(
        "anthropic",
        "Anthropic Messages: a competent model with vision, signed thoughts and a prompt cache",
        spoken="anthropic",
        suffix="-claude-3-7-sonnet",  # without it litellm drops `thinking` from the request
        settings={
            "capability_overrides": {
                **_SEES,
                "supports_prompt_cache": True,
                "thinking_mode": "manual",
            },
            "extended_thinking_budget": 1024,
            "max_output_tokens": 8192,
        },
    ),
    _healthy(
        "gemini",
        "Gemini generateContent: a competent model with vision and thoughts",
        spoken="gemini",
        settings={"capability_overrides": {**_SEES, "supports_reasoning_effort": True}},
    ),
    _healthy(
        "ollama",
        "Ollama's own chat protocol: a competent model with vision and thoughts",
        spoken="ollama",
        settings={"capability_overrides": _SEES},
    ),
)
