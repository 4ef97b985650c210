"""Tests of what the SDK sends to the Responses API; see model_features.py."""

from __future__ import annotations

from typing import Any

from openhands.sdk import LLM
from openhands.sdk.llm.llm import LLMCallContext
from openhands.sdk.llm.options.responses_options import select_responses_options
from pydantic import SecretStr


def options(model: str = "openai/gpt-5-mini", **fields: Any) -> dict[str, Any]:
    """The options for a model in a conversation."""
    llm = LLM(model=model, api_key=SecretStr("none"), usage_id="test", **fields)
    context = LLMCallContext(prompt_cache_key="conversation", session_id="conversation")
    chosen: dict[str, Any] = select_responses_options(
        llm, {}, include=None, store=None, call_context=context
    )
    return chosen


def test_nothing_is_stored_and_thoughts_come_back_sealed() -> None:
    chosen = options()
    assert chosen["store"] is False
    assert "reasoning.encrypted_content" in chosen["include"]


def test_the_effort_of_a_profile_is_sent() -> None:
    assert options(reasoning_effort="low")["reasoning"]["effort"] == "low"


def test_the_temperature_of_a_profile_is_sent() -> None:
    assert options(temperature=1.0)["temperature"] == 1.0


def test_the_model_may_choose_a_tool() -> None:
    assert options()["tool_choice"] == "auto"


def test_openai_gets_the_key_of_the_conversation_for_its_cache() -> None:
    assert options()["prompt_cache_key"] == "conversation"
