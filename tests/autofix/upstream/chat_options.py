"""Tests of what the SDK sends to Chat Completions; see model_features.py."""

from __future__ import annotations

from typing import Any

import pytest
from openhands.sdk import LLM
from openhands.sdk.llm.llm import LLMCallContext
from openhands.sdk.llm.options.chat_options import select_chat_options
from pydantic import SecretStr


def options(model: str, *, has_tools: bool = True, **fields: Any) -> dict[str, Any]:
    """The options for a model in a conversation."""
    llm = LLM(model=model, api_key=SecretStr("none"), usage_id="test", **fields)
    context = LLMCallContext(prompt_cache_key="conversation", session_id="conversation")
    given = {"tools": ["a tool"], "tool_choice": "auto"}
    chosen: dict[str, Any] = select_chat_options(llm, given, has_tools, call_context=context)
    return chosen


def test_without_tools_nothing_about_tools_is_sent() -> None:
    assert not options("openai/gpt-4o", has_tools=False).keys() & {"tools", "tool_choice"}


def test_tools_are_left_as_they_are() -> None:
    assert options("openai/gpt-4o")["tool_choice"] == "auto"


@pytest.mark.parametrize(
    ("model", "sent"), [("openai/o3-mini", True), ("anthropic/claude-3-haiku-20240307", False)]
)
def test_only_reasoning_models_are_asked_to_reason(model: str, sent: bool) -> None:
    assert ("reasoning_effort" in options(model, reasoning_effort="low")) is sent


def test_the_temperature_of_a_profile_is_sent() -> None:
    assert options("gemini/gemini-2.5-flash", temperature=0.3)["temperature"] == 0.3


def test_openai_gets_the_key_of_the_conversation_for_its_cache() -> None:
    assert options("openai/gpt-4o")["prompt_cache_key"] == "conversation"


def test_a_proxy_gets_the_id_of_the_session() -> None:
    headers = options("litellm_proxy/claude-sonnet-4-5")["extra_headers"]
    assert headers["x-litellm-session-id"] == "conversation"
