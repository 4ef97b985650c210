"""Your own checks of a model, with the fixtures of pytest-ohllm.

pytest examples/own_tests --llm-profile=sim
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ohllm.judgement import require_answer
from pytest_ohllm.sdk.driver import Driver


def test_it_counts_files(llm_driver: Driver) -> None:
    """The agent works in a throw-away folder; only the commands listed in `allow` run there."""
    transcript = llm_driver.converse(
        "Use the terminal tool to run `ls` once, and tell me what it printed.",
        allow=["ls"],
        files={"apples.txt": "", "pears.txt": ""},
    )

    require_answer(transcript)
    assert "apples.txt" in transcript.final_text
    assert "pears.txt" in transcript.final_text


@pytest.mark.llm_stage("A")
def test_it_greets(llm_driver: Driver) -> None:
    """A check of stage A: if it fails, later stages of the profile are not run."""
    transcript = llm_driver.complete("Say hello in one word.")

    require_answer(transcript)
    assert "hello" in transcript.final_text.lower()


def test_the_sdk_can_be_driven_directly(llm: Any) -> None:
    """`llm` is the SDK's own LLM object; what it sends is recorded as evidence."""
    from openhands.sdk import Message, TextContent

    question = Message(role="user", content=[TextContent(text="Say hello in one word.")])
    # Newer SDKs have generate(), which chooses the endpoint as their agent does.
    answer = (getattr(llm, "generate", None) or llm.completion)([question])

    assert answer.message.content
