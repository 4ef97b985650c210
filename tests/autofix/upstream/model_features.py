"""Tests of the SDK's name lists, as they stand in its repository below tests/sdk/llm.

A source distribution brings no tests, so tests/autofix/releases.py puts these beside its code. They
hold for every release that is used there, and for the newest one.
"""

from __future__ import annotations

import pytest
from openhands.sdk.llm.utils.model_features import get_features


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", True),
        ("litellm_proxy/gpt-5-mini", True),
        ("codex-mini-latest", True),
        ("gpt-4o", False),
        ("claude-sonnet-4-5", False),
        ("moonshot/kimi-k2.6", False),
    ],
)
def test_responses_api(model: str, expected: bool) -> None:
    assert get_features(model).supports_responses_api is expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", True),
        ("claude-sonnet-4-5", True),
        ("mistral/mistral-large", True),
        ("o3-mini", False),
        ("xai/grok-4-0709", False),
        ("deepseek/DeepSeek-R1-0528", False),
    ],
)
def test_stop_words(model: str, expected: bool) -> None:
    assert get_features(model).supports_stop_words is expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("moonshot/kimi-k2.6", True),
        ("deepseek/deepseek-reasoner", True),
        ("deepseek/deepseek-v4-flash", True),
        ("deepseek/deepseek-chat", False),
        ("gpt-5", False),
    ],
)
def test_reasoning_content_is_sent_back(model: str, expected: bool) -> None:
    assert get_features(model).send_reasoning_content is expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [("gpt-5", True), ("azure/gpt-5", False), ("claude-sonnet-4-5", False)],
)
def test_prompt_cache_retention(model: str, expected: bool) -> None:
    assert get_features(model).supports_prompt_cache_retention is expected
