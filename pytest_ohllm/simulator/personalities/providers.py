"""Personalities of the provider: what it offers, where it offers it, and when it is down."""

from __future__ import annotations

from typing import Any

from pytest_ohllm.simulator.personalities.declaration import (
    Personality,
    Refuse,
    works_by_prompt,
)
from pytest_ohllm.simulator.response import Call, Refusal
from pytest_ohllm.simulator.turn import Turn

_GLM = "/api/paas/v4"
_GLM_CODING = "/api/coding/paas/v4"


def _always(refusal: Refusal) -> Refuse:
    return lambda turn: refusal


def _no_tools(turn: Turn) -> Refusal | None:
    """vLLM without its two flags."""
    if not turn.fields.get("tools"):
        return None
    return Refusal(
        400,
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        type="BadRequestError",
        code=400,
    )


def _ollama_no_tools(turn: Turn) -> Refusal | None:
    if not turn.tools:
        return None
    return Refusal(400, f"registry.ollama.ai/library/{turn.model}:latest does not support tools")


def _tools_need_responses(turn: Turn) -> Refusal | None:
    """OpenAI's newer models on the older endpoint: the same request is fine on Responses."""
    effort = turn.fields.get("reasoning_effort")
    if turn.protocol != "chat" or not turn.tools or effort in (None, "none"):
        return None
    return Refusal(
        400,
        f"Function tools with reasoning_effort are not supported for {turn.model} in "
        "/v1/chat/completions. Please use /v1/responses instead.",
        param="reasoning_effort",
    )


def _no_streams(turn: Turn) -> Refusal | None:
    """OpenAI's o1."""
    if not turn.stream:
        return None
    return Refusal(
        400,
        "Unsupported value: 'stream' does not support true with this model. Supported values are: "
        "false.",
        param="stream",
        code="unsupported_value",
    )


def _no_tools_in_streams(turn: Turn) -> Refusal | None:
    """Bedrock, for Llama and Mistral."""
    if not (turn.stream and turn.tools):
        return None
    return Refusal(
        400,
        "This model doesn't support tool use in streaming mode.",
        type="ValidationException",
    )


def _wrong_plan(call: Call, key: str | None) -> Refusal | None:
    """Z.ai: a key of the coding plan at the address of the pay-as-you-go plan."""
    if call.mount == _GLM_CODING:
        return None
    return Refusal(
        429,
        "Insufficient balance or no resource package. Please recharge.",
        body={
            "error": {
                "code": "1113",
                "message": "Insufficient balance or no resource package. Please recharge.",
            }
        },
    )


def _offline(name: str, description: str, refusal: Refusal, **about: Any) -> Personality:
    return Personality(
        name,
        description,
        stage="A",
        kind="provider_outage",
        refuse=(_always(refusal),),
        **about,
    )


PERSONALITIES = (
    works_by_prompt(
        "no-native-tools",
        "rejects `tools` as vLLM without a tool parser does; follows the prompt-based format",
        refuse=(_no_tools,),
    ),
    works_by_prompt(
        "no-native-tools-ollama",
        "rejects `tools` as Ollama does for a model whose template has none",
        spoken="ollama",
        refuse=(_ollama_no_tools,),
    ),
    Personality(
        "tools-need-responses",
        "refuses tools with reasoning effort on Chat Completions; Responses takes both",
        verdict="WORKS WITH SETTINGS",
        stage="B",
        kind="sdk_gap",
        refuse=(_tools_need_responses,),
        remedy={"api_mode": "responses"},
    ),
    Personality(
        "streams-refused",
        "does not stream, and says so as OpenAI's o1 did",
        healthy=True,
        verdict="WORKS",
        refuse=(_no_streams,),
    ),
    Personality(
        "streamed-tools-refused",
        "does not call tools while streaming, and says so as Bedrock does",
        healthy=True,
        verdict="WORKS",
        refuse=(_no_tools_in_streams,),
    ),
    Personality(
        "wrong-plan",
        "429 insufficient balance at one path of the server, while another serves the same key",
        verdict="WORKS WITH SETTINGS",
        stage="A",
        kind="configuration",
        base_path=_GLM,
        mounts={_GLM_CODING: "/v1", _GLM: "/v1"},
        intercept=(_wrong_plan,),
        remedy={"base_url": _GLM_CODING},
    ),
    Personality(
        "litellm-proxy",
        "a LiteLLM proxy: a competent model, and facts about it at /v1/model/info",
        healthy=True,
        verdict="WORKS",
        prefix="litellm_proxy",
        base_path="",
        mounts={"/chat/completions": "/v1/chat/completions", "/responses": "/v1/responses"},
        settings={"capability_overrides": {"supports_vision": True}},
    ),
    _offline(
        "error-500",
        "500 on every conversation",
        Refusal(
            500,
            "The server had an error while processing your request. Sorry about that!",
            type="server_error",
        ),
    ),
    _offline(
        "overloaded",
        "529: overloaded, as Anthropic says it",
        Refusal(
            529,
            "Overloaded",
            body={
                "type": "error",
                "error": {"type": "overloaded_error", "message": "Overloaded"},
            },
        ),
    ),
    _offline(
        "overloaded-anthropic",
        "529 with Retry-After, over Anthropic's own protocol",
        Refusal(529, "Overloaded", headers={"retry-after": "30"}),
        spoken="anthropic",
    ),
    _offline(
        "overloaded-gemini",
        "503 UNAVAILABLE, over Google's own protocol",
        Refusal(503, "The model is overloaded. Please try again later."),
        spoken="gemini",
    ),
    _offline(
        "overloaded-retry-after",
        "503 with Retry-After on every conversation",
        Refusal(
            503,
            "That model is currently overloaded with other requests. You can retry your request.",
            type="server_error",
            headers={"retry-after": "30"},
        ),
    ),
)
