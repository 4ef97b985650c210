"""Personalities that do not serve the model, or any model: each vendor's words for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_ohllm.simulator.personalities.declaration import Personality, works_by_prompt
from pytest_ohllm.simulator.protocols import openai_errors
from pytest_ohllm.simulator.response import Refusal
from pytest_ohllm.simulator.turn import Turn


def _vllm(model: str) -> Refusal:
    message = f"The model `{model}` does not exist."
    body = {"object": "error", "message": message, "type": "NotFoundError", "param": None}
    return Refusal(404, message, body=body | {"code": 404})


def _openrouter(model: str) -> Refusal:
    message = f"{model} is not a valid model ID"
    body = {"error": {"message": message, "code": 400}, "user_id": "user_sim"}
    return Refusal(400, message, body=body)


def _deepseek(model: str) -> Refusal:
    return Refusal(400, "Model Not Exist", code="invalid_request_error")


def _litellm_proxy(model: str) -> Refusal:
    return Refusal(
        400,
        f"/chat/completions: Invalid model name passed in model={model}. Call `/v1/models` to view "
        "available models for your key.",
        code="400",
    )


def _no_tool_endpoint(turn: Turn) -> Refusal | None:
    """OpenRouter's 404 is about tools, not about the model or the address."""
    if not turn.tools:
        return None
    message = (
        "No endpoints found that support tool use. To learn more about provider routing, visit: "
        "https://openrouter.ai/docs/provider-routing"
    )
    return Refusal(404, message, body={"error": {"message": message, "code": 404}})


def _unknown(
    name: str, vendor: str, refusal: Callable[[str], Refusal], **about: Any
) -> Personality:
    return Personality(
        name,
        f"does not know the model, in {vendor}'s words",
        stage="A",
        kind="configuration",
        listed_model="sim-another-model",
        refuse=(lambda turn: refusal(turn.model),),
        **about,
    )


PERSONALITIES = (
    _unknown("not-found", "OpenAI", openai_errors.unknown_model),
    _unknown("not-found-vllm", "vLLM", _vllm),
    _unknown("not-found-openrouter", "OpenRouter", _openrouter),
    _unknown("not-found-deepseek", "DeepSeek", _deepseek),
    _unknown("not-found-litellm-proxy", "a LiteLLM proxy", _litellm_proxy),
    _unknown(
        "not-found-anthropic",
        "Anthropic",
        lambda model: Refusal(404, f"model: {model}"),
        spoken="anthropic",
    ),
    _unknown(
        "not-found-gemini",
        "Google",
        lambda model: Refusal(
            404,
            f"models/{model} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        ),
        spoken="gemini",
    ),
    _unknown(
        "not-found-ollama",
        "Ollama",
        lambda model: Refusal(404, f"model '{model}' not found"),
        spoken="ollama",
    ),
    Personality(
        "any-model",
        "serves every model name, as llama.cpp does",
        healthy=True,
        verdict="WORKS",
        any_model=True,
    ),
    works_by_prompt(
        "no-tool-endpoint",
        "404 for requests with tools: OpenRouter has no endpoint for them",
        refuse=(_no_tool_endpoint,),
    ),
)
